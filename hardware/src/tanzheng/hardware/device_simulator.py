"""`tanzheng sim device`: one device by its profile, with values that move."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tanzheng.core.errors import BadInput
from tanzheng.hardware.errors import SimulatorError
from tanzheng.hardware.modbus.codec import Framing
from tanzheng.hardware.modbus.image import RegisterImage
from tanzheng.hardware.modbus.server import ModbusServer
from tanzheng.hardware.moving import move
from tanzheng.hardware.profile import Profile

_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device answers: on `host`:`port`, or on the serial port `serial`."""

    host: str
    port: int
    serial: Path | None
    unit_id: int
    framing: Framing


async def serve_device(profile: Profile, place: Place, say: Callable[[str, int], None]) -> None:
    """Serve until SIGTERM or SIGINT. `say` hears where the device is and how many reads it has
    answered: at the start, and as the number grows, once a second.

    `BadInput` for a profile of another protocol, `SimulatorError` where the place is not free.
    """
    if profile.protocol != "modbus":
        raise BadInput(f"expected a Modbus profile, got {profile.id} of {profile.protocol}")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    image = RegisterImage(profile)
    server = ModbusServer({place.unit_id: image}, place.framing)
    start = time.monotonic()
    move(profile, image, 0.0)
    where = await _open(server, place, profile)
    said = -1
    try:
        while not stop.is_set():
            if (answered := server.answered.total()) != said:
                say(where, said := answered)
            move(profile, image, time.monotonic() - start)
            try:
                await asyncio.wait_for(stop.wait(), _EVERY_S)
            except TimeoutError:
                continue
    finally:
        await server.close()
    if (answered := server.answered.total()) != said:
        say(where, answered)


async def _open(server: ModbusServer, place: Place, profile: Profile) -> str:
    if place.serial is not None:
        server.serve_serial(place.serial, profile.serial_default)
        return f"{place.serial} unit {place.unit_id}"
    try:
        port = await server.listen(place.host, place.port)
    except OSError as error:
        raise SimulatorError(f"expected a free port, got {error}") from error
    return f"{place.host}:{port} unit {place.unit_id}"
