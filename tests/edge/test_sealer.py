"""From entries to batches: every reading and every missed point is in exactly one place."""

import contextlib
import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.scripted import take
from tanzheng.core import cbor
from tanzheng.core.batch import (
    READINGS_MAX,
    Batch,
    ChainHead,
    ClockState,
    Event,
    check_successor,
    decode,
    encode,
)
from tanzheng.core.errors import EncodingError
from tanzheng.edge.abc import Miss, Take
from tanzheng.edge.sealer import Builder, Content, SealPolicy, next_place
from tanzheng.edge.spool.dropping import drop
from tanzheng.edge.spool.records import (
    ArrivalEntry,
    Cadence,
    Entry,
    GapEntry,
    SlotEntry,
    decode_entry,
    encode_entry,
    readings_of,
    summary,
)
from tanzheng.edge.timekeeping.scheduler import Grid

INTERVAL_MS = 60_000
POINTS = ("a/active_power_kw", "b/active_power_kw", "c/active_power_kw")
CLOCK = ClockState("test", synced=True)
REASONS = st.sampled_from(["comms_timeout", "exception_2", "not_available"])
FINITE = st.floats(allow_nan=False, allow_infinity=False)
QUALITY = st.sampled_from([0, 1, 5])


def build(entries: list[Entry], points: int = 3) -> Content:
    """One batch's content of all `entries`."""
    builder = Builder(points, INTERVAL_MS)
    for entry in entries:
        assert builder.add(encode_entry(entry))
    return builder.finish()


def batch_of(content: Content) -> Batch:
    place = next_place(None, False)
    return Batch(
        "gw", place.epoch, place.seq, place.prev, 1, CLOCK, POINTS,
        content.columns, content.gaps, content.events,
    )  # fmt: skip


@st.composite
def slots(draw: st.DrawFn, t_ms: int) -> SlotEntry:
    """Each point is in one take or in one miss; blocks and instants vary."""
    takes, misses = [], []
    order = draw(st.permutations(range(3)))
    cut = draw(st.integers(1, 3))
    for points in (order[:cut], order[cut:]):
        if not points:
            continue
        if draw(st.booleans()):
            values = array("d", [draw(FINITE) for _ in points])
            codes = bytes(draw(QUALITY) for _ in points)
            takes.append(Take(t_ms + draw(st.integers(0, 999)), tuple(points), values, codes))
        else:
            before_ms = t_ms - 100 * INTERVAL_MS
            earlier = range(before_ms, before_ms + INTERVAL_MS, INTERVAL_MS)
            own = draw(st.sampled_from([None, earlier]))
            misses.append(Miss(tuple(sorted(points)), draw(REASONS), own))
    return SlotEntry(t_ms, tuple(takes), tuple(misses))


@st.composite
def stories(draw: st.DrawFn) -> list[Entry]:
    """Entries as an agent makes them: slots rising, now and then a gap of several slots."""
    entries: list[Entry] = []
    t_ms = 60_000 * draw(st.integers(25_000_000, 26_000_000))
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["slot", "slot", "slot", "gap", "event"]))
        if kind == "slot":
            entries.append(draw(slots(t_ms)))
            t_ms += INTERVAL_MS
        elif kind == "gap":
            end_ms = t_ms + INTERVAL_MS * draw(st.integers(1, 5))
            cadences = draw(
                st.sampled_from(
                    [
                        (Cadence(None, INTERVAL_MS),),
                        (Cadence((0, 2), INTERVAL_MS), Cadence((1,), 2 * INTERVAL_MS)),
                    ]
                )
            )
            entries.append(GapEntry(t_ms, end_ms, "agent_down", cadences))
            t_ms = end_ms
        else:
            entries.append(ArrivalEntry((), (Event(t_ms, "agent_started", {"n": 1}),)))
    return entries


Told = tuple[set[tuple[int, int, float, int]], dict[tuple[int, int, str], int]]


def told(entries: list[Entry]) -> Told:
    """(point, instant, value, quality), and (point, slot, reason) → its interval, in entries."""
    values, missed = set(), dict[tuple[int, int, str], int]()
    for entry in entries:
        if isinstance(entry, GapEntry):
            for each in entry.cadences:
                for point in each.points or (0, 1, 2):
                    missed |= {
                        (point, t, entry.reason): each.interval_ms
                        for t in each.slots(entry.from_ms, entry.to_ms)
                    }
            continue
        for each_take in entry.takes:
            values |= {
                (point, each_take.t_ms, value, code)
                for point, value, code in zip(
                    each_take.points, each_take.values, each_take.quality, strict=True
                )
            }
        if isinstance(entry, SlotEntry):
            for miss in entry.misses:
                own = miss.slots or range(entry.slot_ms, entry.slot_ms + 1, INTERVAL_MS)
                missed |= {(p, t, miss.reason): own.step for p in miss.points for t in own}
    return values, missed


@given(stories())
def test_a_batch_says_what_its_entries_say(entries: list[Entry]) -> None:
    again = decode(encode(batch_of(build(entries))))
    values, missed = told(entries)
    assert values == {
        (index, t, value, code)
        for index, column in enumerate(again.columns)
        for t, value, code in zip(column.t_ms, column.value, column.quality, strict=True)
    }
    gaps = [(i, t, gap.reason) for gap in again.gaps for i in gap.points for t in gap.slots]
    assert set(gaps) == {
        (point, slot, reason)
        for (point, slot, reason), step in missed.items()
        if not any(p == point and slot <= t < slot + step for p, t, *_ in values)
    }
    assert len(gaps) == len(set(gaps))
    events = [entry for entry in entries if isinstance(entry, ArrivalEntry)]
    assert len(again.events) == len(events)


@given(st.lists(st.tuples(st.integers(0, 20), FINITE), max_size=20), st.randoms())
def test_arrivals_are_sorted_and_doubles_removed(
    rows: list[tuple[int, float]], chance: object
) -> None:
    """Whatever comes in whatever order: rising instants, the first to come stays, all counted."""
    content = build([ArrivalEntry((take(t, [1], [value]),)) for t, value in rows])
    first: dict[int, float] = {}
    for t, value in rows:
        first.setdefault(t, value)
    column = content.columns[1]
    assert dict(zip(column.t_ms, column.value, strict=True)) == first
    assert list(column.t_ms) == sorted(first)
    removed = [event.detail for event in content.events if event.kind == "duplicates_removed"]
    count = len(rows) - len(first)
    assert [detail["count"] for detail in removed] == ([count] if count else [])
    encode(batch_of(content))


def test_a_double_that_differs_is_told_apart() -> None:
    entries: list[Entry] = [ArrivalEntry((take(5, [0], [v]),)) for v in (1.0, 1.0, 2.0)]
    (event,) = build(entries).events
    assert event.detail == {"count": 2, "differing": 1}


def test_neighbouring_missed_slots_are_one_gap() -> None:
    entries: list[Entry] = [GapEntry(0, 120_000, "agent_down", (Cadence(None, INTERVAL_MS),))]
    entries += [
        SlotEntry(t, (take(t, [0, 2], [1.0, 2.0]),), (Miss((1,), "refused"),))
        for t in range(120_000, 720_000, 60_000)
    ]
    assert [(g.points, g.from_ms, g.to_ms, g.reason) for g in build(entries).gaps] == [
        ((0, 1, 2), 0, 120_000, "agent_down"),
        ((1,), 120_000, 720_000, "refused"),
    ]


def test_a_reading_that_came_late_leaves_no_gap() -> None:
    """The line was busy at the end of two slots; what it read in one of them came afterwards."""
    busy = (Miss((0, 1), "line_busy"),)
    entries: list[Entry] = [
        SlotEntry(0, (), busy),
        SlotEntry(60_000, (), busy),
        SlotEntry(120_000, (take(59_999, [0], [1.0]), take(120_500, [1], [1.0])), ()),
    ]
    assert [(g.points, list(g.slots)) for g in build(entries).gaps] == [
        ((1,), [0, 60_000]),
        ((0,), [60_000]),
    ]


def test_a_batch_takes_what_it_can_carry() -> None:
    """200,000 readings, 49 days: what goes beyond is for the next batch."""
    points = tuple(range(4000))
    body = encode_entry(SlotEntry(0, (take(0, points, [1.5] * 4000),)))
    builder = Builder(4000, INTERVAL_MS)
    while builder.add(body):
        pass
    assert builder.entries * 4000 <= READINGS_MAX
    assert builder.entries >= 40
    far = Builder(1, INTERVAL_MS)
    assert far.add(encode_entry(ArrivalEntry((take(0, [0], [1.0]),))))
    assert not far.add(encode_entry(ArrivalEntry((take(50 * 86_400_000, [0], [1.0]),))))
    assert far.add(encode_entry(ArrivalEntry((take(48 * 86_400_000, [0], [1.0]),))))


@given(stories())
def test_entries_survive_the_disk(entries: list[Entry]) -> None:
    assert [decode_entry(encode_entry(entry)) for entry in entries] == entries
    for entry in entries:
        assert summary(encode_entry(entry)).readings == readings_of(entry)


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda data: b"\x01" + data))
def test_garbage_on_the_disk_is_named(data: bytes) -> None:
    for read in (decode_entry, summary):
        with contextlib.suppress(EncodingError):
            read(data)


@settings(max_examples=500)
@given(stories(), st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_entry_is_named_or_still_an_entry(
    entries: list[Entry], at: int, byte: int
) -> None:
    for entry in entries[:1]:
        body = bytearray(encode_entry(entry))
        body[at % len(body)] = byte
        with contextlib.suppress(EncodingError):
            decode_entry(bytes(body))


def test_a_value_is_stored_to_the_last_bit() -> None:
    entry = SlotEntry(0, (take(0, (2, 0, 1), (math.nextafter(0.1, 1), 5e-324, -0.0)),))
    assert decode_entry(encode_entry(entry)) == entry


@pytest.mark.parametrize(
    "wrong",
    [
        Take(1, (0, 1), array("d", [1.0]), b"\0"),
        Take(1, (0,), array("d", [1.0]), b"\0\0"),
        Take(-1, (0,), array("d", [1.0]), b"\0"),
    ],
)
def test_a_take_that_does_not_fit_is_refused(wrong: Take) -> None:
    with pytest.raises(EncodingError, match="expected equal lengths"):
        encode_entry(SlotEntry(0, (wrong,)))


def test_entries_of_version_1_are_still_read() -> None:
    """As the agent of the first release wrote them: a plant updates without losing its spool."""
    slot = cbor.dumps([0, 60_000, 1, array("d", [1.5, math.nan, -2.0]).tobytes(), {"refused": [1]}])
    gap = cbor.dumps([1, 120_000, 240_000, 60_000, "agent_down"])
    event = cbor.dumps([2, 5, "agent_started", {"n": 1}])
    assert decode_entry(slot) == SlotEntry(
        60_000, (take(60_000, (0, 2), (1.5, -2.0), 1),), (Miss((1,), "refused"),)
    )
    assert decode_entry(gap) == GapEntry(120_000, 240_000, "agent_down", (Cadence(None, 60_000),))
    assert decode_entry(event) == ArrivalEntry((), (Event(5, "agent_started", {"n": 1}),))
    builder = Builder(3, INTERVAL_MS)
    assert all(builder.add(body) for body in (slot, gap, event))
    content = builder.finish()
    assert [list(column.value) for column in content.columns] == [[1.5], [], [-2.0]]
    assert sum(len(gap.points) * len(gap.slots) for gap in content.gaps) == 7
    assert len(content.events) == 1


@given(stories())
def test_what_is_dropped_is_a_gap_and_nothing_else_is_forgotten(entries: list[Entry]) -> None:
    values, missed = told(entries)
    remains = drop([encode_entry(entry) for entry in entries], [Grid(INTERVAL_MS)] * 3, INTERVAL_MS)
    left_values, left = told(list(remains.entries))
    assert left_values == set()
    dropped = {(p, t - t % INTERVAL_MS, "spool_dropped") for p, t, *_ in values}
    assert left.keys() == missed.keys() | dropped
    assert remains.readings == len(values)
    events = [event for e in remains.entries if isinstance(e, ArrivalEntry) for event in e.events]
    assert len(events) == sum(isinstance(entry, ArrivalEntry) for entry in entries)


def test_a_dropped_reading_is_a_gap_at_the_slot_of_its_own_device() -> None:
    """The first point is read each minute, the second each hour, at thirty past."""
    entry = ArrivalEntry((take(7_320_500, [0, 1], [1.0, 2.0]),))
    grids = [Grid(INTERVAL_MS), Grid(3_600_000, 1_800_000)]
    remains = drop([encode_entry(entry)], grids, INTERVAL_MS)
    _, left = told(list(remains.entries))
    assert left == {
        (0, 7_320_000, "spool_dropped"): INTERVAL_MS,
        (1, 5_400_000, "spool_dropped"): 3_600_000,
    }


@pytest.mark.parametrize("opens_epoch", [False, True])
def test_every_place_is_a_legal_successor(opens_epoch: bool) -> None:
    head = ChainHead(3, 41, bytes([7]) * 32)
    for before in (None, head):
        place = next_place(before, opens_epoch and before is not None)
        batch = Batch("gw", place.epoch, place.seq, place.prev, 1, CLOCK, (), ())
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
