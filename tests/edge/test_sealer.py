"""From entries to batches: every reading and every missed point is in exactly one place."""

import contextlib
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.batch import (
    ChainHead,
    ClockState,
    Event,
    check_successor,
    decode,
    encode,
)
from tanzheng.core.errors import EncodingError
from tanzheng.edge.sealer import SealPolicy, build, next_place
from tanzheng.edge.spool.records import (
    Entry,
    EventEntry,
    GapEntry,
    SlotEntry,
    decode_entry,
    encode_entry,
)

if TYPE_CHECKING:
    from tanzheng.edge.abc import Outcome

INTERVAL_MS = 60_000
POINTS = ("a/active_power_kw", "b/active_power_kw", "c/active_power_kw")
CLOCK = ClockState("test", synced=True)
REASONS = st.sampled_from(["comms_timeout", "exception_2", "not_available"])
OUTCOMES = st.one_of(st.floats(allow_nan=False, allow_infinity=False), REASONS)


@st.composite
def stories(draw: st.DrawFn) -> list[Entry]:
    """Entries as an agent makes them: slots rising, now and then a gap of several slots."""
    entries: list[Entry] = []
    t_ms = 60_000 * draw(st.integers(25_000_000, 26_000_000))
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["slot", "slot", "slot", "gap", "event"]))
        if kind == "slot":
            outcomes: tuple[Outcome, ...] = tuple(draw(OUTCOMES) for _ in POINTS)
            entries.append(SlotEntry(t_ms, draw(st.sampled_from([0, 1])), outcomes))
            t_ms += INTERVAL_MS
        elif kind == "gap":
            end_ms = t_ms + INTERVAL_MS * draw(st.integers(1, 5))
            entries.append(GapEntry(t_ms, end_ms, INTERVAL_MS, "agent_down"))
            t_ms = end_ms
        else:
            entries.append(EventEntry(Event(t_ms, "agent_started", {"n": 1})))
    return entries


def told(entries: list[Entry]) -> tuple[set[tuple[int, int, float]], set[tuple[int, int, str]]]:
    """(point, instant, value) and (point, instant, reason) that entries tell."""
    values, missed = set(), set()
    for entry in entries:
        if isinstance(entry, SlotEntry):
            for index, outcome in enumerate(entry.outcomes):
                if isinstance(outcome, float):
                    values.add((index, entry.slot_ms, outcome))
                else:
                    missed.add((index, entry.slot_ms, outcome))
        elif isinstance(entry, GapEntry):
            slots = range(entry.from_ms, entry.to_ms, entry.interval_ms)
            missed |= {(index, t, entry.reason) for index in range(3) for t in slots}
    return values, missed


@given(stories())
def test_a_batch_says_what_its_entries_say(entries: list[Entry]) -> None:
    batch = build("gw", next_place(None, False), POINTS, INTERVAL_MS, entries, 1, CLOCK)
    again = decode(encode(batch))
    values, missed = told(entries)
    assert values == {
        (index, t, value)
        for index, column in enumerate(again.columns)
        for t, value in zip(column.t_ms, column.value, strict=True)
    }
    gaps = [(i, t, gap.reason) for gap in again.gaps for i in gap.points for t in gap.slots]
    assert set(gaps) == missed
    assert len(gaps) == len(missed)
    assert len(again.events) == sum(isinstance(entry, EventEntry) for entry in entries)


def test_neighbouring_missed_slots_are_one_gap() -> None:
    entries: list[Entry] = [GapEntry(0, 120_000, INTERVAL_MS, "agent_down")]
    entries += [SlotEntry(t, 0, (1.0, "refused", 2.0)) for t in range(120_000, 720_000, 60_000)]
    batch = build("gw", next_place(None, False), POINTS, INTERVAL_MS, entries, 1, CLOCK)
    assert [(gap.points, gap.from_ms, gap.to_ms, gap.reason) for gap in batch.gaps] == [
        ((0, 1, 2), 0, 120_000, "agent_down"),
        ((1,), 120_000, 720_000, "refused"),
    ]


@given(stories())
def test_entries_survive_the_disk(entries: list[Entry]) -> None:
    assert [decode_entry(encode_entry(entry)) for entry in entries] == entries


@given(st.binary(max_size=60))
def test_garbage_on_the_disk_is_named(data: bytes) -> None:
    with contextlib.suppress(EncodingError):
        assert encode_entry(decode_entry(data)) == data


def test_a_value_is_stored_to_the_last_bit() -> None:
    entry = SlotEntry(0, 0, (math.nextafter(0.1, 1), 5e-324, -0.0))
    assert decode_entry(encode_entry(entry)) == entry


@pytest.mark.parametrize("opens_epoch", [False, True])
def test_every_place_is_a_legal_successor(opens_epoch: bool) -> None:
    head = ChainHead(3, 41, bytes([7]) * 32)
    for before in (None, head):
        place = next_place(before, opens_epoch and before is not None)
        batch = build("gw", place, POINTS, INTERVAL_MS, [], 1, CLOCK)
        check_successor(before, batch)
    assert (place.epoch, place.seq) == ((4, 1) if opens_epoch else (3, 42))


def test_when_a_batch_is_due() -> None:
    policy = SealPolicy(slots_max=60, age_s_max=10.0)
    assert not policy.due(0, 1e9, full=False)
    assert not policy.due(59, 9.9, full=False)
    assert policy.due(60, 0.0, full=False)
    assert policy.due(1, 10.0, full=False)
    assert not policy.due(1, 10.0, full=True)  # one growing gap needs no batch
    assert policy.due(60, 0.0, full=True)
