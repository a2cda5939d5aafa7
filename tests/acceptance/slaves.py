"""Modbus TCP devices that count: each good answer carries a number that no other answer has.

Written for the judge, with nothing of the product in it. What a device answered well and in time
must be stored exactly once; what it spoiled must never be. Devices run in a thread of their own,
so that a test may change their behaviour while the agent, another process, reads them.
"""

import asyncio
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

REQUEST = struct.Struct(">HHHBBHH")
EXCEPTION_ADDRESS = 2
SPOILED = 900_000_000
"""Numbers from here on are in answers that must not be believed."""


@dataclass(slots=True)
class Asked:
    """A request as it came: `first` tells the first one after a fault was set."""

    transaction: int
    unit: int
    function: int
    address: int
    count: int


Fault = Callable[["Slave", Asked], "list[tuple[float, bytes]]"]
"""What goes out instead of the answer: (delay in seconds, bytes) each."""


@dataclass(slots=True)
class Slave:
    """One device: unit id, the count of its good answers, its fault (None: it answers well).

    Registers: 0–1 the count (u32), then `registers` by address; all others are zero.
    """

    unit: int
    fault: Fault | None = None
    answered: list[int] = field(default_factory=list)
    requests: int = 0
    registers: dict[int, int] = field(default_factory=dict)

    def good(self, asked: Asked) -> bytes:
        """The right answer, which counts as offered where the count is in it."""
        if asked.address > 0:
            return self.frame(asked, 0)
        self.answered.append(len(self.answered) + 1)
        return self.frame(asked, self.answered[-1])

    def spoiled(self, asked: Asked) -> bytes:
        """An answer in the right form whose number is that of no offered value."""
        return self.frame(asked, SPOILED + self.requests)

    def frame(self, asked: Asked, number: int, unit: int | None = None) -> bytes:
        registers = {0: number >> 16, 1: number & 0xFFFF, **self.registers}
        words = [registers.get(asked.address + at, 0) for at in range(asked.count)]
        body = struct.pack(f">{asked.count}H", *words)
        head = struct.pack(
            ">HHHBBB",
            asked.transaction,
            0,
            3 + len(body),
            asked.unit if unit is None else unit,
            asked.function,
            len(body),
        )
        return head + body

    def exception(self, asked: Asked, code: int = EXCEPTION_ADDRESS) -> bytes:
        head = (asked.transaction, 0, 3, asked.unit, asked.function | 0x80, code)
        return struct.pack(">HHHBBB", *head)

    def answers(self, asked: Asked) -> list[tuple[float, bytes]]:
        self.requests += 1
        return self.fault(self, asked) if self.fault else [(0.0, self.good(asked))]


class Endpoint:
    """A listening port with units behind it; the `Slaves` thread runs it.

    `connections_max` further connections are closed at once, as many devices do.
    """

    def __init__(self, slaves: Sequence[Slave], connections_max: int = 99) -> None:
        self.slaves = {slave.unit: slave for slave in slaves}
        self.connections_max = connections_max
        self.connections = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def link(self, unit: int, timeout_ms: int) -> dict[str, object]:
        """What devices.json says of the device `unit`."""
        return {
            "protocol": "modbus_tcp", "host": "127.0.0.1", "port": self.port, "unit_id": unit,
            "timeout_ms": timeout_ms,
        }  # fmt: skip

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def hang_up(self) -> None:
        """Cut every connection and refuse new ones until `listen`."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if len(self._writers) > self.connections_max:
                return
            while True:
                asked = Asked(*_fields(await reader.readexactly(REQUEST.size)))
                slave = self.slaves.get(asked.unit)
                for delay_s, data in slave.answers(asked) if slave else ():
                    await asyncio.sleep(delay_s)
                    writer.write(data)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class Slaves:
    """The thread that runs the endpoints while the `with` block lasts."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = endpoints
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for endpoint in self.endpoints:
            self.call(endpoint.listen())
        return self

    def __exit__(self, *_: object) -> None:
        for endpoint in self.endpoints:
            self.call(endpoint.hang_up())
        self.call(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, work: object) -> None:
        """Run a coroutine of an endpoint in the thread and wait for it."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _end_tasks(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _fields(data: bytes) -> tuple[int, int, int, int, int]:
    transaction, _, _, unit, function, address, count = REQUEST.unpack(data)
    return transaction, unit, function, address, count
