"""An evidence package as a month of the year: figures of its manifest, constants of its tree."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tanzheng.analytics.accounting.pack import load_pack, pack_names
from tanzheng.analytics.annual.accounts import factors_of
from tanzheng.analytics.annual.figures import Figure, Line, Ratio, is_additive, line, weighted
from tanzheng.analytics.annual.months import Evidence, Origin, PackRef, UnitMonth
from tanzheng.core import canonical_json
from tanzheng.core.bag import check_bag
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.manifest import (
    FINDINGS_PATH,
    MANIFEST_PATH,
    PLANT_PATH,
    Manifest,
    PackageInvalid,
)
from tanzheng.core.plant import Plant

KIND = "month"
EMISSION = "co2_calculated_t"
GAS, COAL = "fuel.natural_gas", "coal"
_LINES = {
    GAS: (
        "fuel_gas_1e4nm3",
        "gas_ncv_gj_per_1e4nm3",
        "gas_carbon_tc_per_gj",
        "gas_carbon_tc_per_1e4nm3",
        "oxidation_percent",
    ),
    COAL: ("coal_t", "coal_ncv_gj_per_t", "coal_carbon_tc_per_t", "oxidation_percent"),
}
"""Fuel → its quantity, then what its emission was computed from."""
_LINE_NAMES = {name for names in _LINES.values() for name in names}
_PER_ELECTRICITY = {
    "co2_intensity_t_per_mwh": EMISSION,
    "gross_coal_rate_tce_per_mwh": "coal_equivalent_tce",
}
_PER_HEAT = {
    "co2_intensity_t_per_gj": EMISSION,
    "heat_coal_rate_tce_per_gj": "coal_equivalent_tce",
}
"""Ratio → what of it falls to electricity or heat (standards.md A13)."""


def read_package(files: Mapping[str, bytes], where: str) -> Evidence:
    """The month in a package's files (`folder.read`), each byte checked first.

    Raises `PackageInvalid` for a changed byte, `BadInput` for a package of another kind.
    """
    described = _checked(files, where)
    if described.subject.kind != KIND:
        raise BadInput(f"{where}: expected a package of kind {KIND}, got {described.subject.kind}")
    values = {item.name: (Decimal(item.value), item.unit) for item in described.parameters}
    if EMISSION not in values:
        raise BadInput(f"{where}: expected the figure {EMISSION}, got none")
    plant = Plant.parse(files[PLANT_PATH], f"{where}: {PLANT_PATH}")
    emission = Figure(EMISSION, values[EMISSION][1], values[EMISSION][0])
    return Evidence(
        described.subject.enterprise,
        plant.name,
        plant.name_zh,
        described.subject.unit,
        _sector(described, where),
        UnitMonth(
            Month.parse(described.subject.period),
            PackRef(described.standard.name, described.standard.version, described.standard.sha256),
            Origin("package", sha256(files[MANIFEST_PATH]), described.plant_sha256),
            (emission, *_headline(values, where)),
            _lines(values),
        ),
        factors_of([_calculation(files, where)], described.standard.name),
        where,
        tuple(unit.id for unit in plant.units),
        described.absent,
    )


def _checked(files: Mapping[str, bytes], where: str) -> Manifest:
    try:
        return check_bag(files)
    except PackageInvalid as error:
        raise PackageInvalid(f"{where}: {error}") from None


def _sector(described: Manifest, where: str) -> str:
    name = described.standard.name
    if name not in pack_names():
        raise BadInput(f"{where}: expected a standard among {', '.join(pack_names())}, got {name}")
    return load_pack(name).sector


def _calculation(files: Mapping[str, bytes], where: str) -> Mapping[str, Any]:
    content = canonical_json.loads(files[FINDINGS_PATH], f"{where}: {FINDINGS_PATH}")
    if not isinstance(content, dict) or not isinstance(content.get("calculation"), dict):
        raise BadInput(f"{where}: {FINDINGS_PATH}: expected a calculation, got none")
    return content["calculation"]  # type: ignore[no-any-return]


def _lines(values: Mapping[str, tuple[Decimal, str]]) -> tuple[Line, ...]:
    co2, unit = values[EMISSION]
    return tuple(
        line(
            fuel,
            Figure("co2_combustion_t", unit, co2),
            {name: values[name] for name in names if name in values},
        )
        for fuel, names in _LINES.items()
        if names[0] in values
    )


def _headline(values: Mapping[str, tuple[Decimal, str]], where: str) -> list[Figure]:
    """The figures of the unit as a whole, each with what its year is made of."""
    figures = []
    for name, (value, unit) in values.items():
        if name == EMISSION or name in _LINE_NAMES:
            continue
        if is_additive(name) or name == "rated_capacity_mw":
            figures.append(Figure(name, unit, value))
        elif name == "coverage_percent":
            hours = values["operating_hours_h"][0]
            figures.append(weighted(name, unit, value, hours, "operating_hours_h"))
        elif name == "heat_share_percent":
            figures.append(weighted(name, unit, value, values[EMISSION][0], EMISSION))
        elif ratio := _ratio(name, {key: number for key, (number, _) in values.items()}):
            figures.append(Figure(name, unit, value, ratio))
        else:
            raise BadInput(f"{where}: expected figures with a rule for the year, got {name}")
    return figures


def _ratio(name: str, values: Mapping[str, Decimal]) -> Ratio | None:
    """What stands above and below the line of a ratio; None for a name that is none."""
    share = values.get("heat_share_percent", Decimal(0))
    if name == "load_factor_percent":
        possible = values["rated_capacity_mw"] * values["operating_hours_h"]
        by = "rated_capacity_mw × operating_hours_h"
        return Ratio(100 * values["generation_mwh"], possible, by)
    if name in _PER_ELECTRICITY:
        part = (100 - share) * values[_PER_ELECTRICITY[name]] / 100
        return Ratio(part, values["generation_mwh"], "generation_mwh")
    if name in _PER_HEAT:
        part = share * values[_PER_HEAT[name]] / 100
        return Ratio(part, values["heat_supplied_gj"], "heat_supplied_gj")
    return None
