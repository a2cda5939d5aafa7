"""Payloads as the usual senders write them. Pure.

Sources: Shelly and Tasmota documentation, EMQX Neuron documentation ("MQTT, upload data"),
ThingsBoard gateway API.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Message = tuple[str, bytes]
"""(topic, payload)"""
FORMATS: Final = ("shelly_gen1", "shelly_gen2", "tasmota", "neuron_values", "neuron_tags",
                  "thingsboard", "sparkplug")  # fmt: skip


def shelly_gen1(device: str, power_w: float, energy_watt_minutes: float) -> list[Message]:
    """Bare numbers without a time; the energy of relays counts watt-minutes."""
    return [
        (f"shellies/{device}/relay/0/power", f"{power_w:.2f}".encode()),
        (f"shellies/{device}/relay/0/energy", f"{energy_watt_minutes:.0f}".encode()),
    ]


def shelly_gen2(device: str, t_ms: int, values: Mapping[str, float]) -> Message:
    """NotifyStatus: `values` are those of component em:0 that changed, the others are left out."""
    params = {"ts": t_ms / 1000, "em:0": {"id": 0, **values}}
    body = {"src": device, "dst": f"{device}/events", "method": "NotifyStatus", "params": params}
    return f"{device}/events/rpc", _json(body)


def tasmota(device: str, t_ms: int, values: Mapping[str, float], offset_minutes: int) -> Message:
    """SENSOR: local time that does not name its zone."""
    local = datetime.fromtimestamp(t_ms // 1000, UTC) + timedelta(minutes=offset_minutes)
    body = {"Time": local.strftime("%Y-%m-%dT%H:%M:%S"), "ENERGY": dict(values)}
    return f"tele/{device}/SENSOR", _json(body)


def neuron_values(
    node: str, group: str, t_ms: int, values: Mapping[str, float], errors: Mapping[str, int]
) -> Message:
    """Neuron's format "values"."""
    body = {"timestamp": t_ms, "node": node, "group": group, "values": dict(values),
            "errors": dict(errors), "metas": {}}  # fmt: skip
    return f"/neuron/mqtt/{node}/{group}", _json(body)


def neuron_tags(
    node: str, group: str, t_ms: int, values: Mapping[str, float], errors: Mapping[str, int]
) -> Message:
    """Neuron's format "tags"."""
    tags: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    tags += [{"name": name, "error": code} for name, code in errors.items()]
    body = {"timestamp": t_ms, "node": node, "group": group, "tags": tags}
    return f"/neuron/mqtt/{node}/{group}", _json(body)


def thingsboard(device: str, records: Mapping[int, Mapping[str, float]]) -> Message:
    """Gateway telemetry: several records, each with its own time."""
    rows = [{"ts": t_ms, "values": dict(values)} for t_ms, values in records.items()]
    return "v1/gateway/telemetry", _json({device: rows})


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
