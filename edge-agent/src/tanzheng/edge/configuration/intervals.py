"""How often the points of a device are read, by the plant file. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tanzheng.core.plant import Device, Plant
from tanzheng.edge.abc import SLOW_EVERY
from tanzheng.edge.configuration.documents import Document, Problems
from tanzheng.edge.drivers import PROTOCOLS, SENDING

if TYPE_CHECKING:
    from tanzheng.edge.configuration.locate import Key


def phase_ms(plant: Plant, interval_ms: int) -> int:
    """Where slots lie within an interval: they are counted from midnight in plant time."""
    return -plant.zone.offset_minutes * 60_000 % interval_ms


def slow_fields(
    device: Device, plant: Plant, link: Mapping[str, Any], document: Document, problems: Problems
) -> tuple[tuple[str, ...], int]:
    """The fields that are read less often than the device, and at every how many of its slots.

    A device that sends by itself has none; others have one slow interval: else a problem is added.
    """
    own_ms = plant.interval_ms(device)
    found: dict[int, list[str]] = {}
    for index, point in enumerate(device.points):
        point_ms = plant.interval_ms(device, point)
        if point_ms == own_ms:
            continue
        found.setdefault(point_ms, []).append(point.field)
        wrong = ""
        if PROTOCOLS[link["protocol"]] in SENDING:
            wrong = f"expected that of a device which sends by itself, {own_ms // 1000}"
        elif len(found) > 1:
            wrong = f"expected one interval for all slow points, {next(iter(found)) // 1000}"
        if wrong:
            key: Key = ("device", plant.devices.index(device), "point", index, "interval_s")
            problems.add(document, key, f"{wrong}, got {point_ms // 1000}")
    if not found:
        return (), SLOW_EVERY
    interval_ms, fields = next(iter(found.items()))
    return tuple(fields), interval_ms // own_ms
