"""Many counting Modbus TCP devices in a process of their own, led by JSON lines on standard input.

usage: soak_slaves.py UNITS… (how many units stand behind each endpoint). Each order is answered by
one JSON line; the first line is the list of ports. A good answer has 60 registers: the count of
good answers (u32), then 29 float32: count + 1/32, count + 2/32 …, so that each value tells which
answer it came in and which register it was. Devices are numbered from 0 in the order of endpoints.
"""

import asyncio
import json
import math
import struct
import sys
from dataclasses import dataclass, field
from typing import Any

REQUEST = struct.Struct(">HHHBBHH")
ANSWER = struct.Struct(">HHHBBBI29f")
EXCEPTION = struct.Struct(">HHHBBB")
FLOATS = 29
REGISTERS = 2 + 2 * FLOATS
STEP = 1 / 32
SPOILED = 200_000
"""Counts from here on are in answers that must not be believed."""
FAULTS = ("silent", "late", "wrong_unit", "failure", "busy", "nan")
EXCEPTION_CODES = {"failure": 4, "busy": 6}
LATE_S = 3.0
"""Longer than any time-out: who waited has given up."""


@dataclass
class Device:
    """`count` good answers so far; the floats of those in `without_floats` were NaN."""

    fault: str | None = None
    count: int = 0
    without_floats: list[int] = field(default_factory=list)

    def answer(self, head: tuple[int, int], count: int) -> bytes:
        """60 registers for (transaction, unit) that bear `count`."""
        nan = self.fault == "nan"
        floats = [math.nan if nan else count + STEP * at for at in range(1, FLOATS + 1)]
        transaction, unit = head
        size = 2 * REGISTERS
        return ANSWER.pack(transaction, 0, 3 + size, unit, 3, size, count, *floats)

    def replies(self, transaction: int, unit: int, whole: bool) -> list[tuple[float, bytes]]:
        """(delay in s, bytes) of what goes out; `whole`: all registers were asked for."""
        spoiled = SPOILED + self.count
        if self.fault == "silent":
            return []
        if self.fault == "late":
            return [(LATE_S, self.answer((transaction, unit), spoiled))]
        if self.fault == "wrong_unit":
            return [(0.0, self.answer((transaction, unit + 100), spoiled))]
        if self.fault in EXCEPTION_CODES or not whole:
            code = EXCEPTION_CODES.get(self.fault or "", 4)
            return [(0.0, EXCEPTION.pack(transaction, 0, 3, unit, 0x83, code))]
        self.count += 1
        if self.fault == "nan":
            self.without_floats.append(self.count)
        return [(0.0, self.answer((transaction, unit), self.count))]


class Endpoint:
    """A port with the devices of units 1, 2 … behind it.

    While there are `cuts` each connection is closed at once; the port stays ours, or another
    program's connection might take it.
    """

    def __init__(self, devices: list[Device]) -> None:
        self.devices = devices
        self.links: set[Link] = set()
        self.cuts = 0

    async def listen(self) -> int:
        """The port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Link(self), "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Close every connection, until `mend`."""
        self.cuts += 1
        for link in list(self.links):
            link.transport.close()

    def mend(self) -> None:
        """Take back one `cut`."""
        self.cuts -= 1


class Link(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._endpoint.links.add(self)
        if self._endpoint.cuts:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._endpoint.links.discard(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= REQUEST.size and not self.transport.is_closing():
            transaction, _, _, unit, _, address, count = REQUEST.unpack(self._data[: REQUEST.size])
            self._data = self._data[REQUEST.size :]
            device = self._endpoint.devices[unit - 1]
            for delay_s, reply in device.replies(
                transaction, unit, (address, count) == (0, REGISTERS)
            ):
                if delay_s:
                    asyncio.get_running_loop().call_later(delay_s, self._send, reply)
                else:
                    self.transport.write(reply)

    def _send(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)


def obey(order: dict[str, Any], endpoints: list[Endpoint], devices: list[Device]) -> object:
    """Do what the soak wants; the answer to it."""
    match order["do"]:
        case "fault":
            devices[order["device"]].fault = order["fault"]
        case "cut":
            endpoints[order["endpoint"]].cut()
        case "mend":
            endpoints[order["endpoint"]].mend()
        case "counts":
            return [device.count for device in devices]
        case "without_floats":
            return [device.without_floats for device in devices]
    return None


async def main(units: list[int]) -> None:
    """Until standard input ends."""
    endpoints = [Endpoint([Device() for _ in range(count)]) for count in units]
    devices = [device for endpoint in endpoints for device in endpoint.devices]
    print(json.dumps([await each.listen() for each in endpoints]), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(obey(json.loads(line), endpoints, devices)), flush=True)


if __name__ == "__main__":
    asyncio.run(main([int(each) for each in sys.argv[1:]]))
