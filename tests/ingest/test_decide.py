"""The pure core of ingest: what becomes of a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.boxes import NOW_MS, Box, enrolled, message, second_box
from ingest.zoo import ZOO, Flawed
from tanzheng.core.topics import batch_topic
from tanzheng.ingest.chain import Chain, decide
from tanzheng.ingest.decide import (
    Checked,
    Message,
    Refused,
    examine,
)


@pytest.mark.parametrize("flawed", ZOO, ids=lambda flawed: flawed.__name__)
def test_each_flaw_has_its_reason(flawed: Flawed) -> None:
    box = Box()
    found = examine(flawed(box), enrolled(box, second_box()))
    if isinstance(found, Checked):
        verdict = decide(Chain(), found)
        assert isinstance(verdict, Refused)
        found = verdict
    assert found.reason is ZOO[flawed]
    assert found.detail


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
