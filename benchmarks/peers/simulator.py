"""A fast Modbus TCP plant: one process that answers any unit on every port it listens on.

usage: simulator.py DEVICES. Prints one JSON line with the ports, then one with the number of
answers so far for each line that it reads. Register 0 and 1 of a unit hold, as float32, how often
that unit was read before: a value that is lost or comes twice shows. The answers are made ahead,
because a simulator must not be what a benchmark measures.
"""

import asyncio
import json
import struct
import sys

import uvloop

REGISTERS = 60
_REQUEST = struct.Struct(">HHHBBHH")
_COUNT = struct.Struct(">f")
_BODY = struct.pack(">29f", *(230.0 + index / 8 for index in range(29)))


class Plant:
    """Counts reads by (port, unit)."""

    def __init__(self) -> None:
        self.answers = 0
        self._reads: dict[tuple[int, int], int] = {}

    def answer(self, port: int, request: bytes) -> bytes:
        """The 60 registers, whatever address was asked: peers differ in what they can ask."""
        transaction, _, _, unit, function, _, count = _REQUEST.unpack(request)
        place = (port, unit)
        reads = self._reads.get(place, 0)
        self._reads[place] = reads + 1
        self.answers += 1
        body = (_COUNT.pack(float(reads % 16_777_216)) + _BODY)[: 2 * count]
        head = struct.pack(">HHHBBB", transaction, 0, 3 + len(body), unit, function, len(body))
        return head + body


class Connection(asyncio.Protocol):
    """Answers request after request; a client may send several at once."""

    def __init__(self, plant: Plant, port: int) -> None:
        self._plant, self._port, self._rest = plant, port, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        answers = [
            self._plant.answer(self._port, data[at : at + _REQUEST.size])
            for at in range(0, len(data) - _REQUEST.size + 1, _REQUEST.size)
        ]
        self._rest = data[len(answers) * _REQUEST.size :]
        self._transport.write(b"".join(answers))  # type: ignore[attr-defined]


async def main(devices: int) -> None:
    """Listen until standard input ends."""
    loop, plant, ports = asyncio.get_running_loop(), Plant(), []
    for _ in range(devices):
        # The port is known only once the socket listens.
        place: list[int] = []
        server = await loop.create_server(
            lambda place=place: Connection(plant, place[0]),  # type: ignore[misc]
            "127.0.0.1",
            0,
        )
        place.append(server.sockets[0].getsockname()[1])
        ports += place
    print(json.dumps(ports), flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(plant.answers, flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
