"""Plausible values that move, for a simulated device of any profile. Pure.

They are no plant: each point for itself rises, falls and counts, so that a reader sees life.
"""

from fractions import Fraction
from math import pi, sin
from typing import Final

from tanzheng.core.fields import FIELDS
from tanzheng.hardware.errors import ValueOutOfRange
from tanzheng.hardware.modbus.image import RegisterImage
from tanzheng.hardware.profile import PointSpec, Profile

_TYPICAL: Final = {
    "V": 230.0, "A": 120.0, "kW": 250.0, "W": 250_000.0, "kvar": 60.0, "kVA": 260.0, "Hz": 50.0,
    "1": 0.95, "%": 8.0, "°C": 120.0, "kPa": 101.0, "m/s": 12.0, "mg/m3": 20.0, "kg/m": 40.0,
    "t/h": 90.0, "kg/m3": 800.0,
}  # fmt: skip
_OTHER: Final = 100.0
_SWING: Final = 0.02
_PERIOD_S: Final = 60.0
_COUNTER_START: Final = 1000
_COUNTS_PER_S: Final = Fraction(250, 3600)


def move(profile: Profile, image: RegisterImage, t_s: float) -> None:
    """Let `image` show the values of `t_s` seconds after the start.

    Status points and texts stay: they say that all is well.
    """
    status = {validity.point for point in profile.points for validity in point.validity}
    for number, point in enumerate(profile.points):
        if point.is_text or point.id in status or point.register.type == "bit":
            continue
        try:
            image.set(point, value_at(point, number, t_s))
        except ValueOutOfRange:
            # A register too small for the quantity's usual size shows small numbers instead.
            image.set_raw(point.register, 10 + number % 10 + int(t_s) % 10)


def value_at(point: PointSpec, number: int, t_s: float) -> Fraction | float:
    """What `point`, the profile's `number`th, shows at `t_s`, in the unit of `decode_value`."""
    if point.counter:
        # A whole step, so that a counter of coarse resolution never falls back by rounding.
        return _COUNTER_START * (number + 1) + Fraction(int(1000 * t_s), 1000) * _COUNTS_PER_S
    unit = FIELDS[point.field].unit if point.field else point.unit
    swing = sin(2 * pi * (t_s / _PERIOD_S + number / 7))
    return _TYPICAL.get(unit, _OTHER) * (1 + _SWING * swing)
