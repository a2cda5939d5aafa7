"""Which points of a plan are counters, and where they roll over, in the unit of their field."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

from tanzheng.edge.plan import DevicePlan
from tanzheng.edge.steps import Counter
from tanzheng.hardware.addresses import RegisterAt
from tanzheng.hardware.points import PointSpec
from tanzheng.hardware.profile import Profile

TYPE_LIMITS: Final[Mapping[str, int]] = {
    "u16": 1 << 16, "u32": 1 << 32, "u48": 1 << 48, "i16": 1 << 15, "i32": 1 << 31, "i48": 1 << 47,
    "bcd16": 10**4, "bcd32": 10**8, "bcd48": 10**12,
}  # fmt: skip
"""Where an integer starts again; 64 bits never do, and floats lose their last digits instead."""


def counters_of(devices: Iterable[DevicePlan]) -> dict[str, Counter]:
    """The counters of a plan, by point name."""
    found: dict[str, Counter] = {}
    for device in devices:
        profile = Profile.from_plan(device.profile)
        for field in device.fields:
            point = profile.field_point(field)
            if point.counter:
                found[f"{device.id}/{field}"] = Counter(_rollover(point, device.link))
    return found


def _rollover(point: PointSpec, link: Mapping[str, Any]) -> float | None:
    """None where it is not known: a fall is then a reset, and says so."""
    raw = point.rollover
    if raw is None and isinstance(point.at, RegisterAt) and point.at.type in TYPE_LIMITS:
        raw = Fraction(TYPE_LIMITS[point.at.type])
    if raw is None or point.scale_register is not None:
        return None
    factor = point.factor
    for name in point.times:
        if name not in link:  # the meter says it: only the driver knows
            return None
        above, _, below = str(link[name]).partition("/")
        factor *= Fraction(above) / Fraction(below or "1")
    return float(raw * factor)
