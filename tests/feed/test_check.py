"""What a lying operator signs: quarantined, and each lie names itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account as Keys

from anchor.packages import OPERATOR
from feed.story import Story, checker
from tanzheng.core.jurisdiction import Jurisdiction
from tanzheng.core.statements.roles import Role
from tanzheng.feed.ledger import Ledger, Outcome

if TYPE_CHECKING:
    from tanzheng.core.feed import FeedItem
    from tanzheng.core.feed_parts import FeedAct
    from tanzheng.core.statements.confirmed import UnitEmissions


def lying(story: Story, seq: int, **changes: Any) -> bytes:
    """An item as a lying operator would sign it."""
    return replace(story.item(seq), **changes).sign(OPERATOR).line


def with_tonnes(item: FeedItem, tonnes: int) -> dict[str, Any]:
    return {"tonnes": tonnes, "acts": tuple(replace(act, tonnes=tonnes) for act in item.acts)}


LIES: dict[str, tuple[Callable[[FeedItem], dict[str, Any]], str]] = {
    "tonnes": (lambda i: with_tonnes(i, 101), "tonnes: expected 100"),
    "subject": (lambda i: {"subject": "E1/U2"}, "statement: expected one on E1/U2"),
    "year": (lambda i: {"year": 2024}, "statement: expected one on E1/U1, year 2024"),
    "proof of another figure": (
        lambda i: {"proof": turned(i)}, "slot proof"
    ),
    "proof of another block": (
        lambda i: {"event": replace(i.event, block_hash=bytes(32))}, "contract: expected confirmed"
    ),
    "time of another block": (
        lambda i: {"event": replace(i.event, time_s=i.event.time_s - 1)},
        "contract: expected confirmed",
    ),
    "signed before it happened": (lambda i: {"signed_ms": 1}, "signed: expected after its event"),
    "two parts by one": (lambda i: {"proof": None, "acts": by_one(i)}, "four different signers"),
    "signer": (
        lambda i: {"proof": None, "acts": (replace(i.acts[0], signer=bytes(20)), *i.acts[1:])},
        "reported: expected the signature of 0x0000",
    ),
    "document": (
        lambda i: {"proof": None, "acts": (replace(i.acts[0], document=b"d" * 32), *i.acts[1:])},
        "reported: expected the signature",
    ),
    "no signature, no proof": (
        lambda i: {
            "proof": None,
            "acts": (replace(i.acts[0], deadline=None, signature=None), *i.acts[1:]),
        },
        "reported: expected a signature, or storage",
    ),
    "other form of a signature": (
        lambda i: {"proof": None, "acts": (malleated(i), *i.acts[1:])}, "lower of the two forms"
    ),
    "another statement by the province": (
        lambda i: {"proof": None, "acts": with_document(i, b"d" * 32)},
        "receipt: expected that of the province's statement 6464",
    ),
    "another report": (
        lambda i: {"statement": b"r" * 32, "acts": of_report(i, b"r" * 32)}, "rests on 7272"
    ),
    "output changed": (lambda i: {"units": with_output(i, "1001")}, "units: expected those of"),
    "output left out": (lambda i: {"units": (replace(i.units[0], output=()),)}, "units: expected"),
}  # fmt: skip


def by_one(item: FeedItem) -> tuple[FeedAct, ...]:
    """The city verifies what it has reviewed."""
    reviewer = Keys.from_key(bytes([12] * 32))
    digest = item.attestation(item.acts[2]).digest(item.domain)
    signature = bytes(Keys.unsafe_sign_hash(digest, reviewer.key).signature)
    verified = replace(item.acts[2], signer=item.acts[1].signer, signature=signature)
    return (*item.acts[:2], verified, item.acts[3])


def turned(item: FeedItem) -> Any:
    assert item.proof is not None
    return replace(item.proof, slots=item.proof.slots[::-1])


def with_document(item: FeedItem, document: bytes) -> tuple[FeedAct, ...]:
    return (*item.acts[:3], replace(item.acts[3], document=document))


def of_report(item: FeedItem, statement: bytes) -> tuple[FeedAct, ...]:
    return tuple(replace(act, statement=statement) for act in item.acts)


def with_output(item: FeedItem, value: str) -> tuple[UnitEmissions, ...]:
    [unit] = item.units
    return (replace(unit, output=(replace(unit.output[0], value=value),)),)


def malleated(item: FeedItem) -> Any:
    signature = item.acts[0].signature
    assert signature is not None
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = order - int.from_bytes(signature[32:64], "big")
    other = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    return replace(item.acts[0], signature=other)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_quarantined_and_names_itself(story: Story, books: Ledger, name: str) -> None:
    changes, reason = LIES[name]
    assert books.take(lying(story, 1, **changes(story.item(1)))) is Outcome.QUARANTINED
    (problem,) = books.problems()
    assert problem.seq == 1
    assert reason in problem.reason
    assert books.balances() == {}
    assert books.seq == 1


def test_a_receipt_of_another_statement(story: Story, books: Ledger) -> None:
    line = lying(story, 1, receipt=story.item(4).receipt)
    assert books.take(line) is Outcome.QUARANTINED
    assert "receipt: expected that of the province's statement" in books.problems()[0].reason


def test_a_status_that_does_not_follow(story: Story, books: Ledger) -> None:
    """A dispute of what was never confirmed, with everything else in order."""
    disputed = replace(story.item(2), seq=1, prev=None).sign(OPERATOR)
    assert books.take(disputed.line) is Outcome.QUARANTINED
    assert "follows on nothing booked" in books.problems()[0].reason


def test_a_party_without_the_role(story: Story, tmp_path: Path) -> None:
    for role in ("reviewers", "verifiers", "confirmers"):
        other = checker(story.trust, {**story.authority, role: []})
        books = Ledger(tmp_path / f"{role}.sqlite", other)
        assert books.take(story.lines[0]) is Outcome.QUARANTINED
        assert "expected an account with that role" in books.problems()[0].reason
        books.close()


def test_a_province_that_is_not_trusted(story: Story, tmp_path: Path) -> None:
    """Its role is not enough: the key must be on trust, as a province's, and for that plant."""
    [province] = story.trust.signers
    for signers, expected in (
        ((), "province key: expected a trusted one of province-bureau"),
        ((replace(province, role=Role.CITY),), "province key: expected a trusted one"),
        ((replace(province, jurisdiction=Jurisdiction(("E2",))),), r"(E2), got E1"),
    ):
        trust = replace(story.trust, signers=signers)
        books = Ledger(tmp_path / f"{len(expected)}.sqlite", checker(trust, story.authority))
        assert books.take(story.lines[0]) is Outcome.QUARANTINED
        reason = books.problems()[0].reason
        assert reason.startswith("receipt: signer valid at that time")
        assert expected in reason
        books.close()
