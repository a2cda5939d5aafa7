"""What the industries share: their documents, sums, purchased energy, values in conflict."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from pydantic import Field

from tanzheng.analytics.accounting.document import Input, Name, Quantity, UnitMonth
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient, rounded
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import InputInvalid

LINES_MAX = 200
"""Lines of one kind in a unit's month: the longest table of a guideline has 32 materials."""


class Facility(Input):
    """A part of the unit outside this guideline, with its result by its own guideline."""

    name: Name
    co2_calculated_t: Quantity


class IndustryMonth(UnitMonth):
    """What the months of the three industries have besides their own figures.

    `alternatives` names constants whose other value is to be taken, where sources conflict.
    Purchased electricity and heat are auxiliary: they never enter the emission.
    """

    facilities: tuple[Facility, ...] = Field(default=(), max_length=LINES_MAX)
    purchased_electricity_mwh: Quantity | None = None
    purchased_heat_gj: Quantity | None = None
    alternatives: tuple[Name, ...] = Field(default=(), max_length=LINES_MAX)


def with_alternatives(pack: Pack, names: Iterable[str]) -> Pack:
    """`pack` with the constants `names` at their other value, where sources conflict.

    The leaf keeps its name `alternative.…`, so that the result shows the choice.
    """
    chosen = dict(pack.values)
    for name in names:
        if not pack.has(f"alternative.{name}"):
            known = ", ".join(pack.constants_under("alternative")) or "nothing"
            raise InputInvalid(
                f"alternatives: expected one of {known} (pack {pack.name}), got {name!r}"
            )
        chosen[name] = pack.values[f"alternative.{name}"]
    return replace(pack, values=chosen)


def factor(pack: Pack, group: str, key: str, suffix: str) -> Node:
    """The constant `group.key.suffix`; `InputInvalid` names the keys that the pack has."""
    name = f"{group}.{key}.{suffix}"
    if pack.has(name):
        return pack.constant(name)
    ending = f".{suffix}"
    known = ", ".join(
        sorted(
            constant.removeprefix(f"{group}.").removesuffix(ending)
            for constant in pack.values
            if constant.startswith(f"{group}.") and constant.endswith(ending)
        )
    )
    raise InputInvalid(
        f"{group}: expected one that has {suffix} in pack {pack.name} ({known}), got {key!r}"
    )


def reported(name: str, value: Decimal, unit: str, decimals: int) -> Node:
    """A figure of the document, as it is reported: rounded before anything is computed."""
    return Node(name, rounded(value, decimals), unit)


def total(name: str, parts: Sequence[Node], formula: str, pack: Pack, unit: str = "t") -> Node:
    """The sum of rounded `parts`; no further rounding."""
    nothing = Decimal(0).scaleb(-pack.decimals("emission"))
    return Node(name, sum((p.value for p in parts), nothing), unit, formula, tuple(parts))


def facilities_co2(facilities: Sequence[Facility], pack: Pack) -> Node:
    """CO2 (t) of parts outside this guideline: by their own, taken over."""
    places = pack.decimals("emission")
    parts = [
        replace(reported("co2_calculated_t", part.co2_calculated_t, "t", places), of=part.name)
        for part in facilities
    ]
    return total("co2_facilities_t", parts, "Σ facilities, each by its own guideline", pack)


def electricity_co2(net_mwh: Node, pack: Pack) -> Node:
    """CO2 (t) of electricity, auxiliary: E = AD × EF of the grid."""
    grid = pack.constant("purchased.electricity_t_per_mwh")
    value = rounded(net_mwh.value * grid.value, pack.decimals("emission"))
    return Node("co2_electricity_t", value, "t", "AD × EF_grid", (net_mwh, grid))


def heat_co2(heat_gj: Node, pack: Pack) -> Node:
    """CO2 (t) of heat, auxiliary: E = AD × EF of heat."""
    per_heat = pack.constant("purchased.heat_t_per_gj")
    value = rounded(heat_gj.value * per_heat.value, pack.decimals("emission"))
    return Node("co2_heat_t", value, "t", "AD × EF_heat", (heat_gj, per_heat))


def purchased_co2(month: IndustryMonth, pack: Pack) -> list[Node]:
    """The auxiliary items of what is purchased; none where the document does not say."""
    found = list[Node]()
    if (power := month.purchased_electricity_mwh) is not None:
        places = pack.decimals("electricity")
        found.append(
            electricity_co2(reported("purchased_electricity_mwh", power, "MWh", places), pack)
        )
    if (heat := month.purchased_heat_gj) is not None:
        places = pack.decimals("heat")
        found.append(heat_co2(reported("purchased_heat_gj", heat, "GJ", places), pack))
    return found


def intensity(emission: Node, product: Node, pack: Pack, name: str) -> list[Node]:
    """CO2 a tonne of product (t/t), auxiliary; none where nothing was produced."""
    if not product.value:
        return []
    value = quotient(emission.value, product.value, pack.decimals("intensity"))
    return [Node(name, value, "t/t", "E / product", (emission, product))]
