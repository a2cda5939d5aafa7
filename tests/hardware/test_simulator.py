"""The simulator as a process: devices and plant time over real sockets, signals, restarts."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hardware.epa_files import row, write_ftp
from hardware.modbus_client import decoded, read_points
from tanzheng.core.calendar import MINUTE_MS
from tanzheng.core.plant import Plant
from tanzheng.hardware.blocks import plan_blocks
from tanzheng.hardware.commands import shipped_replay
from tanzheng.hardware.epa import read_month
from tanzheng.hardware.loader import load_profile
from tanzheng.hardware.plant_files import DEVICES, REPLAY_ZONE, plant_toml, site_of
from tanzheng.hardware.plant_state import PlantState
from tanzheng.hardware.simulator import SimulatedDevices

TANZHENG = Path(sys.executable).with_name("tanzheng")


class Sim:
    """A running `tanzheng sim run`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [TANZHENG, "sim", "run", "--dir", folder, *arguments], stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 30
        while not (folder / "devices.json").exists():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=20)
        assert errors == ""
        return self.process.returncode

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def taken(self) -> list[dict[str, int]]:
        text = (self.folder / "taken.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


class Agent:
    """The agent's side of plant time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, sim: Sim) -> "Agent":
        return cls(*await asyncio.open_unix_connection(sim.folder / "plant-time.sock"))

    async def say(self, line: bytes) -> dict[str, Any]:
        self._writer.write(line + b"\n")
        answer: dict[str, Any] = json.loads(await self._reader.readline())
        return answer

    async def hello(self, durable_ms: int | None = None) -> dict[str, Any]:
        return await self.say(
            json.dumps({"op": "hello", "interval_s": 60, "durable_ms": durable_ms}).encode()
        )

    async def next(self, done_ms: int | None) -> dict[str, Any]:
        readings = 0 if done_ms is None else 11
        return await self.say(
            json.dumps(
                {"op": "next", "done_ms": done_ms, "readings": readings, "missed": 0}
            ).encode()
        )

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    running = Sim(tmp_path)
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0


async def read_plant(sim: Sim) -> dict[str, float | None]:
    """Every field of every device, over Modbus by pymodbus."""
    got: dict[str, float | None] = {}
    for device_id, at in sim.json("devices.json").items():
        assert (at["protocol"], at["host"]) == ("modbus_tcp", "127.0.0.1")
        (device,) = (device for device in DEVICES if device.id == device_id)
        profile = load_profile(at["profile"])
        points = [profile.field_point(field) for field in device.roles]
        readings = await read_points(profile, points, at["port"], at["unit_id"])
        for point in points:
            reading = readings[point.id]
            got[str(point.field)] = None if reading is None else reading[0]
    return got


async def test_devices_show_the_slot_on_offer(sim: Sim) -> None:
    site = site_of(replay := read_month(shipped_replay()))
    state = PlantState(replay, REPLAY_ZONE, site.rated_mw)
    agent = await Agent.connect(sim)
    start_ms = (await agent.hello())["start_ms"]
    done = None
    for number in range(4):
        slot_ms = (await agent.next(done))["slot_ms"]
        assert slot_ms == start_ms + number * MINUTE_MS
        assert await read_plant(sim) == {
            name: pytest.approx(float(value), rel=1e-6)
            for name, value in state.values(slot_ms).items()
        }
        done = slot_ms
    agent.close()
    assert [line["slot_ms"] for line in sim.taken()] == [start_ms + n * MINUTE_MS for n in range(3)]


async def test_a_killed_agent_and_its_successor(sim: Sim) -> None:
    agent = await Agent.connect(sim)
    start_ms = (await agent.hello())["start_ms"]
    await agent.next(None)
    await agent.next(start_ms)
    agent.close()
    await asyncio.sleep(0.2)
    successor = await Agent.connect(sim)
    hello = await successor.hello(start_ms)
    assert hello["now_ms"] == start_ms + 11 * MINUTE_MS
    slot_ms = (await successor.next(None))["slot_ms"]
    assert slot_ms == start_ms + 12 * MINUTE_MS
    await successor.next(slot_ms)
    successor.close()
    assert [line["slot_ms"] for line in sim.taken()] == [start_ms, slot_ms]


async def test_one_agent_at_a_time_and_no_nonsense(sim: Sim) -> None:
    agent, other = await Agent.connect(sim), await Agent.connect(sim)
    assert await other.hello() == {"error": "busy"}
    other.close()
    for line in (
        b"",
        b"{",
        b"[]",
        b'{"op":"stop"}',
        b'{"op":"hello","interval_s":"1"}',
        b'{"op":"next","done_ms":null,"readings":0,"missed":0}',
        b"[" * 4000,
    ):
        assert "expected" in (await agent.say(line))["error"]
    assert "now_ms" in await agent.hello()
    agent.close()


def test_clean_stop_leaves_no_address_behind(sim: Sim) -> None:
    assert sim.stop() == 0
    assert not (sim.folder / "devices.json").exists()
    assert not (sim.folder / "plant-time.sock").exists()
    assert sim.json("sim-status.json")["state"] == "stopped"


def test_a_folder_has_one_simulator(sim: Sim) -> None:
    second = subprocess.run(
        [TANZHENG, "sim", "run", "--dir", sim.folder],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert "folder of its own" in second.stderr


async def test_a_simulator_killed_and_started_again_logs_no_slot_twice(tmp_path: Path) -> None:
    sim = Sim(tmp_path)
    agent = await Agent.connect(sim)
    start_ms = (await agent.hello())["start_ms"]
    await agent.next(None)
    await agent.next(start_ms)
    sim.process.kill()
    sim.process.communicate()
    agent.close()
    (tmp_path / "devices.json").unlink()
    with (tmp_path / "taken.jsonl").open("a") as log:
        log.write('{"slot_ms": 15')
    again = Sim(tmp_path)
    successor = await Agent.connect(again)
    await successor.hello(start_ms + MINUTE_MS)
    successor.close()
    assert again.stop() == 0
    assert [line["slot_ms"] for line in again.taken()] == [start_ms, start_ms + MINUTE_MS]


async def test_live_follows_the_wall_clock(tmp_path: Path) -> None:
    sim = Sim(tmp_path, "--live")
    assert not (tmp_path / "plant-time.sock").exists()
    before = after = (await read_plant(sim))["active_energy_export_kwh"]
    assert before is not None
    async with asyncio.timeout(20):
        while after == before:
            await asyncio.sleep(0.05)
            after = (await read_plant(sim))["active_energy_export_kwh"]
    assert after is not None
    assert after > before > 211_345_000
    assert sim.stop() == 0


def test_plant_file_of_the_shipped_unit() -> None:
    replay = read_month(shipped_replay())
    plant = Plant.parse(plant_toml(replay, site_of(replay)).encode())
    assert (plant.enterprise, plant.units[0].id) == ("US-ORIS-57028", "CT1")
    assert plant.units[0].rated_capacity_mw == 300
    assert plant.units[0].rated_capacity_source.startswith("assumed")
    assert plant.zone.offset_minutes == -420
    assert len(plant.points_of_gateway(plant.gateways[0].id)) == 11
    assert len(plant.roles("CT1")) == 11


@pytest.mark.parametrize(("load", "rated"), [("0", 10), ("200", 200), ("200.1", 210), ("3", 10)])
def test_plant_file_of_any_unit(load: str, rated: int, tmp_path: Path) -> None:
    odd = row(unit="*1", load=load, name='Quote " \\ and \x7f, 电厂')
    replay = read_month(write_ftp(tmp_path / "hours.csv", [odd]))
    plant = Plant.parse(plant_toml(replay, site_of(replay)).encode())
    assert plant.units[0].id == "U-1"
    assert plant.units[0].rated_capacity_mw == rated
    assert "assumed" in plant.units[0].rated_capacity_source
    assert plant.name == 'Quote " \\ and \x7f, 电厂 (replayed)'


def test_a_plant_file_of_another_unit_is_not_used(tmp_path: Path) -> None:
    replay = read_month(write_ftp(tmp_path / "hours.csv", [row()]))
    folder = tmp_path / "plant"
    folder.mkdir()
    (folder / "plant.toml").write_text(plant_toml(replay, site_of(replay)), encoding="utf-8")
    ended = subprocess.run(
        [TANZHENG, "sim", "run", "--dir", folder],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert "US-ORIS-99" in ended.stderr


def test_check_says_what_is_in_a_file(tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row(op="0.5"), row(hour=1, load="")])
    ended = subprocess.run(
        [TANZHENG, "sim", "check", "--replay", path],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0
    for piece in ("99/CT1", "2018-07", "1.50", "742 h", "empty load cell"):
        assert piece in ended.stdout


def test_run_shows_the_notices_of_the_hours(tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row()])
    sim = Sim(tmp_path / "plant", "--replay", str(path))
    sim.process.send_signal(signal.SIGTERM)
    assert "743 h: not in the file" in sim.process.communicate(timeout=20)[1]
    assert sim.process.returncode == 0


def test_bad_file_ends_with_code_2_and_the_place(tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row(), row()])
    for command in (["check"], ["run", "--dir", tmp_path / "plant"]):
        ended = subprocess.run(
            [TANZHENG, "sim", *command, "--replay", path],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 2
        assert "lines 2 and 3" in " ".join(ended.stderr.split())


def test_the_meters_close_july_to_the_last_digit() -> None:
    """Registers, not the state behind them: 211,345.000 MWh and 33,568,758.7 Nm3."""
    site = site_of(replay := read_month(shipped_replay()))
    state = PlantState(replay, REPLAY_ZONE, site.rated_mw)
    devices = SimulatedDevices(state)
    shown = []
    for t_ms in (state.start_ms, state.end_ms):
        devices.show(t_ms)
        shown.append(
            [
                exact(devices, "gen_meter", "active_energy_export_kwh"),
                exact(devices, "gas_meter", "gas_volume_nm3"),
            ]
        )
    assert [last - first for first, last in zip(*shown, strict=True)] == [
        Fraction(211_345_000),
        Fraction("33568758.7"),
    ]


def exact(devices: SimulatedDevices, device_id: str, field: str) -> Fraction:
    """The decimal that a counter's registers show."""
    (device,) = (device for device in DEVICES if device.id == device_id)
    profile = load_profile(device.profile)
    (block,) = plan_blocks(profile, [profile.field_point(field)])
    data = devices.images[device_id].registers(block.fc, block.addr, block.count)
    assert data is not None
    (reading,) = decoded(block, data).values()
    assert reading is not None
    return Fraction(str(reading[0]))
