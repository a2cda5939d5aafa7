"""An item of the registry feed: one form, strictly read, bound to its signature."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import OPERATOR
from feed.figures import feed_item
from tanzheng.core import canonical_json
from tanzheng.core.attestation import Act
from tanzheng.core.errors import BadInput, EncodingError, SignatureInvalid, TanzhengError
from tanzheng.core.feed import FeedStatus, decode, open_line
from tanzheng.core.feed_head import FeedHead, open_head
from tanzheng.core.keys import SigningKey

ITEM = feed_item()
SIGNED = ITEM.sign(OPERATOR)


def test_round_trip_and_signature() -> None:
    assert decode(ITEM.encode()) == ITEM
    assert open_line(SIGNED.line).item == ITEM
    assert SIGNED.digest == ITEM.digest
    SIGNED.verify(OPERATOR.public)
    with pytest.raises(SignatureInvalid):
        SIGNED.verify(SigningKey.from_seed(b"another".ljust(32, b".")).public)


@pytest.mark.parametrize("start", range(4))
def test_a_flipped_bit_is_noticed_wherever_it_is(start: int) -> None:
    """The line is not read, or its signature does not hold. One byte in five, all of the first."""
    for at in (*range(start, 400, 4), *range(400 + start, len(SIGNED.line), 20)):
        changed = bytearray(SIGNED.line)
        changed[at] ^= 1 << (at % 7)
        with pytest.raises(TanzhengError):
            open_line(bytes(changed)).verify(OPERATOR.public)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(SIGNED.line)))
def test_garbage_in_a_line_is_named(garbage: bytes, at: int) -> None:
    data = SIGNED.line[:at] + garbage
    if data != SIGNED.line:
        with pytest.raises(BadInput):
            open_line(data)


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    source = json.loads(ITEM.encode())
    change(source)
    return canonical_json.dumps(source)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.update(extra=1), "unknown"),
        (lambda s: s.pop("tonnes"), "missing"),
        (lambda s: s.update(version=2), "version"),
        (lambda s: s.update(type="x"), "type"),
        (lambda s: s.update(tonnes="1"), "tonnes"),
        (lambda s: s.update(tonnes=ITEM.tonnes + 1), "acts"),
        (lambda s: s.update(subject="E1"), "subject"),
        (lambda s: s.update(seq=2), "prev"),
        (lambda s: s.update(status="booked"), "status"),
        (lambda s: s.update(status="disputed"), "leads to disputed"),
        (lambda s: s.update(figure_version=2), "acts"),
        (lambda s: s["acts"].pop(), "acts"),
        (lambda s: s["acts"].reverse(), "acts"),
        (lambda s: s["acts"][0].update(signature=None), "together"),
        (lambda s: s["acts"][1].update(sequence=0), "rising"),
        (lambda s: s["acts"][2].update(statement="22" * 32), "acts"),
        (lambda s: s["units"][0].update(emissions_t=-1), "units"),
        (lambda s: s["units"][0]["output"][0].pop("unit"), "units"),
        (lambda s: s.update(units=s["units"] * 2), "ascending"),
        (lambda s: s.update(receipt=s["receipt"] + "=" * 4), "receipt"),
        (lambda s: s["event"].update(block_number=-1), "block_number"),
        (lambda s: s["proof"].update(slots=[]), "slots"),
    ],
)
def test_a_damaged_item_is_refused_by_name(
    change: Callable[[dict[str, Any]], object], named: str
) -> None:
    with pytest.raises(BadInput, match=named):
        decode(changed(change))


def test_white_space_and_order_are_another_form() -> None:
    loose = json.dumps(json.loads(ITEM.encode())).encode()
    with pytest.raises(EncodingError, match="canonical"):
        decode(loose)


def test_status_follows_from_the_last_act() -> None:
    last = ITEM.acts[-1]
    dispute = replace(last, act=Act.DISPUTE, sequence=4)
    disputed = replace(ITEM, status=FeedStatus.DISPUTED, acts=(*ITEM.acts, dispute))
    assert decode(disputed.encode()) == disputed
    correct = replace(last, act=Act.CORRECT, sequence=5, version=2, tonnes=9)
    withdrawn = replace(ITEM, status=FeedStatus.WITHDRAWN, acts=(*ITEM.acts, correct))
    assert decode(withdrawn.encode()) == withdrawn
    for wrong in (
        replace(disputed, acts=(*ITEM.acts, correct)),
        replace(withdrawn, acts=(*ITEM.acts, replace(correct, version=1))),
        replace(ITEM, status=FeedStatus.CORRECTED),
    ):
        with pytest.raises(EncodingError, match="acts"):
            wrong.encode()


def test_head_round_trip() -> None:
    head = FeedHead(31337, bytes(range(20)), 3, bytes(32), 17, 1_790_000_000_000)
    signed = head.sign(OPERATOR)
    assert open_head(signed.raw).head == head
    signed.verify(OPERATOR.public)
    rng = random.Random(7)
    for _ in range(300):
        flipped = bytearray(signed.raw)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(7)
        with pytest.raises(TanzhengError):
            open_head(bytes(flipped)).verify(OPERATOR.public)


def test_an_empty_feed_has_a_head_without_a_digest() -> None:
    empty = FeedHead(31337, bytes(20), 0, None, 0, 0)
    assert open_head(empty.sign(OPERATOR).raw).head == empty
    with pytest.raises(EncodingError, match="digest"):
        replace(empty, digest=bytes(32)).sign(OPERATOR)
