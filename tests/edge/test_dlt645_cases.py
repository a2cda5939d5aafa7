"""Every folder of the driver's cases: recorded exchanges, and captures to decode."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edge.dlt645_world import T0_MS, a_round, case_folders, line_of, outcomes, placed
from tanzheng.core.errors import TanzhengError
from tanzheng.edge.drivers.dlt645.report import read_line
from tanzheng.hardware.loader import load_profile


class Script(asyncio.Protocol):
    """The far end: expects each `>` line, then sends the `<` lines behind it."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.unexpected = b""
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if not self.lines or not self.lines[0].startswith(">"):
            self.unexpected += data
            return
        expected = bytes.fromhex(self.lines[0][1:])
        if len(self._heard) < len(expected):
            return
        if self._heard != expected:
            self.unexpected = self._heard
            return
        self._heard = b""
        self.lines.pop(0)
        assert self._transport is not None
        while self.lines and not self.lines[0].startswith(">"):
            line = self.lines.pop(0)
            if line.startswith("<"):
                self._transport.write(bytes.fromhex(line[1:]))


def lines_of(folder: Path) -> list[str]:
    return (folder / "capture.txt").read_text().splitlines()


async def exchange(folder: Path, config: dict[str, Any]) -> list[Any]:
    lines = [line for line in lines_of(folder) if line and not line.startswith("#")]
    script = Script(lines)
    server = await asyncio.get_running_loop().create_server(lambda: script, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    profile = load_profile(config["profile"]).to_plan()
    line = line_of(placed(port, config["fields"], profile=profile, **config["link"]))
    slot_ms = T0_MS // 600_000 * 600_000 + T0_MS % 60_000  # slow points, too
    found = outcomes(await a_round(line, slot_ms))
    line.close()
    server.close()
    await asyncio.sleep(0.01)
    assert (script.lines, script.unexpected) == ([], b"")
    return [item if isinstance(item, str) else item[0] for item in found.values()]


def decoded(folder: Path) -> list[Any]:
    reports = [read_line(line) for line in lines_of(folder)]
    return [record.to_json() for report in reports if report for record in report.records]


@pytest.mark.parametrize("folder", case_folders(), ids=lambda folder: folder.name)
async def test_case(folder: Path) -> None:
    config = tomllib.loads((folder / "config.toml").read_text())
    expected = json.loads((folder / "expected.json").read_text())
    walk = config.pop("walk")
    found = decoded(folder) if walk == "decode" else await exchange(folder, config)
    assert found == expected


def test_the_sample_is_a_valid_link() -> None:
    import jsonschema

    driver = case_folders()[0].parents[1]
    (device,) = tomllib.loads((driver / "sample.toml").read_text())["device"]
    schema = json.loads((driver / "link.schema.json").read_text())
    profile = load_profile(device.pop("profile")).to_plan()
    del device["id"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(device, schema)
    assert line_of(placed("/dev/x", profile=profile, **device)).name == device["serial_port"]
    wrongs: tuple[dict[str, Any], ...] = (
        {"address": "161"},
        {"address": "999999999999"},
        {"host": "h"},
        {"ct": 400},
        {"ct": []},
        {"parity": "X"},
        {"colour": "red"},
    )
    for wrong in wrongs:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(device | wrong, schema)


def test_errors_are_of_the_house() -> None:
    from tanzheng.edge.drivers.dlt645 import errors

    named = [item for item in vars(errors).values() if isinstance(item, type)]
    assert all(issubclass(item, TanzhengError) for item in named)
