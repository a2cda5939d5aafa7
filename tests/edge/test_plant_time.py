"""Plant time over a unix socket: what it grants, and what breaks its protocol."""

import asyncio
import json
from pathlib import Path

import pytest

from tanzheng.edge.timekeeping.clock import ClockLost, PlantClock


async def test_plant_time_that_grants_slots_ahead_is_told_sums(tmp_path: Path) -> None:
    asked: list[dict[str, int]] = []
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            asked.append(json.loads(line))
            answer = {"now_ms": 0, "start_ms": 0, "slot_ms": 60_000 * len(asked), "ahead": 3}
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()
        await writer.wait_closed()
        gone.set()

    path = str(tmp_path / "t.sock")
    async with await asyncio.start_unix_server(serve, path):
        clock = PlantClock(path, 60_000)
        assert clock.ahead == 0
        await clock.start(None)
        assert clock.ahead == 3
        await clock.next_slot()
        clock.done(60_000, 5, 1)
        clock.done(120_000, 6, 0)
        await clock.next_slot()
        clock.close()
        await gone.wait()
    told = [(each["done_ms"], each["readings"], each["missed"]) for each in asked[1:]]
    assert told == [(None, 0, 0), (120_000, 11, 1)]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": "busy"}, "got 'busy'"),
        ({"now_ms": 1}, "expected start_ms as a whole number, got None"),
        ([], "expected plant time, got \\[\\]"),
        (None, "got 'the connection was closed'"),
    ],
)
async def test_plant_time_that_does_not_keep_to_the_protocol(
    tmp_path: Path, answer: object, message: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        if answer is not None:
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()
        await writer.wait_closed()

    path = str(tmp_path / "t.sock")
    async with await asyncio.start_unix_server(serve, path):
        clock = PlantClock(path, 60_000)
        with pytest.raises(ClockLost, match=message):
            await clock.start(None)
        clock.close()


@pytest.mark.parametrize(
    ("sent", "message"),
    [(b"1" * 5000, "expected a JSON line"), (b'{"now_ms": 1}\n{"now_ms": 2}\n', "Extra data")],
    ids=["a line without end", "two for one"],
)
async def test_plant_time_that_says_too_much(tmp_path: Path, sent: bytes, message: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(sent)
        await reader.read()
        writer.close()

    path = str(tmp_path / "t.sock")
    async with await asyncio.start_unix_server(serve, path):
        clock = PlantClock(path, 60_000)
        with pytest.raises(ClockLost, match=message):
            await asyncio.wait_for(clock.start(None), 5)
        clock.close()
        await asyncio.sleep(0.01)


async def test_plant_time_that_speaks_unasked_is_hung_up_on(tmp_path: Path) -> None:
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"now_ms": 0, "start_ms": 0}\n')
        await asyncio.sleep(0.02)
        writer.write(b'{"slot_ms": 60000}\n')
        await reader.read()
        hung_up.set()
        writer.close()

    path = str(tmp_path / "t.sock")
    async with await asyncio.start_unix_server(serve, path):
        clock = PlantClock(path, 60_000)
        await clock.start(None)
        await asyncio.wait_for(hung_up.wait(), 5)
        with pytest.raises(ClockLost, match="the connection was closed"):
            await clock.next_slot()
        await asyncio.sleep(0.01)


async def test_no_plant_time_at_all(tmp_path: Path) -> None:
    with pytest.raises(ClockLost, match="expected plant time"):
        await PlantClock(str(tmp_path / "none.sock"), 60_000).start(None)
