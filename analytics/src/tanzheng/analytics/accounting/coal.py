"""Coal: bases, weighting over days and batches, CO2 by measured or by default carbon.

Source: standards.md a.1 formulas A1 to A5, a.3 defaults, a.7 what holds where nothing was
measured. Moisture in %, carbon in tC/t, heating value in GJ/t; ar as received, ad air dried, d dry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tanzheng.analytics.accounting.combustion import burned, carbon_by_heat, measured
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient
from tanzheng.analytics.accounting.tree import Node
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

CARBON = "coal_carbon_tc_per_t"
NCV = "coal_ncv_gj_per_t"
MOISTURE = "coal_moisture_percent"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a laboratory found in coal; carbon on at most one basis, None where not measured."""

    ncv: Decimal | None = None
    carbon: Decimal | None = None
    carbon_ad: Decimal | None = None
    carbon_d: Decimal | None = None
    moisture: Decimal | None = None
    moisture_ad: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """A day's burned coal or a received batch: its tonnes weigh its analysis."""

    of: str
    tonnes: Decimal
    analysis: Analysis


def carbon_as_received(
    analysis: Analysis, pack: Pack, of: str, moisture: Node | None = None
) -> Node | None:
    """Carbon on the basis as received (A3); None where none was measured.

    `moisture` stands in for the analysis' own total moisture: a composite sample is dried, its
    coal was burned with the moisture of the days. `BadInput` where a moisture is missing.
    """
    if analysis.carbon is not None:
        return measured(CARBON, analysis.carbon, "tC/t", "carbon", pack)
    if analysis.carbon_ad is None and analysis.carbon_d is None:
        return None
    if analysis.moisture is not None:
        moisture = measured(MOISTURE, analysis.moisture, "%", "moisture", pack)
    if moisture is None:
        raise BadInput(
            f"{of}: {MOISTURE}: expected the total moisture, to convert carbon, got none"
        )
    if analysis.carbon_d is not None:
        return _from_dry(analysis.carbon_d, moisture, pack)
    if analysis.moisture_ad is None:
        raise BadInput(f"{of}: coal_moisture_ad_percent: expected it with air-dried carbon")
    return _from_air_dried(analysis, moisture, pack)


def _from_dry(carbon_d: Decimal, moisture: Node, pack: Pack) -> Node:
    dry = measured("coal_carbon_d_tc_per_t", carbon_d, "tC/t", "carbon", pack)
    value = quotient(dry.value * (100 - moisture.value), Decimal(100), pack.decimals("carbon"))
    return Node(CARBON, value, "tC/t", "C_d × (100 − M_ar)/100", (dry, moisture))


def _from_air_dried(analysis: Analysis, moisture: Node, pack: Pack) -> Node:
    assert analysis.carbon_ad is not None
    assert analysis.moisture_ad is not None
    dried = measured("coal_carbon_ad_tc_per_t", analysis.carbon_ad, "tC/t", "carbon", pack)
    inherent = measured("coal_moisture_ad_percent", analysis.moisture_ad, "%", "moisture", pack)
    if inherent.value >= 100:
        raise BadInput(f"coal_moisture_ad_percent: expected less than 100 %, got {inherent.value}")
    value = quotient(
        dried.value * (100 - moisture.value), 100 - inherent.value, pack.decimals("carbon")
    )
    inputs = (dried, moisture, inherent)
    return Node(CARBON, value, "tC/t", "C_ad × (100 − M_ar)/(100 − M_ad)", inputs)


def weighted(
    name: str, unit: str, decimals: int, parts: Sequence[tuple[Node, Node]]
) -> Node | None:
    """The mean of figures by tonnes, Σ x·FC / Σ FC (A4); None where nothing weighs anything."""
    tonnes = sum((weight.value for _, weight in parts), Decimal(0))
    if not tonnes:
        return None
    total = sum((figure.value * weight.value for figure, weight in parts), Decimal(0))
    inputs = tuple(node for pair in parts for node in pair)
    return Node(name, quotient(total, tonnes, decimals), unit, "Σ(x·FC) / ΣFC", inputs)


def month_analysis(
    lots: Sequence[Lot], month: Analysis, pack: Pack, of: str
) -> tuple[Node | None, Node | None]:
    """Heating value and carbon as received of a month's coal; None where not validly measured.

    What is known of the month as a whole stands before the mean of the lots. A composite sample
    (A5) is the month's carbon, air dried or dry, burned with the mean moisture of the lots.
    """
    weights = [measured("coal_t", lot.tonnes, "t", "fuel", pack) for lot in lots]
    heats = [_reported(NCV, lot.analysis.ncv, "GJ/t", "ncv", pack, lot.of) for lot in lots]
    wet = [
        _reported(MOISTURE, lot.analysis.moisture, "%", "moisture", pack, lot.of) for lot in lots
    ]
    carbons = [carbon_as_received(lot.analysis, pack, f"{of} {lot.of}") for lot in lots]
    moisture = _mean(MOISTURE, "%", pack.decimals("moisture"), wet, weights, of)
    ncv = _reported(NCV, month.ncv, "GJ/t", "ncv", pack, "")
    carbon = carbon_as_received(month, pack, of, moisture)
    return (
        ncv or _mean(NCV, "GJ/t", pack.decimals("ncv"), heats, weights, of),
        carbon or _mean(CARBON, "tC/t", pack.decimals("carbon"), carbons, weights, of),
    )


def _reported(
    name: str, value: Decimal | None, unit: str, quantity: str, pack: Pack, of: str
) -> Node | None:
    return None if value is None else measured(name, value, unit, quantity, pack, of)


def _mean(
    name: str,
    unit: str,
    decimals: int,
    figures: Sequence[Node | None],
    weights: Sequence[Node],
    of: str,
) -> Node | None:
    """The weighted mean, where each lot that weighs something has the figure, or none has it."""
    pairs = [pair for pair in zip(figures, weights, strict=True) if pair[1].value]
    known = [(figure, weight) for figure, weight in pairs if figure is not None]
    if known and len(known) < len(pairs):
        raise BadInput(
            f"{of}: {name}: expected it of every day or batch or of none, "
            f"got {len(known)} of {len(pairs)}"
        )
    return weighted(name, unit, decimals, known)


def coal_co2(
    tonnes: Node,
    ncv: Node | None,
    carbon: Node | None,
    month: Month,
    pack: Pack,
    of: str = "fuel.coal",
) -> Node:
    """CO2 (t) of a month's coal: by measured carbon (A1), else by heat and default carbon (A2).

    Where the heating value was not measured either, the punitive default stands in.
    """
    if carbon is None:
        heat = ncv or pack.constant("coal_default.ncv_gj_per_t", month).named(NCV)
        content = pack.constant("coal_default.carbon_tc_per_gj", month)
        carbon = carbon_by_heat(CARBON, "tC/t", heat, content.named("coal_carbon_tc_per_gj"), pack)
    oxidation = pack.constant("coal_default.oxidation_percent", month).named("oxidation_percent")
    return burned(tonnes, carbon, oxidation, pack, of)
