"""Typed data against eth_account's own EIP-712, roles and slots against eth_abi."""

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from core.strategies import attestations, domains, identifiers
from tanzheng.core.attestation import (
    ATTESTATION_TYPE,
    RECORDS_SLOT,
    STATUSES,
    Act,
    Attestation,
    Domain,
    PackedFigure,
    Status,
    record_slot,
    reporter_role,
    version_slot,
)
from tanzheng.core.closed import INTEGER_MAX
from tanzheng.core.errors import BadInput, EncodingError

DOMAIN = Domain(31337, bytes(range(20)))
GOOD = Attestation(Act.REPORT, "E1/U1", 2025, 1, 0, 1_234_567, b"s" * 32, b"d" * 32, 1_800_000_000)


@given(attestations, domains)
def test_digest_agrees_with_eth_account(attestation: Attestation, domain: Domain) -> None:
    signable = encode_typed_data(full_message=attestation.typed_data(domain))
    assert signable.header == domain.separator()
    assert keccak(b"\x19\x01" + signable.header + signable.body) == attestation.digest(domain)


def test_the_type_is_the_one_in_the_contract() -> None:
    assert ATTESTATION_TYPE == (
        b"Attestation(string act,string subject,uint16 year,uint32 version,uint16 sequence,"
        b"uint64 tonnes,bytes32 statement,bytes32 document,uint64 deadline)"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", "E1"),
        ("subject", "E1/U1/2025"),
        ("subject", "E1/厂"),
        ("year", -1),
        ("year", 2**16),
        ("version", 0),
        ("version", True),
        ("sequence", 2**16),
        ("tonnes", INTEGER_MAX + 1),
        ("tonnes", 1.5),
        ("statement", b"short"),
        ("document", bytes(32)),
        ("deadline", 2**64),
    ],
)
def test_fields_out_of_shape(field: str, value: Any) -> None:
    with pytest.raises(BadInput, match=field):
        replace(GOOD, **{field: value})


@pytest.mark.parametrize(("chain_id", "contract"), [(0, bytes(20)), (1, bytes(19)), (1, b"")])
def test_domain_out_of_shape(chain_id: int, contract: bytes) -> None:
    with pytest.raises(BadInput, match="domain"):
        Domain(chain_id, contract)


@given(identifiers)
def test_reporter_role_as_abi_encode_says(unit: str) -> None:
    subject = f"E1/{unit}"
    encoded = encode(["string", "bytes32"], ["tanzheng.reporter", keccak(subject.encode())])
    assert reporter_role(subject) == keccak(encoded)


@given(st.integers(0, 2**16 - 1), st.integers(1, 2**32 - 1), st.integers(0, 5))
def test_slots_as_abi_encode_says(year: int, version: int, place: int) -> None:
    outer = keccak(encode(["bytes32", "uint256"], [keccak(b"E1/U1"), RECORDS_SLOT]))
    record = keccak(encode(["uint256", "bytes32"], [year, outer]))
    assert record_slot("E1/U1", year) == record
    versions = int.from_bytes(record, "big") + 1
    first = int.from_bytes(keccak(encode(["uint256", "uint256"], [version, versions])), "big")
    slot = int.from_bytes(version_slot("E1/U1", year, version, place), "big")
    assert slot == (first + place) % 2**256


def test_packed_figure() -> None:
    word = bytes([0, 7, 3, 5]) + (99).to_bytes(8, "big") + b"r" * 20
    assert PackedFigure.decode(word) == PackedFigure(
        b"r" * 20, 99, Status.DISPUTED, Status.VERIFIED, 7
    )
    for bad in (bytes([0, 0, 0, len(STATUSES)]) + bytes(28), bytes([0, 0, 9, 0]) + bytes(28), b""):
        with pytest.raises(EncodingError):
            PackedFigure.decode(bad)
