"""The rows of the information-disclosure table that the report itself can fill in."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tanzheng.analytics.annual.figures import Figure, Line, values
from tanzheng.analytics.annual.months import Evidence
from tanzheng.analytics.annual.words import (
    SECTORS,
    Words,
    figure_words,
    line_words,
    number,
)
from tanzheng.analytics.annual.year import UnitYear

MEASURED, DEFAULT = Words("measured", "实测"), Words("default", "缺省值")
UNUSED = Words("not used", "未采用")
_COAL_DEFAULT = "coal_default"


def row_values(
    name: Words, found: Sequence[Evidence], units: Sequence[UnitYear], total: Decimal
) -> dict[str, Words]:
    """The computed rows by key."""
    emission = figure_words(units[0].emission.name)
    return {
        "name": name,
        "sectors": _joined(SECTORS[s] for s in sorted({unit.sector for unit in units})),
        "units": _joined(_unit(unit) for unit in units),
        "determination": _joined(_determinations(found, units)),
        "emissions": _joined(
            Words(*2 * (f"{unit.unit}: {number(unit.emission.value)} t",)) for unit in units
        ),
        "total": Words(f"{number(total)} t ({emission.en})", f"{number(total)} t（{emission.zh}）"),
    }


def _joined(items: Iterable[Words]) -> Words:
    parts = list(items)
    return Words("; ".join(item.en for item in parts), "；".join(item.zh for item in parts))


def _unit(unit: UnitYear) -> Words:
    lines = [line_words(line.of, line.key[0]) for line in unit.lines]
    capacity = values(unit.figures).get("rated_capacity_mw")
    power = f", {number(capacity)} MW" if capacity else ""
    return Words(
        f"{unit.unit}: {', '.join(item.en for item in lines)}{power}",
        f"{unit.unit}：{'、'.join(item.zh for item in lines)}{power.replace(', ', '，')}",
    )


def _determinations(found: Sequence[Evidence], units: Sequence[UnitYear]) -> list[Words]:
    """For each fuel of each unit whether heating value and carbon were measured, and when.

    A default is what stands as a constant among the month's factors.
    """
    told = []
    for unit in units:
        months = [item for item in found if item.unit == unit.unit]
        fuels = [
            line for line in unit.lines if any("carbon_tc_per_" in f.name for f in line.figures)
        ]
        told += [_determination(unit.unit, line, months) for line in fuels]
    return told


def _determination(unit: str, line: Line, months: Sequence[Evidence]) -> Words:
    burned = [item for item in months if any(one.key == line.key for one in item.month.lines)]
    label = line_words(line.of, line.key[0])
    known = any("_ncv_gj_per_" in figure.name for item in burned for figure in _of(item, line))
    heat = _how(line.of, "ncv_gj_per_", burned) if known else UNUSED
    carbon = _how(line.of, "carbon_tc_per_gj", burned)
    return Words(
        f"{unit} {label.en}: heating value {heat.en}, carbon {carbon.en}",
        f"{unit} {label.zh}：低位发热量{heat.zh}，含碳量{carbon.zh}",
    )


def _of(item: Evidence, line: Line) -> list[Figure]:
    return [figure for one in item.month.lines if one.key == line.key for figure in one.figures]


def _how(of: str, constant: str, months: Sequence[Evidence]) -> Words:
    """`of` is the fuel, `constant` the beginning of what its default is called in the pack."""
    fuel = of.removeprefix("fuel.")
    prefixes = [f"fuel.{fuel}.{constant}", f"alternative.fuel.{fuel}.{constant}"]
    if not of.startswith("fuel."):
        prefixes.append(f"{_COAL_DEFAULT}.{constant}")
    by_default = sum(
        any(factor.name.startswith(tuple(prefixes)) for factor in item.factors) for item in months
    )
    if not by_default:
        return MEASURED
    if by_default == len(months):
        return DEFAULT
    return Words(
        f"default in {by_default} of {len(months)} months",
        f"{len(months)} 个月中 {by_default} 个月采用缺省值",
    )
