"""What a configuration asks of its lines: requests a slot, and the time that they take. Pure.

Figures for a serial line are estimates: characters at its speed, silences as the standards ask,
and a device that thinks for the usual time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tanzheng.edge.configuration.config import Placement
from tanzheng.edge.configuration.links import endpoint, serial_settings
from tanzheng.edge.drivers import SENDING
from tanzheng.hardware.blocks import plan_blocks
from tanzheng.hardware.points import PointSpec

MODBUS_DEVICE_MS: Final = 50.0
DLT645_DEVICE_MS: Final = 150.0
"""A device's own time before it answers: 20 to 150 ms on Modbus, 20 to 500 ms on DL/T 645."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of one device: requests at a slot when all are due and on average, and milliseconds on its
    serial line, None where it has none or sends by itself."""

    requests: int
    requests_mean: float
    line_ms: float | None


@dataclass(frozen=True, slots=True)
class LineLoad:
    """One endpoint: its devices, and the mean share of the interval that a serial line is busy."""

    endpoint: str
    placements: tuple[Placement, ...]
    round_ms: float | None
    load: float | None


def traffic_of(placement: Placement) -> Traffic | None:
    """The traffic of a polled device; None for one that sends by itself."""
    protocol = placement.plan.link["protocol"]
    if protocol in SENDING:
        return None
    wanted = [placement.profile.field_point(name) for name in placement.plan.fields]
    plan = placement.plan
    fast = [point for point in wanted if point.field not in plan.slow_fields]
    slow = [point for point in wanted if point.field in plan.slow_fields]
    times = _dlt645_times if protocol == "dlt645" else _modbus_times
    often, seldom = times(placement, fast), times(placement, slow)
    mean = len(often) + len(seldom) / plan.slow_every
    serial = serial_settings(placement.plan.link) is not None
    total = sum(often) + sum(seldom) if serial else None
    return Traffic(len(often) + len(seldom), mean, total)


def line_loads(placements: Sequence[Placement], interval_ms: int) -> list[LineLoad]:
    """The endpoints in the order of their first devices."""
    lines: dict[str, list[Placement]] = {}
    for placement in placements:
        lines.setdefault(endpoint(placement.plan.link), []).append(placement)
    return [_load(name, tuple(devices), interval_ms) for name, devices in lines.items()]


def _load(name: str, placements: tuple[Placement, ...], interval_ms: int) -> LineLoad:
    round_ms = load = 0.0
    for each in placements:
        traffic = traffic_of(each)
        if traffic is not None and traffic.line_ms:
            round_ms += traffic.line_ms
            mean_ms = traffic.line_ms * traffic.requests_mean / max(1, traffic.requests)
            load += mean_ms / max(interval_ms, each.plan.interval_ms)
    if not round_ms:
        return LineLoad(name, placements, None, None)
    return LineLoad(name, placements, round_ms, load)


def _modbus_times(placement: Placement, points: Sequence[PointSpec]) -> list[float]:
    """Milliseconds of each request over RTU: 8 bytes there, 5 and the values back."""
    link = placement.plan.link
    if not points:
        return []
    blocks = plan_blocks(placement.profile, points, link.get("registers_per_read_max"))
    data = [-(-block.count // 8) if block.fc in (1, 2) else 2 * block.count for block in blocks]
    char_ms = _char_ms(link)
    pause_ms = max(link.get("pause_ms", 0), placement.profile.pause_ms)
    silence_ms = 2 * max(3.5 * char_ms, 1.75)
    return [(8 + 5 + count) * char_ms + silence_ms + MODBUS_DEVICE_MS + pause_ms for count in data]


def _dlt645_times(placement: Placement, points: Sequence[PointSpec]) -> list[float]:
    """Milliseconds of each request: one a data identifier, 16 bytes there, as many and the
    values back, wake-up bytes before both."""
    link = placement.plan.link
    parts: dict[str, int] = {}
    for point in points:
        di = getattr(point.at, "di", point.id)
        parts[di] = max(parts.get(di, 1), (getattr(point.at, "part", None) or 0) + 1)
    frame = 16 + link.get("wake_bytes", 4)
    return [(2 * frame + 4 * n) * _char_ms(link) + DLT645_DEVICE_MS for n in parts.values()]


def _char_ms(link: Any) -> float:
    """A start bit, eight of data, parity, stop."""
    baud, parity, stop = serial_settings(link) or (9600, "N", 1)
    return (9 + (parity != "N") + stop) * 1000 / float(baud)
