"""Time: a scale that never steps, whatever the wall clock does; NTP answers, good and hostile."""

import asyncio
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.scripted import FakeTimes, ScriptedLine, bench, take
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Round
from tanzheng.edge.spool.records import GapEntry, SlotEntry
from tanzheng.edge.timekeeping import sntp
from tanzheng.edge.timekeeping.clock import MachineClock
from tanzheng.edge.timekeeping.ntp_watch import NtpWatch
from tanzheng.edge.timekeeping.scheduler import Grid
from tanzheng.edge.timekeeping.steady import SteadyTime

if TYPE_CHECKING:
    from tanzheng.core.batch import Event

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
GRID = Grid(10_000)


class Story:
    """A machine clock on fake time over one point, for so many slots."""

    def __init__(self, times: FakeTimes, slots: int) -> None:
        self.clock = MachineClock(GRID, 1000, None, times)
        self.events: list[Event] = []
        self._left, self._inner = slots, self.clock.next_slot
        self.clock.next_slot = self._next_slot  # type: ignore[method-assign,assignment]

    async def _next_slot(self) -> int | None:
        self._left -= 1
        return await self._inner() if self._left >= 0 else None

    async def run(self, folder: Path) -> tuple[list[SlotEntry], list[GapEntry]]:
        clock = self.clock
        line = ScriptedLine([0], lambda _: Round([take(clock.now_ms(), [0], [1.0])]))
        async with bench(folder, GRID, clock, [line], ["m/x"]) as made:
            clock.told, clock.leapt = self.events.append, made.acquisition.leapt
            entries = await made.run()
        slots = [entry for entry in entries if isinstance(entry, SlotEntry)]
        return slots, [entry for entry in entries if isinstance(entry, GapEntry)]

    @property
    def steps(self) -> list[tuple[str, object]]:
        return [(e.kind, e.detail.get("step_ms", e.detail.get("leapt_ms"))) for e in self.events]


def instants(slots: list[SlotEntry]) -> list[int]:
    return [entry.slot_ms for entry in slots]


def gapless(slots: list[SlotEntry]) -> bool:
    times = instants(slots)
    return times == list(range(times[0], times[0] + len(times) * 10_000, 10_000))


def uncertain(slots: list[SlotEntry]) -> list[bool]:
    return [entry.takes[0].quality[0] == Quality.UNCERTAIN_CLOCK for entry in slots]


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
async def test_a_step_that_nobody_confirms_is_marked_and_not_followed(
    tmp_path: Path, step_ms: int
) -> None:
    """Someone sets the clock by an hour and, ten minutes later, back: no slot lost, none twice."""
    times = FakeTimes(START_MS)
    times.step_at(300, step_ms, synced=False)
    times.step_at(900, -step_ms, synced=True)
    story = Story(times, 120)
    slots, gaps = await story.run(tmp_path)
    assert gaps == []
    assert len(slots) == 120
    assert gapless(slots)
    assert story.steps == [("clock_step", step_ms), ("clock_step", -step_ms)]
    marks = uncertain(slots)
    assert marks == [False] * 30 + [True] * 60 + [False] * 30 or sum(marks) in (59, 60, 61)
    for entry in slots:
        assert entry.slot_ms <= entry.takes[0].t_ms < entry.slot_ms + 10_000


async def test_a_step_forward_that_is_confirmed_leaves_slots_out(tmp_path: Path) -> None:
    times = FakeTimes(START_MS)
    times.step_at(300, HOUR_MS, synced=False)
    times.step_at(600, 0, synced=True)
    story = Story(times, 120)
    slots, gaps = await story.run(tmp_path)
    assert [(gap.reason, gap.to_ms - gap.from_ms) for gap in gaps] == [("clock_step", HOUR_MS)]
    assert story.steps == [("clock_step", HOUR_MS), ("clock_adopted", HOUR_MS)]
    every = set(range(slots[0].slot_ms, slots[-1].slot_ms + 1, 10_000))
    left_out = set(gaps[0].cadences[0].slots(gaps[0].from_ms, gaps[0].to_ms))
    assert set(instants(slots)) | left_out == every
    assert len(slots) == 120
    assert not any(uncertain(slots)[-50:])


async def test_a_step_backward_that_is_confirmed_is_slewed_away(tmp_path: Path) -> None:
    """Two minutes back: at 90 % that takes twenty, and no instant comes twice."""
    times = FakeTimes(START_MS)
    times.step_at(300, -120_000, synced=True)
    story = Story(times, 300)
    began_s = times.seconds
    slots, gaps = await story.run(tmp_path)
    assert gaps == []
    assert gapless(slots)
    assert times.seconds - began_s == pytest.approx(3000 + 120, abs=15)
    marks = uncertain(slots)
    assert 100 <= sum(marks) <= 120
    assert not any(marks[:29] + marks[150:])
    assert abs(story.clock.now_ms() - times.wall_ms()) < 1000


async def test_a_reading_is_marked_by_the_clock_of_its_instant() -> None:
    """What was read before a step, or before it was undone, may be handed in after it."""
    times = FakeTimes(START_MS)
    times.step_at(60, HOUR_MS, synced=False)
    times.step_at(120, -HOUR_MS, synced=True)
    story = Story(times, 100)
    await story.clock.start(None)
    seen = {}
    for _ in range(18):
        slot_ms = await story._next_slot()
        assert slot_ms is not None
        seen[slot_ms] = story.clock.state().synced
    assert set(seen.values()) == {True, False}
    assert {slot_ms: story.clock.synced_at(slot_ms) for slot_ms in seen} == seen


@pytest.mark.parametrize("synced", [True, False])
async def test_a_start_before_the_newest_durable_slot(tmp_path: Path, synced: bool) -> None:
    """The clock went back while the agent was away: the grid goes on after what is durable."""
    times = FakeTimes(START_MS, synced)
    story = Story(times, 20)
    assert await story.clock.start(START_MS + 60_000) == START_MS + 60_000
    story.clock.told = story.events.append
    slots = [await story._next_slot() for _ in range(20)]
    assert slots == [START_MS + 60_000 + 10_000 * number for number in range(1, 21)]
    assert story.clock.state().synced is False
    rate = (slots[-1] - slots[0]) / 1000 / (times.seconds - 1000) if slots[0] and slots[-1] else 0
    assert rate == pytest.approx(0.9 if synced else 1.0, abs=0.06)


async def test_a_wall_clock_that_drifts_is_followed(tmp_path: Path) -> None:
    """200 ppm and steps of half a second: nothing to tell, never far."""
    times = FakeTimes(START_MS)
    for number in range(1, 20):
        times.step_at(60 * number, 500 * (-1) ** number, synced=True)
    story = Story(times, 150)
    slots, gaps = await story.run(tmp_path)
    assert gaps == []
    assert gapless(slots)
    assert story.events == []
    assert not any(uncertain(slots))
    assert abs(story.clock.now_ms() - times.wall_ms()) < 600


@given(
    st.lists(
        st.tuples(st.floats(0.01, 600), st.integers(-2 * HOUR_MS, 2 * HOUR_MS), st.booleans()),
        max_size=30,
    )
)
def test_the_scale_never_goes_back(story: list[tuple[float, int, bool]]) -> None:
    seconds, offset = 5.0, float(START_MS)
    steady = SteadyTime(1000, seconds, offset + seconds * 1000)
    last_ms = steady.now_ms(seconds)
    for pause_s, step_ms, synced in story:
        seconds += pause_s
        offset += step_ms
        assert steady.now_ms(seconds) >= last_ms
        before_ms = steady.now_ms(seconds)
        seen = steady.observe(seconds, offset + seconds * 1000, synced)
        assert steady.now_ms(seconds) >= before_ms - 1
        assert bool(seen.leapt_ms) <= synced
        if abs(abs(step_ms) - 1000) > 1:
            assert (seen.step is not None) == (abs(step_ms) > 1000)
        last_ms = steady.now_ms(seconds)


async def test_the_machines_clock_gives_each_grid_instant_once() -> None:
    clock = MachineClock(Grid(1_000))
    last = await clock.start(None)
    before = time.time()
    slots = [await clock.next_slot() for _ in range(2)]
    assert slots == [last + 1_000, last + 2_000]
    assert slots[-1] / 1000 <= time.time() + 0.01 < before + 2.6
    assert clock.state().source == "machine"


async def test_the_machines_clock_starts_after_the_newest_durable_slot() -> None:
    clock = MachineClock(Grid(1_000))
    assert await clock.start(5_000) == 5_000
    assert abs(await clock.next_slot() - clock.now_ms()) < 1_500


# ------------------------------------------------------------------ NTP

NONCE = bytes(range(1, 9))


def answer(
    nonce: bytes = NONCE, offset_ms: float = 0.0, mode: int = 0x24, stratum: int = 2,
    sent: bool = True, at_ms: float = START_MS + 5,
) -> bytes:  # fmt: skip
    """What a server sends that is `offset_ms` ahead."""
    seconds = (at_ms + offset_ms) / 1000 + 2_208_988_800
    stamp = int(seconds * 2**32) & (2**64 - 1)
    return struct.pack(
        "!BBbbII4sQ8sQQ", mode, stratum, 6, -20, 0, 0, b"RATE", stamp, nonce, stamp,
        stamp if sent else 0,
    )  # fmt: skip


@pytest.mark.parametrize("offset_ms", [0.0, 250.0, -3_600_000.0, 86_400_000.0])
def test_the_offset_of_an_answer(offset_ms: float) -> None:
    found = sntp.offset_ms(answer(offset_ms=offset_ms), NONCE, START_MS, START_MS + 10)
    assert found == pytest.approx(offset_ms, abs=0.5)


def test_the_era_after_2036() -> None:
    at_ms = 2_200_000_000_000.0
    found = sntp.offset_ms(answer(at_ms=at_ms), NONCE, at_ms, at_ms)
    assert found == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected an NTP packet of 48 bytes, got 0"),
        (answer(nonce=bytes(8)), "expected the question's time stamp"),
        (answer(mode=0x23), "expected a server's answer"),
        (answer(mode=0x04), "expected a server's answer of version 3 or 4"),
        (answer(mode=0xE4), "expected a synchronised server"),
        (answer(stratum=16), "expected a synchronised server"),
        (answer(stratum=0), "got 'RATE'"),
        (answer(sent=False), "expected a synchronised server"),
    ],
)
def test_hostile_answers(data: bytes, message: str) -> None:
    with pytest.raises(sntp.SntpError, match=message):
        sntp.offset_ms(data, NONCE, START_MS, START_MS + 10)


def test_an_answer_that_took_too_long() -> None:
    with pytest.raises(sntp.SntpError, match="within 1000 ms, got 1500 ms"):
        sntp.offset_ms(answer(), NONCE, START_MS, START_MS + 1500)


@given(st.binary(max_size=100))
def test_any_answer_is_an_offset_or_a_named_error(data: bytes) -> None:
    with pytest.raises(sntp.SntpError):
        sntp.offset_ms(data, NONCE, START_MS, START_MS + 10)


class NtpServer(asyncio.DatagramProtocol):
    """Answers with forged packets first, then with the time plus `offset_ms`."""

    def __init__(self, offset_ms: float) -> None:
        self.asked = 0
        self._offset_ms = offset_ms

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        now_ms = time.time() * 1000
        for packet in (b"noise", answer(nonce=bytes(8), offset_ms=9e9, at_ms=now_ms)):
            self._transport.sendto(packet, addr)
        right = answer(nonce=data[40:48], offset_ms=self._offset_ms, at_ms=now_ms)
        self._transport.sendto(right, addr)


@pytest.mark.parametrize(("offset_ms", "synced"), [(120.0, True), (90_000.0, False)])
async def test_a_server_is_asked_and_its_word_counts(offset_ms: float, synced: bool) -> None:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NtpServer(offset_ms), local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    clock = MachineClock(Grid(1000), 1000, f"127.0.0.1:{port}")
    await clock.start(None)
    assert clock._ntp is not None
    for _ in range(500):
        if clock._ntp.offset_ms is None:
            await asyncio.sleep(0.01)
    clock._observe()
    state = clock.state()
    assert (state.source, state.synced) == ("ntp", synced)
    assert state.offset_us == pytest.approx(offset_ms * 1000, abs=20_000)
    assert server.asked == 1
    clock.close()
    transport.close()
    await asyncio.sleep(0.05)


async def test_no_server_is_no_reason_to_stop() -> None:
    with pytest.raises(sntp.NoAnswer):
        await sntp.ask("127.0.0.1", lambda: 0.0, port=9)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pool.ntp.org", ("pool.ntp.org", 123)),
        ("192.0.2.1:1123", ("192.0.2.1", 1123)),
        ("2001:db8::1", ("2001:db8::1", 123)),
        ("[2001:db8::1]:1123", ("2001:db8::1", 1123)),
    ],
)
def test_where_the_server_is(text: str, found: tuple[str, int]) -> None:
    watch = NtpWatch(text, FakeTimes(0))
    assert (watch._host, watch._port) == found
