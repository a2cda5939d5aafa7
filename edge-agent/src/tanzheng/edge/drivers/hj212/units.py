"""From the unit that a logger sends to the unit of a profile, exactly. Pure.

HJ 212 frames name no unit. The standard sets one a factor, and sites send others: CO2 (a05001)
is mg/m3 by the table, with three digits before the point, and 12 % of CO2 are 236 000 mg/m3.
Gas volumes are at 0 °C and 101.325 kPa: 22.4 litres a mole, as HJ 212-2017 Annex D has it.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tanzheng.core.errors import BadInput
from tanzheng.edge.drivers.hj212.factors import factor

Line = tuple[Fraction, Fraction]
"""(a, b): wanted = a × sent + b."""

_LITRES_A_MOLE: Final = Fraction("22.4")
_SAME: Final = Fraction(0)
_KELVIN: Final = Fraction("273.15")

# unit: (kind, size in the kind's first unit, what its zero is in that unit)
_UNITS: Final = {
    name: (kind, Fraction(size), Fraction(zero))
    for kind, rows in {
        "volume fraction": (("%", "1/100", 0), ("ppm", "1e-6", 0), ("ppb", "1e-9", 0)),
        "mass concentration": (
            ("kg/m3", "1000", 0), ("g/m3", 1, 0), ("mg/m3", "1e-3", 0), ("ug/m3", "1e-6", 0),
            ("ng/m3", "1e-9", 0),
        ),
        "volume flow": (
            ("m3/h", 1, 0), ("m3/min", 60, 0), ("m3/s", 3600, 0), ("1e4m3/h", 10_000, 0),
        ),
        "standard volume flow": (
            ("Nm3/h", 1, 0), ("Nm3/min", 60, 0), ("Nm3/s", 3600, 0), ("1e4Nm3/h", 10_000, 0),
        ),
        "temperature": (("degC", 1, 0), ("K", 1, -_KELVIN)),
        "pressure": (
            ("Pa", 1, 0), ("hPa", 100, 0), ("mbar", 100, 0), ("kPa", 1000, 0), ("bar", 100_000, 0),
            ("MPa", 1_000_000, 0),
        ),
        "velocity": (("m/s", 1, 0), ("km/h", "5/18", 0)),
        "power": (("W", 1, 0), ("kW", 1000, 0), ("MW", 1_000_000, 0)),
        "energy": (("Wh", 1, 0), ("kWh", 1000, 0), ("MWh", 1_000_000, 0)),
        "voltage": (("V", 1, 0), ("kV", 1000, 0)),
        "mass flow": (("kg/h", 1, 0), ("t/h", 1000, 0), ("kg/s", 3600, 0)),
    }.items()
    for name, size, zero in rows
}  # fmt: skip
_OTHER_NAMES: Final = {"°C": "degC", "℃": "degC", "万m3/h": "1e4m3/h", "µg/m3": "ug/m3"}
NAMES: Final = tuple(_UNITS)


def unit_name(text: str) -> str:
    """One spelling for each unit: `mg/m³` and `mg/Nm3` are `mg/m3`, `℃` is `degC`."""
    name = text.strip().replace("³", "3")
    if name.startswith(("mg/N", "g/N", "ug/N", "ng/N")):
        name = name.replace("/N", "/")
    return _OTHER_NAMES.get(name, name)


def conversion(code: str, sent: str, wanted: str) -> Line:
    """How a value of the factor `code` in `sent` becomes one in `wanted`; `BadInput` if never."""
    from_name, to_name = unit_name(sent), unit_name(wanted)
    if from_name == to_name:
        return Fraction(1), _SAME
    if from_name not in _UNITS or to_name not in _UNITS:
        known = ", ".join(NAMES)
        raise BadInput(f"unit of {code}: expected one of {known}, got {sent!r} for {wanted!r}")
    from_kind, from_size, from_zero = _UNITS[from_name]
    to_kind, to_size, to_zero = _UNITS[to_name]
    if from_kind == to_kind:
        return from_size / to_size, (from_zero - to_zero) / to_size
    return _by_molar_mass(code, from_kind, to_kind, sent, wanted) * from_size / to_size, _SAME


def _by_molar_mass(code: str, from_kind: str, to_kind: str, sent: str, wanted: str) -> Fraction:
    """g/m3 that one volume a volume is, or its inverse."""
    found = factor(code)
    if not found or not found.molar_g:
        raise BadInput(f"unit of {code}: expected one that leads to {wanted}, got {sent!r}")
    grams = Fraction(found.molar_g) / _LITRES_A_MOLE * 1000
    if (from_kind, to_kind) == ("volume fraction", "mass concentration"):
        return grams
    if (from_kind, to_kind) == ("mass concentration", "volume fraction"):
        return 1 / grams
    raise BadInput(f"unit of {code}: expected one that leads to {wanted}, got {sent!r}")


@dataclass(frozen=True, slots=True)
class Credible:
    """What a stack can show. A value above 0 and below `least` is a value in another unit."""

    low: Fraction
    high: Fraction
    unit: str
    least: Fraction = Fraction(0)

    def holds(self, value: Fraction) -> bool:
        """`value` in `unit`."""
        return self.low <= value <= self.high and not 0 < value < self.least


# CO2 between 0 and 0.02 % (half of the air's) in a mass unit is no stack: percent or g/m3 are
# sent where mg/m3 is set. In percent it may be noise around zero.
CREDIBLE: Final = {
    "a05001": Credible(Fraction(-1), Fraction(30), "%", Fraction("0.02")),
    "a19001": Credible(Fraction(-1), Fraction(25), "%"),
    "a01014": Credible(Fraction(-1), Fraction(100), "%"),
    "a01012": Credible(Fraction(-60), Fraction(1300), "degC"),
    "a01011": Credible(Fraction(-5), Fraction(80), "m/s"),
    "a00000": Credible(Fraction(-100), Fraction(3000), "m3/s"),
}


def credible(code: str, sent: str, value: Fraction) -> bool:
    """Can `value` of `code` be in the unit `sent`? True where nothing is known of it."""
    limits = CREDIBLE.get(code)
    if limits is None:
        return True
    try:
        scale, shift = conversion(code, sent, limits.unit)
    except BadInput:
        return True
    if unit_name(sent) == unit_name(limits.unit):
        limits = Credible(limits.low, limits.high, limits.unit)
    return limits.holds(value * scale + shift)
