"""`scan` and `read-once` against servers that answer over real sockets and pseudo-terminals."""

import asyncio
import json
import os
import select
import threading
import tty
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.test_metrics import free_port
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Device, Point
from tanzheng.edge.commands import app
from tanzheng.edge.commissioning import scan
from tanzheng.edge.commissioning.asker import AskError, Conversation, conversation_with
from tanzheng.edge.commissioning.read_once import read_all
from tanzheng.edge.commissioning.readings import DeviceReading, PointReading
from tanzheng.edge.commissioning.scan import ScanTarget, scan_units, unit_ids
from tanzheng.edge.configuration.config import Loaded, Placement
from tanzheng.edge.configuration.documents import Document
from tanzheng.edge.plan import DevicePlan
from tanzheng.hardware.dlt645.bus import Bus
from tanzheng.hardware.dlt645.meter import Meter
from tanzheng.hardware.hj212.simulator import DataLogger, LoggerSettings
from tanzheng.hardware.loader import load_profile
from tanzheng.hardware.modbus.image import RegisterImage
from tanzheng.hardware.modbus.server import ModbusServer

METER = "schneider_iem3000"


@contextmanager
def running(serve: Callable[[], Awaitable[Callable[[], Awaitable[None]]]]) -> Iterator[None]:
    """`serve` in a loop of its own thread; what it returns ends it.

    The runner's end also cuts what was accepted and not yet served.
    """
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def life() -> None:
        over = asyncio.Event()
        stop = await serve()
        started.set_result((asyncio.get_running_loop(), over))
        await over.wait()
        await asyncio.sleep(0.01)  # what has just connected is accepted before the server closes
        await stop()

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(asyncio.run, life())
        loop, over = started.result(10)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(over.set)
            ended.result(10)


def image(profile_id: str = METER, **values: float) -> RegisterImage:
    """A device that shows `values`."""
    profile = load_profile(profile_id)
    shown = RegisterImage(profile)
    for point in profile.points:
        if point.field in values:
            shown.set(point, Fraction(values[point.field]))
    return shown


@contextmanager
def modbus(units: dict[int, RegisterImage], rtu: bool = False) -> Iterator[int]:
    """The port of a Modbus server with these units."""
    server = ModbusServer(units, framing="rtu" if rtu else "tcp")
    ports: list[int] = []

    async def serve() -> Callable[[], Awaitable[None]]:
        ports.append(await server.listen())
        return server.close

    with running(serve):
        yield ports[0]


def loaded(profile_id: str, **link: Any) -> Loaded:
    """A configuration with one device."""
    profile = load_profile(profile_id)
    fields = [point.field for point in profile.points if point.field][:1]
    points = tuple(Point("m", name, None) for name in fields)
    device = Device("m", "gw", "u", profile_id, points)
    plan = DevicePlan("m", link, profile.to_plan(), tuple(fields), 1000)
    document = Document(Path("edge.toml"), {}, {})
    placement = Placement(device, plan, profile, document, ())
    return Loaded(plan=None, edge=document, plant=document, placements=(placement,))  # type: ignore[arg-type]


def one(reading: DeviceReading, field: str, profile_id: str = METER) -> PointReading:
    point = load_profile(profile_id).field_point(field)
    return next(each for each in reading.points if each.point == point.id)


@pytest.mark.parametrize("rtu", [False, True])
def test_every_point_of_a_device_is_read_once(rtu: bool) -> None:
    protocol = "modbus_rtu_over_tcp" if rtu else "modbus_tcp"
    with modbus({7: image(active_power_kw=123.5, active_energy_export_kwh=5000)}, rtu) as port:
        (reading,) = read_all(
            loaded(METER, protocol=protocol, host="127.0.0.1", port=port, unit_id=7), "m", 1
        )
    assert reading.failure is None
    assert len(reading.points) == len(load_profile(METER).points)
    power = one(reading, "active_power_kw")
    assert power.value == pytest.approx(123.5)
    assert (power.unit, power.quality) == ("kW", "good")
    assert power.raw == "42f7 0000"
    assert power.latency_ms is not None
    assert power.orders is not None
    assert power.orders["ABCD"] == pytest.approx(123.5)
    assert {"ABCD", "CDAB", "BADC", "DCBA"} == set(power.orders)
    assert power.orders["CDAB"] != pytest.approx(123.5)
    json.dumps(reading.to_json())


def test_a_refused_register_costs_only_its_point() -> None:
    shown = image(active_power_kw=1)

    class Hole(RegisterImage):
        def registers(self, fc: int, addr: int, count: int) -> bytes | None:
            at = load_profile(METER).field_point("active_power_kw").register
            hit = addr <= at.addr < addr + count
            return None if hit else shown.registers(fc, addr, count)

    with modbus({1: Hole(load_profile(METER))}) as port:
        (reading,) = read_all(
            loaded(METER, protocol="modbus_tcp", host="127.0.0.1", port=port, unit_id=1), None, 1
        )
    assert reading.failure is None
    assert one(reading, "active_power_kw").reason == "exception_2"
    assert [each.point for each in reading.points if each.reason == "exception_2"] == [
        load_profile(METER).field_point("active_power_kw").id
    ]


def test_a_device_that_is_not_there_is_named() -> None:
    with modbus({1: image()}) as port:
        link = {"protocol": "modbus_tcp", "host": "127.0.0.1", "port": port, "timeout_ms": 100}
        (silent,) = read_all(loaded(METER, **link, unit_id=9), None, 1)
        assert silent.failure is not None
    (gone,) = read_all(loaded(METER, **link, unit_id=1), None, 1)
    assert gone.failure is not None
    assert gone.failure.startswith("refused: expected a connection")
    serial = {"protocol": "modbus_rtu", "serial_port": "/dev/nothing", "unit_id": 1}
    (missing,) = read_all(loaded(METER, **serial), None, 1)
    assert missing.failure is not None
    assert missing.failure.startswith("port_missing: ")
    with pytest.raises(BadInput, match="expected a device of"):
        read_all(loaded(METER, **serial), "x", 1)


@contextmanager
def wire() -> Iterator[tuple[str, str]]:
    """The two ends of a serial line: pseudo-terminals with a thread between them."""
    masters, ends = zip(*(os.openpty() for _ in range(2)), strict=True)
    for end in ends:
        tty.setraw(end)
    stop, stopped = os.pipe()

    def carry() -> None:
        while True:
            ready, _, _ = select.select([*masters, stop], [], [])
            if stop in ready:
                return
            for master in ready:
                os.write(masters[master == masters[0]], os.read(master, 4096))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield os.ttyname(ends[0]), os.ttyname(ends[1])
    finally:
        os.write(stopped, b"x")
        thread.join(10)
        for handle in (*masters, *ends, stop, stopped):
            os.close(handle)


def target(**changes: Any) -> ScanTarget:
    values: dict[str, Any] = {
        "host": None, "port": 502, "serial": None, "baud": 9600, "parity": "N", "stop": 1,
        "units": "1-5", "profile": None, "protocol": "modbus", "timeout_ms": 60, **changes,
    }  # fmt: skip
    return ScanTarget(**values)


def test_units_that_answer_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "PAUSE_S", 0.001)
    with modbus({2: image(), 4: image("sick_flowsic500")}) as port:
        found = scan_units(target(host="127.0.0.1", port=port))
    assert [each.station for each in found] == ["2", "4"]


def test_a_profile_is_recognised_on_a_serial_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "PAUSE_S", 0.001)
    server = ModbusServer({3: image()})

    async def serve() -> Callable[[], Awaitable[None]]:
        server.serve_serial(Path(ends[0]))
        return server.close

    with wire() as ends, running(serve):
        found = scan_units(target(serial=ends[1], profile=METER))
    assert [(each.station, each.profiles) for each in found] == [("3", (METER,))]


@contextmanager
def meters(*on_the_line: Meter) -> Iterator[int]:
    """The port of an RS-485 server with these meters."""
    bus, ports = Bus(list(on_the_line)), list[int]()

    async def serve() -> Callable[[], Awaitable[None]]:
        ports.append(await bus.listen())

        async def stop() -> None:
            bus.close()

        return stop

    with running(serve):
        yield ports[0]


def test_a_meters_address_is_read() -> None:
    with meters(Meter("171118445100")) as port:
        runner = CliRunner()
        said = runner.invoke(
            app, ["scan", "--host", "127.0.0.1", "--port", str(port), "--protocol", "dlt645",
                  "--json"]
        )  # fmt: skip
    assert said.exit_code == 0, said.output
    assert [each["station"] for each in json.loads(said.output)] == ["171118445100"]


def test_a_meter_of_dlt645_is_read_once() -> None:
    shown: dict[str, Any] = {"00010000": Decimal("123.45"), "02010100": Decimal("220.1")}
    with meters(Meter("171118445100", shown)) as port:
        link = {"protocol": "dlt645", "host": "127.0.0.1", "port": port, "ct": "10", "pt": "1"}
        here = loaded("generic_dlt645", **link, address="171118445100", timeout_ms=500)
        (reading,) = read_all(here, None, 1)
        gone = loaded("generic_dlt645", **link, address="1" * 12, timeout_ms=60)
        (other,) = read_all(gone, None, 1)
    energy = one(reading, "active_energy_import_kwh", "generic_dlt645")
    assert (energy.value, energy.unit, energy.quality) == (1234.5, "kWh", "good")
    assert energy.raw == "45 23 01 00"
    assert one(reading, "voltage_l1n_v", "generic_dlt645").value == 220.1
    assert one(reading, "voltage_l2n_v", "generic_dlt645").reason == "no_such_data"
    assert (other.failure, reading.failure) == ("comms_timeout", None)


def test_what_a_logger_sends_is_shown_and_stays_with_it() -> None:
    """Nothing is durable in `read-once`: an answer would let the logger forget its data."""
    logger, port = DataLogger(LoggerSettings(answer_s_max=0.3)), free_port()

    async def serve() -> Callable[[], Awaitable[None]]:
        logger.measure("2011", 1_790_000_000_000, {"a19001-Rtd": "5.5"})
        task = asyncio.create_task(logger.connect("127.0.0.1", port))

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        return stop

    link = {"protocol": "hj212", "mode": "listen", "host": "127.0.0.1", "port": port}
    with running(serve):
        (reading,) = read_all(loaded("generic_hj212", **link, mn=logger.settings.mn), None, 1.5)
    oxygen = one(reading, "o2_dry_percent", "generic_hj212")
    assert (oxygen.value, oxygen.quality) == (5.5, "good")
    assert one(reading, "stack_temperature_degc", "generic_hj212").reason == "nothing_in_1.5_s"
    assert reading.failure is None
    assert logger.counts.sent > 0
    assert logger.counts.acknowledged == 0


def test_nothing_there_is_exit_code_1() -> None:
    with modbus({9: image()}) as port:
        arguments = ["scan", "--host", "127.0.0.1", "--port", str(port), "--units", "1"]
        said = CliRunner().invoke(app, [*arguments, "--timeout-ms", "60", "--protocol",
                                        "modbus_rtu_over_tcp"])  # fmt: skip
    assert said.exit_code == 1
    assert "no device answered" in said.output


@pytest.mark.parametrize(
    ("text", "expected"), [("1", [1]), ("5-7, 2", [2, 5, 6, 7]), ("1-247", [*range(1, 248)])]
)
def test_unit_ids(text: str, expected: list[int]) -> None:
    assert unit_ids(text) == expected


@pytest.mark.parametrize("text", ["", "0", "248", "7-5", "a", "1-", "1,,2", "1-9999999999"])
def test_wrong_unit_ids_are_named(text: str) -> None:
    with pytest.raises(BadInput, match="expected unit ids from 1 to 247"):
        unit_ids(text)


@pytest.mark.parametrize(
    "changes", [{}, {"host": "h", "serial": "/dev/x"}, {"host": "h", "protocol": "x"}]
)
def test_a_wrong_target_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="expected"):
        target(**changes).link()


def test_a_late_answer_is_not_taken_for_the_next() -> None:
    """The answer of transaction 1 comes while transaction 2 waits."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(12)
        await asyncio.sleep(0.15)
        second = await reader.readexactly(12)
        for question, value in ((first, 1), (second, 2)):
            writer.write(question[:4] + b"\0\5\1\3\2" + value.to_bytes(2, "big"))
        await writer.drain()
        writer.close()

    async def work() -> bytes:
        from tanzheng.edge.commissioning.asker import ModbusAsker
        from tanzheng.edge.drivers.modbus.codec import ReadRequest

        server = await asyncio.start_server(late, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = {"protocol": "modbus_tcp", "host": "127.0.0.1", "port": port}
        async with conversation_with(link) as conversation:
            asker = ModbusAsker(conversation, link)
            with pytest.raises(AskError, match="within 100 ms"):
                await asker.ask(ReadRequest(1, 3, 0, 1), 0.1)
            data = await asker.ask(ReadRequest(1, 3, 0, 1), 5)
        server.close()
        return data

    assert asyncio.run(work()) == b"\0\2"


def test_a_babbling_peer_fills_no_memory() -> None:
    async def work() -> int:
        conversation = Conversation()
        loop = asyncio.get_running_loop()
        for moment in range(99):
            loop.call_later(moment / 2000, conversation.data_received, b"x" * 1000)
        conversation.connection_made(_Silent())
        with pytest.raises(AskError):
            await conversation.ask(b"", lambda _data: None, 0.1)
        return len(conversation._bytes)

    class _Silent(asyncio.WriteTransport):
        def write(self, data: Any) -> None:
            """Nobody listens."""

    assert asyncio.run(work()) <= 5096
