"""A simulated plant: its devices on Modbus TCP, its time on a socket, its files in a folder."""

import asyncio
import contextlib
import fcntl
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from tanzheng.core.plant import Plant
from tanzheng.hardware.epa import MonthOfHours
from tanzheng.hardware.errors import SimulatorError
from tanzheng.hardware.loader import load_profile
from tanzheng.hardware.modbus.image import RegisterImage
from tanzheng.hardware.modbus.server import ModbusServer
from tanzheng.hardware.physics import constants
from tanzheng.hardware.plant_files import (
    DEVICES,
    REPLAY_ZONE,
    Device,
    Site,
    devices_json,
    enterprise_of,
    plant_toml,
    site_of,
    unit_identifier,
    write_atomically,
)
from tanzheng.hardware.plant_state import PlantState
from tanzheng.hardware.plant_time import PlantTime
from tanzheng.hardware.plant_time_server import PlantTimeServer
from tanzheng.hardware.profile import PointSpec
from tanzheng.hardware.taken_log import TakenLog

HOST: Final = "127.0.0.1"
READINGS_PER_SLOT: Final = sum(len(device.roles) for device in DEVICES)
_STATUS_EVERY_S: Final = 0.2
_LIVE_EVERY_S: Final = 1.0


@dataclass(slots=True)
class _Shown:
    """A point of a device, and the value that its registers show now."""

    image: RegisterImage
    point: PointSpec
    field: str
    value: Fraction | None = None


class SimulatedDevices:
    """The registers of every device of the plant."""

    def __init__(self, state: PlantState) -> None:
        self._state = state
        self.images: dict[str, RegisterImage] = {}
        self._shown: list[_Shown] = []
        for device in DEVICES:
            self._add(device)

    def show(self, t_ms: int, turns: int = 0) -> None:
        """Let every device show the plant's state at `t_ms`; only what changed is encoded."""
        values = self._state.values(t_ms, turns)
        for shown in self._shown:
            value = values[shown.field]
            if value != shown.value:
                shown.image.set(shown.point, value)
                shown.value = value

    def _add(self, device: Device) -> None:
        profile = load_profile(device.profile)
        resolution = constants().gas_counter_nm3_per_count
        scaled = {point.id: resolution for point in profile.points if point.scale_register}
        image = self.images[device.id] = RegisterImage(profile, scaled)
        self._shown += [_Shown(image, profile.field_point(name), name) for name in device.roles]


async def run(replay: MonthOfHours, folder: Path, live: bool) -> None:
    """Serve the plant in the existing `folder` until SIGTERM or SIGINT. `live`: at the pace of the
    wall clock.

    `SimulatorError` where another simulator has the folder or its plant file is of another unit.
    """
    with _sole_owner(folder):
        site = site_of(replay)
        _write_plant(folder / "plant.toml", replay, site)
        state = PlantState(replay, REPLAY_ZONE, site.rated_mw)
        devices = SimulatedDevices(state)
        stop = _stop_on_signals()
        async with _listening(devices) as ports:
            paced = _live if live else _paced_by_agent
            await paced(devices, state, _Announcement(folder, ports), stop)


@dataclass(frozen=True, slots=True)
class _Announcement:
    """Tells others by `devices.json` that the plant is ready, and by its absence that it is not."""

    folder: Path
    ports: list[tuple[Device, str, int]]

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Announce, and take it back at the end."""
        path = self.folder / "devices.json"
        write_atomically(path, devices_json(self.ports))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _sole_owner(folder: Path) -> Iterator[None]:
    """Hold the folder; the lock goes with the process, however that ends."""
    with (folder / "sim.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SimulatorError(
                f"expected a folder of its own, got one in use: {folder}"
            ) from error
        yield


def _write_plant(path: Path, replay: MonthOfHours, site: Site) -> None:
    if not path.exists():
        write_atomically(path, plant_toml(replay, site))
        return
    plant = Plant.parse(path.read_bytes(), str(path))
    enterprise, unit = enterprise_of(replay.facility), unit_identifier(replay.unit)
    if plant.enterprise != enterprise or unit not in {item.id for item in plant.units}:
        raise SimulatorError(
            f"expected a plant file of {enterprise} {unit}, got one of "
            f"{plant.enterprise}, at {path}"
        )


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def _listening(devices: SimulatedDevices) -> AsyncIterator[list[tuple[Device, str, int]]]:
    """All devices listen, each on a free port."""
    servers = [(device, ModbusServer(devices.images[device.id])) for device in DEVICES]
    try:
        yield [(device, HOST, await server.listen(HOST)) for device, server in servers]
    finally:
        for _, server in servers:
            await server.close()


async def _paced_by_agent(
    devices: SimulatedDevices, state: PlantState, plant: _Announcement, stop: asyncio.Event
) -> None:
    """Plant time moves on by the agent's requests."""
    log = TakenLog(plant.folder / "taken.jsonl")
    plant_time = PlantTime(state.start_ms, state.end_ms, READINGS_PER_SLOT, log.last_ms)
    server = PlantTimeServer(plant_time, devices.show, log.append)
    devices.show(plant_time.now_ms)
    try:
        await server.listen(plant.folder / "plant-time.sock")
        with plant.ready():
            while not stop.is_set():
                running = "ended" if plant_time.ended else "running"
                _write_status(plant.folder, plant_time, log, running)
                await _wait(stop, _STATUS_EVERY_S)
    finally:
        await server.close()
        log.close()
        _write_status(plant.folder, plant_time, log, "stopped")


def _write_status(folder: Path, plant_time: PlantTime, log: TakenLog, state: str) -> None:
    status = {
        "now_ms": plant_time.now_ms,
        "start_ms": plant_time.start_ms,
        "end_ms": plant_time.end_ms,
        "taken_slots": log.slots,
        "state": state,
    }
    write_atomically(folder / "sim-status.json", json.dumps(status) + "\n")


async def _live(
    devices: SimulatedDevices, state: PlantState, plant: _Announcement, stop: asyncio.Event
) -> None:
    """The month over and over at real speed, counters ever rising; hours of the day fit, for a
    month is whole days."""
    _show_live(devices, state, plant.folder)
    with plant.ready():
        while not stop.is_set():
            _show_live(devices, state, plant.folder)
            await _wait(stop, _LIVE_EVERY_S)


def _show_live(devices: SimulatedDevices, state: PlantState, folder: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    turns, into_ms = divmod(now_ms - state.start_ms, state.end_ms - state.start_ms)
    devices.show(state.start_ms + into_ms, turns)
    status = {
        "now_ms": now_ms,
        "start_ms": state.start_ms,
        "end_ms": state.end_ms,
        "taken_slots": 0,
        "state": "live",
    }
    write_atomically(folder / "sim-status.json", json.dumps(status) + "\n")


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
