"""What a device is asked over many rounds: limits, gaps, missing points, identity, ratios, pace."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.rounds import (
    INTERVAL_MS,
    Rhythm,
    Slave,
    World,
    floats,
    one_line,
    placed,
    read,
    tcp_server,
    tcp_slaves,
)
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import FIELDS
from tanzheng.edge.abc import Line
from tanzheng.edge.drivers.modbus.driver import make_lines
from tanzheng.edge.drivers.modbus.settings import ratio_of
from tanzheng.hardware.profile import Profile

GAUGES = [name for name, field in FIELDS.items() if field.kind == "gauge"][:8]


def profile(points: list[dict[str, Any]], **more: Any) -> Profile:
    """A profile with `points`, input registers or what they say themselves."""
    head = {"id": "t", "vendor": "none", "models": ["t"], "kind": "meter", "trust": "ours"}
    return Profile.from_plan(
        {
            **head,
            "transport": ["tcp"],
            "points": [{"unit": "1", **point} for point in points],
            **more,
        }
    )


def eight(**more: Any) -> Profile:
    """Eight float32, one behind the other from register 100 on."""
    points = [
        {"id": f"p{at}", "addr": 100 + 2 * at, "type": "f32", "field": field}
        for at, field in enumerate(GAUGES)
    ]
    return profile(points, **more)


VALUES = [0.5 + at for at in range(8)]
TABLE = floats(100, VALUES)


@asynccontextmanager
async def line_of(
    shape: Profile, slave: Slave, world: World | None = None, **link: Any
) -> AsyncIterator[Line]:
    """A line that reads all fields of `shape` from `slave`."""
    fields = [point.field for point in shape.points if point.field]
    async with tcp_server(tcp_slaves(slave)) as port:
        line = one_line([placed(shape, fields, port=port, **link)], world)
        yield line
        line.close()


def status(line: Line) -> Any:
    return line.status()["devices"]["m"]


@pytest.mark.parametrize("most", [2, 3, 6, 9, 15])
@pytest.mark.parametrize("refusal", [2, 3])
async def test_a_limit_is_found_within_the_round_and_kept(most: int, refusal: int) -> None:
    world, slave = World(), Slave(TABLE, most=most, refuses=refusal)
    async with line_of(eight(), slave, world) as line:
        assert await read(line) == VALUES
        assert len(slave.asked) < 20
        slave.asked.clear()
        assert await read(line) == VALUES
        usable = most - most % 2
        assert status(line)["registers_per_read_max"] == usable
        assert [count for _, _, count in slave.asked] == [
            min(usable, 16 - at) for at in range(0, 16, usable)
        ]
    assert world.kinds == ["limit_learned"]
    assert world.events[0].detail == {"device": "m", "fc": 3, "per_read_max": usable}


async def test_silence_to_large_reads_is_a_limit_too() -> None:
    """At most one time-out a round while it is found, and the device is never taken for dead."""
    world, slave = World(), Slave(TABLE, most=6, refuses=0)
    async with line_of(eight(), slave, world, timeout_ms=60) as line:
        rounds = [await read(line) for _ in range(8)]
        assert rounds[0] == ["comms_timeout"] * 8
        assert rounds[-1] == VALUES
        assert status(line)["registers_per_read_max"] == 6
    assert world.kinds == ["limit_learned"]


async def test_a_dead_device_is_not_taught_limits() -> None:
    world, slave = World(), Slave(TABLE, alive=False)
    async with line_of(eight(), slave, world, timeout_ms=30) as line:
        for _ in range(4):
            assert await read(line) == ["comms_timeout"] * 8
        slave.alive = True
        await asyncio.sleep(1.05)
        assert await read(line) == VALUES
        assert status(line)["registers_per_read_max"] == 125
    assert world.events == []


@pytest.mark.parametrize("gone", [{0}, {7}, {3}, {2, 5}, {0, 1, 2, 3, 4, 5, 6, 7}])
async def test_points_that_are_not_there_are_isolated(gone: set[int]) -> None:
    world = World()
    lost = {100 + 2 * at for at in gone} | {101 + 2 * at for at in gone}
    slave = Slave({at: value for at, value in TABLE.items() if at not in lost})
    async with line_of(eight(), slave, world) as line:
        await read(line)
        found = await read(line)
        assert found == ["exception_2" if at in gone else VALUES[at] for at in range(8)]
        slave.asked.clear()
        assert await read(line) == found
        assert not any(
            addr <= lost_addr < addr + count for _, addr, count in slave.asked for lost_addr in lost
        )
        assert set(status(line)["isolated"]) == {f"m/{GAUGES[at]}" for at in gone}
    assert world.kinds == ["point_isolated"] * len(gone)


async def test_an_isolated_point_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tanzheng.edge.drivers.modbus.learning.RETRY_S_MIN", 0.1)
    world = World()
    slave = Slave({at: value for at, value in TABLE.items() if at not in (104, 105)})
    async with line_of(eight(), slave, world) as line:
        assert (await read(line))[2] == "exception_2"
        slave.registers = TABLE
        assert (await read(line))[2] == "exception_2"
        await asyncio.sleep(0.11)
        await read(line)
        slave.asked.clear()
        assert await read(line) == VALUES
        assert slave.asked == [(3, 100, 16)]
    assert world.kinds == ["point_isolated", "point_restored"]


async def test_a_hole_between_points_is_no_longer_spanned() -> None:
    points = [
        {"id": "a", "addr": 100, "type": "f32", "field": GAUGES[0]},
        {"id": "b", "addr": 110, "type": "f32", "field": GAUGES[1]},
    ]
    world, slave = World(), Slave({**floats(100, [1.5]), **floats(110, [2.5])})
    async with line_of(profile(points, bridges=[[100, 111]]), slave, world) as line:
        assert await read(line) == [1.5, 2.5]
        slave.asked.clear()
        assert await read(line) == [1.5, 2.5]
        assert slave.asked == [(3, 100, 2), (3, 110, 2)]
        assert status(line)["gaps"] == [[102, 109]]
    assert world.kinds == ["limit_learned"]


async def test_a_status_register_that_is_not_there_takes_its_points_with_it() -> None:
    points = [
        {
            "id": "a", "addr": 0, "type": "f32", "field": GAUGES[0],
            "validity": {"point": "state", "bits": {"0": "fault"}},
        },
        {"id": "b", "addr": 2, "type": "f32", "field": GAUGES[1]},
        {"id": "state", "addr": 40, "type": "u16"},
    ]  # fmt: skip
    world, slave = World(), Slave(floats(0, [1.5, 2.5]))
    async with line_of(profile(points), slave, world) as line:
        for _ in range(2):
            assert await read(line) == ["exception_2", 2.5]
    assert world.kinds == ["point_isolated"]
    assert world.events[0].detail["addr"] == 40


def with_ratios() -> Profile:
    points = [
        {"id": "u", "addr": 0, "type": "u16", "field": GAUGES[0], "times": ["pt"]},
        {"id": "p", "addr": 1, "type": "u16", "field": GAUGES[1], "times": ["ct", "pt"]},
    ]
    return profile(
        points, ratios={"ct": {"addr": 50, "type": "u16"}, "pt": {"addr": 60, "type": "u16"}}
    )


async def test_ratios_are_read_at_the_beginning_and_in_slow_rounds() -> None:
    world, table = World(), {0: 3, 1: 5, 50: 400, 60: 100}
    slave = Slave(table)
    async with line_of(with_ratios(), slave, world, rhythm=Rhythm(slow_every=3)) as line:
        assert await read(line, INTERVAL_MS) == [300.0, 200_000.0]
        slave.asked.clear()
        assert await read(line, 2 * INTERVAL_MS) == [300.0, 200_000.0]
        assert slave.asked == [(3, 0, 2)]
        table[50] = 800
        assert await read(line, 4 * INTERVAL_MS) == [300.0, 200_000.0]
        assert await read(line, 6 * INTERVAL_MS) == [300.0, 400_000.0]
        assert status(line)["ratios"] == {"ct": "800", "pt": "100"}
        table[60] = 0
        assert await read(line, 9 * INTERVAL_MS) == ["not_available"] * 2
    assert world.kinds == ["ratio_changed"] * 2
    detail = {"device": "m", "ratio": "ct", "before": "400", "after": "800"}
    assert world.events[0].detail == detail


def test_ratios_of_the_link() -> None:
    points = [{"id": "p", "addr": 0, "type": "u16", "field": GAUGES[0], "times": ["ct", "pt"]}]
    around = World().around()
    with pytest.raises(BadInput, match='expected a ratio such as "2000/5", got none, at device m'):
        make_lines([placed(profile(points), GAUGES[:1], port=1, ct="5")], around)
    with pytest.raises(BadInput, match="as the meter says its ratio, got '5'"):
        make_lines([placed(with_ratios(), GAUGES[:2], port=1, ct="5")], around)
    with pytest.raises(BadInput, match="does not say where a device shows its own"):
        make_lines([placed(eight(), GAUGES[:1], port=1, serial_number="7")], around)
    assert ratio_of("2000/5", "") == 400
    for wrong in ("0", "5/0", "", "x", "/1", "1e9", "nan", "2000:5"):
        with pytest.raises(BadInput, match="expected a ratio"):
            ratio_of(wrong, "here")


async def test_ratios_of_the_link_are_applied() -> None:
    points = [{"id": "p", "addr": 0, "type": "u16", "field": GAUGES[0], "times": ["ct", "pt"]}]
    async with line_of(profile(points), Slave({0: 7}), ct="2000/5", pt="10000/100") as line:
        assert await read(line) == [280_000.0]


IDENTITY = {"addr": 200, "type": "u32"}


def serial(number: int) -> dict[int, int]:
    high, low = divmod(number, 65536)
    return {200: high, 201: low}


async def test_another_serial_number_is_never_booked() -> None:
    world, slave = World(), Slave({**TABLE, **serial(111_222)})
    shape = eight(identity=IDENTITY)
    async with line_of(shape, slave, world, serial_number="111222") as line:
        assert await read(line) == VALUES
        assert status(line)["identity"] == "111222"
    slave.registers = {**TABLE, **serial(333_444)}
    async with line_of(shape, slave, world, serial_number="111222") as line:
        for _ in range(3):
            assert await read(line) == ["identity_mismatch"] * 8
    assert world.kinds == ["identity_mismatch"]
    detail = {"device": "m", "expected": "111222", "got": "333444"}
    assert world.events[0].detail == detail


async def test_a_device_exchanged_behind_an_open_connection() -> None:
    """The connection breaks under a request, another meter answers the next one: not one value of
    it is booked before it has said who it is."""
    world = World()
    first, second = Slave({**TABLE, **serial(1)}), Slave({**TABLE, **serial(2)})
    slaves, writers = [first], []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        served = slaves[0]
        while True:
            head = await reader.readexactly(12)
            if slaves[0] is not served:
                return  # hangs up on the request
            pdu = served.pdu(head[6], head[7:])
            assert pdu is not None
            writer.write(head[:4] + struct.pack(">HB", len(pdu) + 1, 1) + pdu)

    async with tcp_server(serve) as port:
        link: dict[str, Any] = {"port": port, "serial_number": "1"}
        line = one_line([placed(eight(identity=IDENTITY), GAUGES, **link)], world)
        assert await read(line) == VALUES
        slaves[0] = second
        assert await read(line) == ["identity_mismatch"] * 8
        line.close()
    assert world.kinds == ["identity_mismatch"]
    assert second.asked == [(3, 200, 2)]


async def test_a_swap_without_a_wanted_serial_number_is_told() -> None:
    world, slave = World(), Slave({**TABLE, **serial(1)})
    async with line_of(eight(identity=IDENTITY), slave, world, timeout_ms=30) as line:
        assert await read(line) == VALUES
        slave.alive = False
        await read(line)
        slave.alive, slave.registers = True, {**TABLE, **serial(2)}
        assert await read(line) == VALUES
    assert world.kinds == ["device_swapped"]
    assert world.events[0].detail == {"device": "m", "before": "1", "after": "2"}


COUNTER = "active_energy_export_kwh"


@pytest.mark.parametrize(
    ("answers", "expected", "kinds"),
    [
        ([100, 101], [100.0, 101.0], []),
        ([100, 65_000, 101], [100.0, 101.0], ["counter_glitch"]),
        ([100, 65_000, 64_000, 101], [100.0, 101.0], ["counter_glitch"]),
        ([100, 5, 5, 5], [100.0, 5.0], []),  # it says so three times: the agent classifies it
    ],
)
async def test_a_counter_that_leaps_is_read_again(
    answers: list[int], expected: list[float], kinds: list[str]
) -> None:
    """Twice at most; the last answer stands."""
    world = World(leaps=lambda _point, value, _t_ms: not 100 <= value <= 102)
    left = list(answers)

    class Leaping(Slave):
        def pdu(self, unit: int, request: bytes) -> bytes | None:
            self.registers = {0: left.pop(0)}
            return super().pdu(unit, request)

    points = [{"id": "e", "addr": 0, "type": "u16", "field": COUNTER, "counter": True}]
    async with line_of(profile(points), Leaping(), world) as line:
        assert [(await read(line))[0] for _ in expected] == expected
    assert left == []
    assert world.kinds == kinds


@pytest.mark.parametrize("code", [1, 4, 5, 6, 8])
async def test_other_exceptions_spoil_their_own_read_only(code: int) -> None:
    points = [
        {"id": "a", "addr": 0, "type": "f32", "field": GAUGES[0]},
        {"id": "b", "addr": 50, "type": "f32", "field": GAUGES[1]},
    ]
    world = World()

    class Busy(Slave):
        def pdu(self, unit: int, request: bytes) -> bytes | None:
            return bytes([0x83, code]) if request[2] == 0 else super().pdu(unit, request)

    async with line_of(profile(points), Busy(floats(50, [2.5])), world) as line:
        for _ in range(3):
            assert await read(line) == [f"exception_{code}", 2.5]
    assert world.events == []


@pytest.mark.parametrize("code", [10, 11])
async def test_a_gateway_that_cannot_reach_the_device(code: int) -> None:
    """It says so: the device is left alone, the gateway's connection stays."""
    asked: list[bytes] = []

    class Gateway(Slave):
        def pdu(self, unit: int, request: bytes) -> bytes | None:
            asked.append(request)
            return bytes([0x83, code])

    async with line_of(eight(), Gateway()) as line:
        for _ in range(6):
            assert await read(line) == [f"exception_{code}"] * 8
        assert line.status()["connections"] == 1
    assert len(asked) == 2
