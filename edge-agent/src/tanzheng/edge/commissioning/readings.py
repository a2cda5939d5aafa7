"""What a person sees of a device that was read once. Values only, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tanzheng.edge.views import table_of


@dataclass(frozen=True, slots=True)
class PointReading:
    """One point: a value with its quality, or the reason why there is none.

    `value` is in `unit`, text for strings. `raw` is hex as it came. `orders` are the four word
    orders of a 32-bit value, where `expected` (lowest, highest) is known for comparison.
    """

    point: str
    unit: str
    value: float | str | None = None
    quality: str | None = None
    reason: str | None = None
    raw: str | None = None
    latency_ms: float | None = None
    order: str | None = None
    orders: Mapping[str, float | None] | None = None
    expected: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """One device: all its points, or `failure` where nothing at all was read."""

    device: str
    profile: str
    address: str
    points: Sequence[PointReading]
    failure: str | None = None
    identity: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As `read-once --json` prints it."""
        return asdict(self)


def reading_view(readings: Sequence[DeviceReading]) -> RenderableType:
    """Tables for a terminal, a device each."""
    return Group(*(_device_view(each) for each in readings))


def _device_view(reading: DeviceReading) -> RenderableType:
    head = Text(f"{reading.device} · {reading.profile} · {reading.address}", style="bold")
    parts: list[RenderableType] = [head]
    if reading.identity:
        parts.append(Text(f"identity 标识: {reading.identity}"))
    if reading.points:
        parts.append(_points_table(reading.points))
    if reading.failure:
        parts.append(Text(f"failed 失败: {reading.failure}", style="red"))
    orders = [point for point in reading.points if point.orders is not None]
    if orders:
        parts.append(_orders_table(orders))
    return Group(*parts)


def _points_table(points: Sequence[PointReading]) -> Table:
    width = max(len(point.point) for point in points)
    table = table_of(("point 点", "value 数值", "raw 原始", "ms", "quality\n质量"), "", width)
    for point in points:
        value = "–" if point.value is None else f"{_number(point.value)} {point.unit}".strip()
        said = point.quality if point.reason is None else point.reason
        style = "green" if point.quality == "good" else "yellow" if point.quality else "red"
        latency = "–" if point.latency_ms is None else f"{point.latency_ms:.0f}"
        table.add_row(
            Text(point.point), Text(value), Text(point.raw or ""), latency, Text(said or "", style)
        )
    return table


def _orders_table(points: Sequence[PointReading]) -> Table:
    """For commissioning: a wrong word order shows as a value nobody would believe."""
    width = max(len(point.point) for point in points)
    names = ("ABCD", "CDAB", "BADC", "DCBA")
    table = table_of(("32 bits 字序", *names, "range\n范围"), "", width)
    for point in points:
        cells = [_order_cell(point, name) for name in names]
        limits = "–" if point.expected is None else " … ".join(map(_number, point.expected))
        table.add_row(Text(point.point), *cells, limits)
    return table


def _order_cell(point: PointReading, name: str) -> Text:
    value = (point.orders or {}).get(name)
    style = "dim"
    if value is not None and point.expected is not None:
        style = "green" if point.expected[0] <= value <= point.expected[1] else "red"
    mark = "*" if name == point.order else ""
    return Text(("–" if value is None else f"{value:.3g}") + mark, style=style)


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
