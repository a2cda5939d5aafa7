"""Any payload on any topic of an MQTT source: readings, or a named refusal, and nothing else.

python tests/fuzz/fuzz_mqtt_source.py        (needs atheris)
"""

import importlib
import sys
from itertools import count
from typing import Any

from tanzheng.edge.abc import Placed
from tanzheng.edge.drivers.mqtt.driver import add_device
from tanzheng.edge.drivers.mqtt.intake import Inbound, Intake
from tanzheng.edge.drivers.mqtt.router import Router
from tanzheng.edge.owed import OwedSlots

NODE = "spBv1.0/g/{}/n"
POINTS = [
    {"id": "p", "unit": "kW", "field": "active_power_kw", "scale": "0.001", "path": "v.P"},
    {"id": "e", "unit": "kWh", "field": "active_energy_export_kwh", "path": "d[?id=m1].e",
     "counter": True, "validity": {"point": "s", "bits": {"0": "fault"}}},
    {"id": "s", "unit": "1", "path": "status"},
]  # fmt: skip
PROFILE = {
    "id": "fuzz", "vendor": "", "models": [], "kind": "meter", "protocol": "mqtt",
    "transport": ["mqtt"], "trust": "ours", "points": POINTS,
}  # fmt: skip
LINKS: list[dict[str, Any]] = [
    {"format": "scalar", "topic": "s"},
    {"format": "json", "topic": "j", "timestamp_path": "t", "timestamp_format": "unix_ms"},
    {"format": "json", "topic": "i", "timestamp_path": "t", "timestamp_format": "iso8601",
     "quality_path": "q", "quality_map": {"ok": "good"}, "records_path": "r"},
    {"format": "neuron", "topic": "n"},
    {"format": "hj212", "topic": "h"},
    {"format": "sparkplug", "topic": "spBv1.0/g/n"},
    {"format": "sparkplug", "topic": "spBv1.0/g/n/d"},
]  # fmt: skip
TOPICS = [
    "s", "j", "i", "n", "h", "else", "", NODE.format("NBIRTH"), NODE.format("NDATA"),
    NODE.format("NDEATH"), *(NODE.format(kind) + "/d" for kind in ("DBIRTH", "DDATA", "DDEATH")),
]  # fmt: skip
NOW_MS = 1_790_000_000_000


def make_intake() -> Intake:
    """An intake with a device in each format."""
    router, fields = Router(), ("active_power_kw", "active_energy_export_kwh")
    first = count(0, 2)
    placed = [
        Placed(f"d{n}", {**link, "protocol": "mqtt"}, PROFILE, fields, next(first), 1000)
        for n, link in enumerate(LINKS)
    ]
    devices = [add_device(each, router)[0] for each in placed]
    owed = [
        OwedSlots(device.points, each.grid, 3000)
        for device, each in zip(devices, placed, strict=True)
    ]
    return Intake(router, devices, owed, lambda: NOW_MS)


INTAKE = make_intake()


def TestOneInput(data: bytes) -> None:  # noqa: N802 - the name that atheris users know
    """First byte: topic and flags; the rest is the payload. State is kept between the calls."""
    head, payload = (data[0] if data else 0), data[1:]
    topic = TOPICS[head % len(TOPICS)]
    message = Inbound(topic, payload, head >> 7, head, bool(head & 0x40), False, NOW_MS)
    takes, _ = INTAKE.take([message])
    for take in takes:
        assert len(take.points) == len(take.values) == len(take.quality)
        assert all(value - value == 0 for value in take.values), "finite"
    assert len(INTAKE.counts) < 60, "reasons are a closed list"


def main() -> None:
    """Until stopped."""
    atheris = importlib.import_module("atheris")  # brought by tools/fuzz alone
    atheris.instrument_all()  # without it the fuzzer is blind
    atheris.Setup(sys.argv, TestOneInput)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
