"""Plant time for the benchmark: slots as fast as the agent takes them, then one a second.

usage: plant_time.py SOCKET FAST_SLOTS. Speaks the protocol of `tanzheng.hardware.plant_time_server`
for one agent; FAST_SLOTS below 0 means for ever. While slots are fast, `AHEAD` of them may be on
their way to the disk, as they are on a real grid that is fast: none waits for an fsync of its own.
"""

import asyncio
import contextlib
import json
import sys
import time

START_MS = 1_530_374_400_000
INTERVAL_MS = 1000
AHEAD = 32


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fast: int) -> None:
    """Offer slot after slot until the agent goes."""
    slot_ms, begun_s = START_MS, time.monotonic()
    while line := await reader.readline():
        if json.loads(line)["op"] == "hello":
            answer = {"now_ms": slot_ms, "start_ms": START_MS, "end_ms": START_MS + (1 << 40)}
            answer["ahead"] = AHEAD
        else:
            taken = (slot_ms - START_MS) // INTERVAL_MS
            if 0 <= fast == taken:
                begun_s = time.monotonic()
            elif 0 <= fast < taken:
                await asyncio.sleep(max(0.0, begun_s + taken - fast - time.monotonic()))
            slot_ms += INTERVAL_MS
            answer = {"slot_ms": slot_ms - INTERVAL_MS}
        writer.write(json.dumps(answer).encode() + b"\n")


async def until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fast: int) -> None:
    """The agent is stopped where it stands at the end of a round."""
    with contextlib.suppress(ConnectionResetError):
        await serve(reader, writer, fast)


async def main(path: str, fast: int) -> None:
    """Listen until killed."""
    server = await asyncio.start_unix_server(lambda r, w: until_gone(r, w, fast), path)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
