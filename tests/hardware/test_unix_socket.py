"""A socket in a deep folder: bound by the simulator, reached by the agent's clock."""

import asyncio
import json
from pathlib import Path

from tanzheng.edge.timekeeping.clock import PlantClock
from tanzheng.hardware.unix_socket import ADDRESS_BYTES_MAX, short_address


def test_a_short_path_is_its_own_address(tmp_path: Path) -> None:
    with short_address(Path("/run/x.sock")) as address:
        assert address == "/run/x.sock"


def test_plant_time_beyond_the_length_of_an_address(tmp_path: Path) -> None:
    path = tmp_path / ("d" * ADDRESS_BYTES_MAX) / "plant-time.sock"
    path.parent.mkdir()

    gone = asyncio.Event()

    async def plant(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        answer = {"now_ms": 1000, "start_ms": 60_000, "end_ms": 120_000}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    async def scenario() -> int:
        with short_address(path) as address:
            server = await asyncio.start_unix_server(plant, address)
        clock = PlantClock(str(path), 60_000)
        try:
            return await clock.start(None)
        finally:
            clock.close()
            await gone.wait()
            server.close()
            await server.wait_closed()

    assert asyncio.run(scenario()) == 0
    assert path.is_socket()
