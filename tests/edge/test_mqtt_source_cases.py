"""Each folder of cases/: the readings that a captured series of messages must give."""

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tanzheng.core.errors import BadInput
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Placed
from tanzheng.edge.drivers import mqtt
from tanzheng.edge.drivers.mqtt.driver import add_device
from tanzheng.edge.drivers.mqtt.intake import Inbound, Intake
from tanzheng.edge.drivers.mqtt.router import Router
from tanzheng.edge.owed import OwedSlots

CASES = sorted((Path(str(mqtt.__file__)).parent / "cases").iterdir())
FOLDER = CASES[0].parents[1]
SCHEMA = json.loads((FOLDER / "link.schema.json").read_text())
NOW_MS = 1_790_000_000_000


def inbound(line: str) -> Inbound:
    topic, _, text = line.partition(" ")
    retained = text.startswith("retained ")
    text = text.removeprefix("retained ")
    payload = bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()
    return Inbound(topic, payload, 1, 1, retained, False, NOW_MS)


def make_intake(config: dict[str, Any], fields: tuple[str, ...] = ()) -> Intake:
    """`fields` () = those of all points."""
    points = [{"id": point["field"], **point} for point in config.pop("points")]
    fields = fields or tuple(point["field"] for point in points)
    profile = {
        "id": "case", "vendor": "", "models": [], "kind": "meter", "protocol": "mqtt",
        "transport": ["mqtt"], "trust": "ours", "points": points,
    }  # fmt: skip
    router = Router()
    placed = Placed("case", config, profile, fields, 0, 1000)
    device, _ = add_device(placed, router)
    return Intake(router, [device], [OwedSlots(device.points, placed.grid, 60_000)], lambda: NOW_MS)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case(folder: Path) -> None:
    config = tomllib.loads((folder / "config.toml").read_text())
    fields = [point["field"] for point in config["points"]]
    expected = json.loads((folder / "expected.json").read_text())
    intake = make_intake(config)
    lines = (folder / "capture.txt").read_text().splitlines()
    for line in lines:
        if not line.startswith("#"):
            takes, _ = intake.take([inbound(line)])
            for take in takes:
                got = zip(take.points, take.values, take.quality, strict=True)
                for point, value, quality in got:
                    want = expected["values"].pop(0)
                    shown = [fields[point], take.t_ms, value, Quality(quality).name.lower()]
                    assert shown == want
    assert expected["values"] == []
    assert intake.counts == Counter(expected["counts"])
    misses = {
        miss.reason: [fields[point] for point in miss.points]
        for miss in intake.misses(NOW_MS - NOW_MS % 1000)
    }
    assert misses == expected.get("misses", {})


def link_of(device: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in device.items() if key not in ("id", "points")}


def test_the_sample_and_the_cases_are_links_as_the_schema_has_them() -> None:
    devices = tomllib.loads((FOLDER / "sample.toml").read_text())["device"]
    devices += [tomllib.loads((folder / "config.toml").read_text()) for folder in CASES]
    used: set[str] = set()
    for device in devices:
        jsonschema.validate(link_of(device), SCHEMA)
        used |= link_of(device).keys()
    assert devices[0]["format"] == "json"
    rare = {"records_path", "neuron_group", "mn", "data", "pt", "keepalive_s"}
    assert used == SCHEMA["properties"].keys() - rare


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://h"}, {"url": "mqtt://h/path"}, {"format": "xml"}, {"client_id": "a b"},
        {"cert": "c.pem"}, {"quality_path": "q"}, {"stale_after": 0}, {"device": "a/b"},
        {"utc_offset": "8"}, {"ct": "5/0"}, {"qos": 1},
    ],
)  # fmt: skip
def test_the_schema_refuses(wrong: dict[str, Any]) -> None:
    right = {"protocol": "mqtt", "url": "mqtt://u:p@h:1883", "client_id": "a", "format": "json"}
    jsonschema.validate(right, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**right, **wrong}, SCHEMA)


def test_ratios_of_the_link_are_multiplied_and_never_assumed() -> None:
    link = {
        "protocol": "mqtt", "url": "mqtt://h", "client_id": "a", "format": "scalar", "topic": "t",
    }  # fmt: skip
    point = {
        "field": "active_power_kw", "unit": "W", "to_field": "0.001", "path": "",
        "times": ["ct", "pt"],
    }  # fmt: skip
    intake = make_intake({**link, "ct": "2000/5", "pt": "10000/100", "points": [point]})
    takes, _ = intake.take([inbound("t 5 W"), inbound("t 5 kW")])
    assert [list(take.values) for take in takes] == [[200.0]]
    assert intake.memory[0].absent == "wrong_unit"
    with pytest.raises(BadInput, match="pt: expected a ratio for point active_power_kw"):
        make_intake({**link, "ct": "2000/5", "points": [point]})


def test_status_points_and_limits_decide_on_quality() -> None:
    link = {
        "protocol": "mqtt", "url": "mqtt://h", "client_id": "a", "format": "json", "topic": "t",
        "timestamp_path": "ts",
    }  # fmt: skip
    points = [
        {"field": "active_power_kw", "unit": "kW", "path": "p", "expected": [0, 100],
         "sentinels": [-999], "validity": {"point": "s", "bits": {"1": "maintenance"}}},
        {"id": "s", "field": None, "unit": "1", "path": "s"},
    ]  # fmt: skip
    intake = make_intake({**link, "points": points}, fields=("active_power_kw",))
    shown = []
    bodies = ['"p":5', '"s":0,"p":5', '"p":101', '"p":-999', '"p":5,"s":2', '"p":6']
    for n, body in enumerate(bodies):
        takes, _ = intake.take([inbound(f't {{"ts":{NOW_MS + n},{body}}}')])
        shown += [Quality(quality).name for take in takes for quality in take.quality]
    assert shown == ["FAULT", "GOOD", "OVER_RANGE", "MAINTENANCE", "MAINTENANCE"]
