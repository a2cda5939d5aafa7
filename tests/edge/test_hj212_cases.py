"""Each folder of cases: a capture, what the decoder says of it, what readings come of it."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.hj212_world import CASES, MemorySink, World, placed, split
from tanzheng.edge.drivers.hj212.codec import parse
from tanzheng.edge.drivers.hj212.commands import as_record
from tanzheng.hardware.profile import Profile

SCHEMA = json.loads((CASES.parent / "link.schema.json").read_text())


def capture_of(folder: Path) -> bytes:
    as_hex = folder / "capture.hex"
    if as_hex.exists():
        return bytes.fromhex(as_hex.read_text())
    return (folder / "capture.txt").read_bytes()


async def readings_of(config: dict[str, Any], capture: bytes) -> dict[str, Any]:
    """Values per field as [t_ms, value, quality], misses of the next slot, kinds of events."""
    sink = MemorySink()
    now_ms = int(config["now"].timestamp() * 1000)
    world = World([config["link"]], sink, now_ms=now_ms)
    reader = asyncio.StreamReader()
    reader.feed_data(capture)
    reader.feed_eof()
    world.line._sink = sink
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await world.line._serve(reader, writer)
    server.close()
    fields = placed({}).fields
    return {
        "readings": {
            fields[point]: [take.t_ms, round(value, 9), quality]
            for take in sink.takes
            for point, value, quality in zip(take.points, take.values, take.quality, strict=True)
        },
        "misses": {
            fields[point]: miss.reason
            for miss in world.round(now_ms).misses
            for point in miss.points
        },
        "events": [event.kind for event in sink.events],
        "duplicates": world.device().get("duplicates", 0),
    }


@pytest.mark.parametrize("folder", sorted(CASES.iterdir()), ids=lambda folder: folder.name)
async def test_case(folder: Path) -> None:
    config = tomllib.loads((folder / "config.toml").read_text())
    key = bytes.fromhex(config["sm4_key"]) if "sm4_key" in config else None
    capture = capture_of(folder)
    got: dict[str, Any] = {
        "frames": [as_record(parse(piece, key)) for piece in split(capture, comments=True)]
    }
    if "link" in config:
        jsonschema.validate({"protocol": "hj212", **config["link"]}, SCHEMA)
        got |= await readings_of(config, capture)
    expected = json.loads((folder / "expected.json").read_text())
    assert got == expected


def test_the_sample_is_a_link_of_the_schema() -> None:
    (device,) = tomllib.loads((CASES.parent / "sample.toml").read_text())["device"]
    link = {name: value for name, value in device.items() if name not in ("id", "profile")}
    jsonschema.validate(link, SCHEMA)
    assert Profile.from_plan(placed(link).profile).id == device["profile"]
