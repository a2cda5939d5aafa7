"""The client of verified emissions on a real chain: what it signs, hands in, and reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, replace
from typing import TYPE_CHECKING

import pytest
from eth_account import Account
from hypothesis import given, settings

from contracts.emissions import SUBJECT, YEAR, Registered, other_figure, own_anvil, registered
from core.strategies import attestations
from tanzheng.anchor.emissions_contract import VerifiedEmissions
from tanzheng.anchor.errors import AnchorInput, ContractReverted
from tanzheng.core import attestation as core
from tanzheng.core import evm
from tanzheng.core.attestation import (
    ACTS,
    STATUSES,
    Act,
    Attestation,
    PackedFigure,
    Status,
    version_slot,
)
from tanzheng.core.hashing import keccak256

if TYPE_CHECKING:
    from tanzheng.anchor.devchain import Anvil

CONFIRMED = (Act.REPORT, Act.REVIEW, Act.VERIFY, Act.CONFIRM)


@pytest.fixture
def place(anvil: Anvil) -> Registered:
    return registered(anvil)


@pytest.fixture(scope="module")
def read_only() -> Iterator[Registered]:
    with own_anvil() as anvil:
        yield registered(anvil)


@settings(max_examples=60, deadline=None)
@given(attestation=attestations)
def test_digest_as_the_contract_computes_it(
    read_only: Registered, attestation: Attestation
) -> None:
    emissions = read_only.emissions
    message = (ACTS.index(attestation.act), *astuple(attestation)[1:])
    assert bytes(emissions._call("digest", message)) == attestation.digest(emissions.domain)


def test_constants_are_the_contract_s(read_only: Registered) -> None:
    call = read_only.emissions._call
    for name in ("REVIEWER_ROLE", "VERIFIER_ROLE", "CONFIRMER_ROLE", "DISPUTER_ROLE", "LOG_ROLE"):
        assert bytes(call(name)) == getattr(core, name)
    assert call("ATTESTATION_TYPE").encode() == core.ATTESTATION_TYPE
    subject = keccak256(SUBJECT.encode())
    assert bytes(call("reporterRole", subject)) == core.reporter_role(SUBJECT)


def test_a_wallet_signs_the_same(read_only: Registered) -> None:
    key, emissions = read_only.parties.reporter, read_only.emissions
    attestation = read_only.attestation(Act.REPORT, 1, 0)
    by_wallet = Account.sign_typed_data(key.key, full_message=emissions.typed_data(attestation))
    assert bytes(by_wallet.signature) == emissions.sign(key, attestation)


def test_four_parties_confirm_and_the_registry_reads(place: Registered) -> None:
    place.play(*CONFIRMED)
    figure = place.emissions.confirmed(SUBJECT, YEAR)
    assert (figure.tonnes, figure.version) == (1_234_567, 1)
    version = place.emissions.version_of(SUBJECT, YEAR, 1)
    assert version is not None
    assert version.status is Status.CONFIRMED
    parties = place.parties
    assert (version.reporter, version.confirmer) == (
        parties.reporter.address,
        parties.confirmer.address,
    )
    assert version.disputer is None
    assert place.emissions.version_of(SUBJECT, YEAR, 2) is None


def test_a_correction_is_a_new_version_and_the_events_tell_all(place: Registered) -> None:
    acts = (*CONFIRMED, Act.DISPUTE, Act.CORRECT, Act.REVIEW)
    place.play(*acts)
    emissions = place.emissions
    assert emissions.version_count(SUBJECT, YEAR) == 2
    first, second = (emissions.version_of(SUBJECT, YEAR, n) for n in (1, 2))
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (Status.CORRECTED, Status.REVIEWED)
    assert first.confirmer == place.parties.confirmer.address
    events = emissions.attested()
    assert [event.act for event in events] == list(acts)
    assert [event.sequence for event in events] == list(range(len(acts)))
    assert {event.subject for event in events} == {SUBJECT}
    assert events[5].version == 2
    with pytest.raises(ContractReverted) as refused:
        emissions.confirmed(SUBJECT, YEAR)
    assert refused.value.name == "VerifiedEmissionsNotConfirmed"
    assert refused.value.arguments == (STATUSES.index(Status.REVIEWED),)


def test_a_stored_figure_is_proved_from_the_block_hash(place: Registered) -> None:
    """What a consumer without a node of its own checks: header, account, two slots."""
    place.play(*CONFIRMED)
    node, address = place.chain.node, place.emissions.address
    block = node.block("latest")
    slots = [version_slot(SUBJECT, YEAR, 1, number) for number in (0, 1)]
    keys = ["0x" + slot.hex() for slot in slots]
    proof = node.rpc("eth_getProof", address, keys, block["number"])
    state_root = evm.decode_header(evm.encode_header(block)).state_root
    account = [bytes.fromhex(text[2:]) for text in proof["accountProof"]]
    root = evm.storage_root(state_root, bytes.fromhex(address[2:]), account)
    words = []
    for slot, entry in zip(slots, proof["storageProof"], strict=True):
        nodes = [bytes.fromhex(text[2:]) for text in entry["proof"]]
        words.append(evm.slot_value(root, slot, nodes))
    assert words[0] == place.attestation(Act.REPORT, 1, 0).statement
    reporter = bytes.fromhex(place.parties.reporter.address[2:])
    assert PackedFigure.decode(words[1]) == PackedFigure(
        reporter, 1_234_567, Status.CONFIRMED, Status.NONE, 4
    )


def test_refusals_have_names(place: Registered) -> None:
    report = place.attestation(Act.REPORT, 1, 0)
    refused(place, replace(report, deadline=1), "VerifiedEmissionsExpired")
    refused(place, replace(report, subject="E1/U2"), "AccessControlUnauthorizedAccount")
    refused(place, replace(report, sequence=1), "VerifiedEmissionsUnexpectedSequence")
    refused(place, replace(report, statement=b"s" * 32), "VerifiedEmissionsOtherStatement")
    place.play(Act.REPORT)
    refused(place, report, "VerifiedEmissionsOutOfOrder")
    review = place.attestation(Act.REVIEW, 1, 1)
    refused(place, other_figure(review), "VerifiedEmissionsOtherFigure")
    refused(place, replace(review, act=Act.CONFIRM), "VerifiedEmissionsOutOfOrder")


def refused(place: Registered, attestation: Attestation, name: str) -> None:
    with pytest.raises(ContractReverted) as error:
        place.signed(attestation)
    assert error.value.name == name


def test_a_log_s_refusal_passes_through_with_its_name(place: Registered) -> None:
    report = place.attestation(Act.REPORT, 1, 0)
    signature = place.emissions.sign(place.parties.reporter, report)
    proof = replace(place.proof(1), index=2)
    with pytest.raises(ContractReverted, match="CheckpointLogNotIncluded"):
        place.emissions.sign_submission(place.chain.sealer, report, signature, proof)


def test_a_proof_exactly_for_what_opens_a_version(place: Registered) -> None:
    report, review = (place.attestation(act, 1, 0) for act in (Act.REPORT, Act.REVIEW))
    for attestation, proof in ((report, None), (review, place.proof(1))):
        with pytest.raises(AnchorInput, match="proof"):
            place.emissions.sign_submission(place.chain.sealer, attestation, bytes(65), proof)


def test_a_revoked_party_signs_no_more(place: Registered) -> None:
    emissions, owner = place.emissions, place.chain.owner
    role, account = core.reporter_role(SUBJECT), place.parties.reporter.address
    assert place.mine(emissions.sign_revoke(owner, role, account)).succeeded
    refused(place, place.attestation(Act.REPORT, 1, 0), "AccessControlUnauthorizedAccount")


def test_signature_for_another_contract(place: Registered) -> None:
    """The same parties and roles at a second contract: the first one's signature is void there."""
    report = place.attestation(Act.REPORT, 1, 0)
    other = VerifiedEmissions(place.chain.node, "0x" + "11" * 20)
    signature = other.sign(place.parties.reporter, report)
    with pytest.raises(ContractReverted, match="AccessControlUnauthorizedAccount"):
        place.emissions.sign_submission(place.chain.sealer, report, signature, place.proof(1))
