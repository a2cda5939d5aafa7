"""The Modbus driver against recorded exchanges: a folder of `cases` each."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.rounds import INTERVAL_MS, Outcome, World, one_line, placed, read, tcp_server
from tanzheng.edge.drivers import modbus
from tanzheng.hardware.loader import load_profile
from tanzheng.hardware.profile import Profile

FOLDER = Path(modbus.__path__[0])
CASES = sorted((FOLDER / "cases").iterdir())
SETTINGS = {"profile", "fields", "unit"}


def shape_of(config: dict[str, Any]) -> Profile:
    """A profile of the house, or one written into the case."""
    profile = config["profile"]
    return load_profile(profile) if isinstance(profile, str) else Profile.from_plan(profile)


def shown(outcome: Outcome) -> Any:
    """As `expected.json` writes it."""
    if isinstance(outcome, tuple):
        return {"value": outcome[0], "quality": outcome[1].name.lower()}
    return outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_recorded_exchange(case: Path) -> None:
    config = tomllib.loads((case / "config.toml").read_text())
    expected = json.loads((case / "expected.json").read_text())
    if isinstance(expected, list):
        expected = {"rounds": [expected], "events": []}
    lines = (case / "capture.txt").read_text().splitlines()
    script = [line for line in lines if not line.startswith("#")]
    rest = [line for line in script if line != "round"]
    asked: list[str] = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = 8 if "protocol" in config else 12
        while rest:
            line = rest.pop(0)
            if line.startswith(">"):
                asked.append("> " + (await reader.readexactly(size)).hex(" "))
            elif line.startswith("<"):
                writer.write(bytes.fromhex(line[1:]))
            elif line == "closed":
                assert await reader.read() == b""
                return
        await reader.read()

    world = World()
    async with tcp_server(play) as port:
        link = {key: config[key] for key in config.keys() - SETTINGS}
        device = placed(
            shape_of(config), config["fields"], port=port, unit_id=config["unit"], **link
        )
        line = one_line([device], world)
        rounds = [await read(line, INTERVAL_MS) for _ in expected["rounds"]]
        line.close()
    assert [[shown(outcome) for outcome in found] for found in rounds] == expected["rounds"]
    assert asked == [line for line in script if line.startswith(">")]
    assert world.kinds == expected["events"]


def test_the_sample_obeys_the_schema() -> None:
    schema = json.loads((FOLDER / "link.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    sample = tomllib.loads((FOLDER / "sample.toml").read_text())
    links = [
        {key: value for key, value in device.items() if key not in {"id", "profile", "fields"}}
        for device in sample["device"]
    ]
    assert {link["protocol"] for link in links} == {
        "modbus_tcp",
        "modbus_rtu",
        "modbus_rtu_over_tcp",
    }
    for link in links:
        jsonschema.validate(link, schema)


@pytest.mark.parametrize(
    "wrong",
    [
        {"protocol": "modbus_tcp"},
        {"protocol": "modbus_rtu", "host": "192.0.2.1"},
        {"protocol": "modbus_tcp", "host": "192.0.2.1", "baud": 9600},
        {"protocol": "modbus_tcp", "host": "192.0.2.1", "unit_id": 256},
        {"protocol": "modbus_tcp", "host": "192.0.2.1", "unit": 1},
        {"protocol": "modbus_rtu", "serial_port": "/dev/ttyS1", "parity": "X"},
        {"protocol": "modbus_rtu_over_tcp", "host": "192.0.2.1", "ct": "2000:5"},
        {"protocol": "modbus_rtu_over_tcp", "host": "192.0.2.1", "ct": 0},
    ],
)
def test_links_that_the_schema_refuses(wrong: dict[str, Any]) -> None:
    schema = json.loads((FOLDER / "link.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)
