"""The pure core of ingest: what becomes of a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.boxes import NOW_MS, Box, enrolled, message, second_box
from ingest.zoo import ZOO, Flawed
from tanzheng.core.batch import ChainHead
from tanzheng.core.topics import batch_topic
from tanzheng.ingest.decide import (
    Accept,
    Checked,
    Duplicate,
    Message,
    Reason,
    Refused,
    Repeated,
    decide,
    decide_repeated,
    examine,
)


def checked(box: Box, signed: object) -> Checked:
    found = examine(message(signed), enrolled(box))  # type: ignore[arg-type]
    assert isinstance(found, Checked)
    return found


@pytest.mark.parametrize("flawed", ZOO, ids=lambda flawed: flawed.__name__)
def test_each_flaw_has_its_reason(flawed: Flawed) -> None:
    box = Box()
    found = examine(flawed(box), enrolled(box, second_box()))
    if isinstance(found, Checked):
        verdict = decide(None, False, found)
        assert isinstance(verdict, Refused)
        found = verdict
    assert found.reason is ZOO[flawed]
    assert found.detail


def test_the_next_batch_is_accepted() -> None:
    box = Box()
    first, second = box.chain(2)
    assert isinstance(decide(None, False, checked(box, first)), Accept)
    assert isinstance(decide(first.head, False, checked(box, second)), Accept)


def test_a_new_epoch_follows_the_platforms_head() -> None:
    box = Box()
    first = box.next()
    opened = box.next(epoch=2, seq=1)
    assert isinstance(decide(first.head, False, checked(box, opened)), Accept)


def test_a_repeated_batch_is_a_duplicate_by_its_digest() -> None:
    box = Box()
    first, second = box.chain(2)
    again = checked(box, first)
    assert isinstance(decide(second.head, False, again), Repeated)
    assert isinstance(decide_repeated(again, first.digest), Duplicate)


def test_other_bytes_in_a_place_that_is_taken_are_a_fork() -> None:
    box = Box()
    first = box.next()
    other = Box(key=box.key, t_ms=box.t_ms).next()
    verdict = decide_repeated(checked(box, other), first.digest)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.FORK


def test_a_batch_of_a_closed_epoch_is_refused() -> None:
    box = Box()
    box.next()
    late = box.next()
    head = ChainHead(2, 1, bytes(32))
    assert isinstance(decide(head, False, checked(box, late)), Repeated)
    verdict = decide_repeated(checked(box, late), None)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.CLOSED


def test_nothing_is_taken_from_a_suspended_gateway() -> None:
    box = Box()
    verdict = decide(None, True, checked(box, box.next()))
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.SUSPENDED


def test_an_old_batch_is_no_fault() -> None:
    """A spool may be years old; only the future is wrong."""
    box = Box(t_ms=0)
    assert isinstance(examine(message(box.next()), enrolled(box)), Checked)


@given(st.binary(max_size=300))
def test_any_garbage_is_refused_by_name(payload: bytes) -> None:
    box = Box()
    found = examine(Message(batch_topic("gw1"), payload, NOW_MS), enrolled(box))
    assert isinstance(found, Refused)


@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    box = Box()
    raw = bytearray(box.next(slots=2).raw)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    assert isinstance(examine(message(bytes(raw)), enrolled(box)), Refused)
