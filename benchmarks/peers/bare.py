"""The floor: an asyncio client that asks and throws the answers away.

usage: bare.py LOOP SECONDS PORT…, LOOP asyncio or uvloop. One connection a port, one request in
flight, the answer's length is looked at and nothing else. Prints JSON: requests, CPU seconds.
"""

import asyncio
import json
import os
import struct
import sys
import time

import uvloop

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
REQUEST = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 60)
ANSWER_BYTES = 9 + 120


class Client(asyncio.Protocol):
    """Asks again as soon as it is answered."""

    requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._got = transport, 0
        transport.write(REQUEST)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._got += len(data)
        if self._got == ANSWER_BYTES:
            self._got = 0
            self.requests += 1
            self._transport.write(REQUEST)  # type: ignore[attr-defined]


async def main(seconds: float, ports: list[int]) -> None:
    """Run for `seconds`; the first half second is not counted."""
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(Client, "127.0.0.1", port))[1] for port in ports]
    await asyncio.sleep(0.5)
    requests, cpu_s, start_s = _requests(clients), sum(os.times()[:2]), time.perf_counter()
    await asyncio.sleep(seconds)
    print(
        json.dumps(
            {
                "requests": _requests(clients) - requests,
                "cpu_s": sum(os.times()[:2]) - cpu_s,
                "seconds": time.perf_counter() - start_s,
            }
        )
    )


def _requests(clients: list[Client]) -> int:
    return sum(client.requests for client in clients)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=LOOPS[sys.argv[1]]) as runner:
        runner.run(main(float(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
