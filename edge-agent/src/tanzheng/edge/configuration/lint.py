"""What works but is seldom meant: said at a check, with file and line. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from tanzheng.edge.configuration.config import Loaded, Placement
from tanzheng.edge.configuration.documents import Problems
from tanzheng.edge.configuration.links import serial_settings, station
from tanzheng.edge.configuration.traffic import LineLoad, line_loads
from tanzheng.edge.drivers import SENDING
from tanzheng.hardware.addresses import Hj212At

LOAD_MAX: Final = 0.8
POINTS_NAMED_MAX: Final = 5


def warnings_of(loaded: Loaded) -> list[str]:
    """Every warning, each with FILE:LINE."""
    problems = Problems()
    for load in line_loads(loaded.placements, loaded.plan.interval_ms):
        _line(load, loaded.plan.interval_ms, problems)
    for placement in loaded.placements:
        _device(placement, problems)
    _roles(loaded, problems)
    return problems.warnings


def _line(load: LineLoad, interval_ms: int, problems: Problems) -> None:
    placements = load.placements
    for first, other in _repeated(placements, lambda each: station(each.plan.link)):
        if not (name := station(other.plan.link)) or other.plan.link["protocol"] == "mqtt":
            continue
        what = f"{other.device.id} is {name} at {load.endpoint}, as {first.device.id} is"
        problems.warn(other.document, other.key, f"{what} · 地址重复")
    settings = serial_settings(placements[0].plan.link)
    for other in placements[1:]:
        if serial_settings(other.plan.link) != settings:
            what = f"{other.device.id} has other serial settings at {load.endpoint} than "
            problems.warn(
                other.document, other.key, f"{what}{placements[0].device.id} · 串口参数不一致"
            )
    polled = [each for each in placements if each.plan.link["protocol"] not in SENDING]
    silent_ms = sum(each.plan.link.get("timeout_ms", 1000) for each in polled)
    if silent_ms > interval_ms:
        what = f"if all {len(polled)} devices at {load.endpoint} are silent, their time-outs take "
        text = f"{what}{silent_ms} ms of {interval_ms} ms · 超时之和大于采集周期"
        problems.warn(placements[0].document, placements[0].key, text)
    if load.load is not None and load.load > LOAD_MAX:
        text = f"{load.endpoint} would be busy {load.load:.0%} of the time · 总线负荷过高"
        if often := [name for each in placements for name in _often(each)]:
            more = ", …" if len(often) > POINTS_NAMED_MAX else ""
            text += (
                f"; a longer interval_s would do for {', '.join(often[:POINTS_NAMED_MAX])}{more}"
            )
        problems.warn(placements[0].document, placements[0].key, text)


def _often(placement: Placement) -> list[str]:
    """Points that change slowly, by the profile, and are read at every slot."""
    fast = [name for name in placement.plan.fields if name not in placement.plan.slow_fields]
    slowly = [name for name in fast if placement.profile.field_point(name).poll == "slow"]
    return [f"{placement.device.id}/{name}" for name in slowly]


def _device(placement: Placement, problems: Problems) -> None:
    link, document, key = placement.plan.link, placement.document, placement.key
    port = str(link.get("serial_port", ""))
    if port.startswith(("/dev/ttyUSB", "/dev/ttyACM")):
        text = (
            f"{port} may be another adapter after a restart: use /dev/serial/by-id/… · 串口名会变"
        )
        problems.warn(document, (*key, "serial_port"), text)
    for name in placement.plan.fields:
        at = placement.profile.field_point(name).at
        if isinstance(at, Hj212At) and at.code == "a05001" and at.code not in link.get("units", {}):
            text = "a05001 is sent in mg/m³ or in % by different loggers: say which · 单位不明"
            problems.warn(document, (*key, "units"), text)


def _roles(loaded: Loaded, problems: Problems) -> None:
    points = [point for each in loaded.placements for point in each.device.points]
    gauges = {unit.operating.point for unit in loaded.units if unit.operating is not None}
    without = [p.name for p in points if p.role is None and p.name not in gauges]
    if without:
        text = f"{len(without)} points without a role are recorded, no month is computed of them: "
        problems.warn(loaded.plant, ("device",), f"{text}{_named(without)} · 无角色")


def _named(points: Sequence[str]) -> str:
    return ", ".join(points[:POINTS_NAMED_MAX]) + (", …" if len(points) > POINTS_NAMED_MAX else "")


def _repeated(
    placements: Sequence[Placement], what: Callable[[Placement], Any]
) -> Iterator[tuple[Placement, Placement]]:
    """(first, later) of placements of which `what` is the same."""
    firsts: dict[Any, Placement] = {}
    for each in placements:
        first = firsts.setdefault(what(each), each)
        if first is not each:
            yield first, each
