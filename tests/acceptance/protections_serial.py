"""What the protections of serial lines, counters and DL/T 645 are, each switched off."""

from dataclasses import replace
from typing import Any

from acceptance.switches import protection, put
from tanzheng.edge import steps
from tanzheng.edge.drivers.dlt645 import codec as meter_codec
from tanzheng.edge.drivers.modbus import link, opening
from tanzheng.edge.drivers.modbus.codec import find_rtu
from tanzheng.edge.drivers.modbus.device import Device


@protection("CRC of an answer")
def believe_any_frame() -> None:
    def find(data: bytearray, request: Any, start: int = 0) -> tuple[bytes | None, int]:
        head = bytes((request.unit, request.function, request.value_bytes))
        at = data.find(head, start)
        end = at + 5 + request.value_bytes
        if at < 0 or len(data) < end:
            return None, start
        return bytes(data[at + 3 : end - 2]), end

    put(link, "find_rtu", find)


@protection("a late answer has another length")
def trust_the_next_answer() -> None:
    made = Device.__init__

    def make(self: Device, placed: Any, around: Any, late_possible: bool, *more: Any) -> None:
        del late_possible
        made(self, placed, around, False, *more)

    put(Device, "__init__", make)


@protection("an echo is passed over")
def take_what_comes_first() -> None:
    def find(data: bytearray, request: Any, start: int = 0) -> tuple[bytes | None, int]:
        if not data.startswith(bytes((request.unit, request.function, request.value_bytes))):
            return None, start
        return find_rtu(data, request, start)

    put(link, "find_rtu", find)
    put(link.RtuLink, "_take_echo", lambda _self, _request: None)


@protection("a port is opened by its name")
def keep_the_first_port() -> None:
    made = opening.Opener.__init__

    def make(self: opening.Opener, endpoint: Any, pool: Any) -> None:
        from pathlib import Path

        made(self, replace(endpoint, path=str(Path(endpoint.path).resolve())), pool)

    put(opening.Opener, "__init__", make)


@protection("an implausible counter is read again")
def believe_any_counter() -> None:
    put(steps.Watch, "suspect", lambda *_: False)


@protection("steps of a counter are told")
def take_steps_as_they_come() -> None:
    def advance(now: Any, t_ms: int, value: float, _spec: Any) -> Any:
        return (replace(now, t_ms=t_ms, value=value) if t_ms > now.t_ms else now), None

    put(steps, "advance", advance)


@protection("checksum of a meter's frame")
def believe_any_meter() -> None:
    tried = meter_codec.Parser._try

    def believe(self: Any, start: int, ended: bool) -> Any:
        size = meter_codec._outline(self._buffer, start)
        if size and start + size <= len(self._buffer):
            end = start + size
            self._buffer[end - 2] = sum(self._buffer[start : end - 2]) & 0xFF
        return tried(self, start, ended)

    put(meter_codec.Parser, "_try", believe)


@protection("frames that follow are asked for")
def take_the_first_frame_only() -> None:
    put(meter_codec.Frame, "more", property(lambda _self: False))
