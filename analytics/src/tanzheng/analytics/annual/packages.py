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
GAS = "fuel.natural_gas"
_GAS_LINE = (
    "fuel_gas_1e4nm3",
    "gas_ncv_gj_per_1e4nm3",
    "gas_carbon_tc_per_gj",
    "gas_carbon_tc_per_1e4nm3",
    "oxidation_percent",
)


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
    found = {name: values[name] for name in _GAS_LINE if name in values}
    co2, unit = values[EMISSION]
    return (line(GAS, Figure("co2_combustion_t", unit, co2), found),) if found else ()


def _headline(values: Mapping[str, tuple[Decimal, str]], where: str) -> list[Figure]:
    """The figures of the unit as a whole, each with what its year is made of."""
    figures = []
    for name, (value, unit) in values.items():
        if name == EMISSION or name in _GAS_LINE:
            continue
        if is_additive(name) or name == "rated_capacity_mw":
            figures.append(Figure(name, unit, value))
        elif name == "coverage_percent":
            hours = values["operating_hours_h"][0]
            figures.append(weighted(name, unit, value, hours, "operating_hours_h"))
        elif name in ("load_factor_percent", "co2_intensity_t_per_mwh"):
            figures.append(Figure(name, unit, value, _ratio(name, values)))
        else:
            raise BadInput(f"{where}: expected figures with a rule for the year, got {name}")
    return figures


def _ratio(name: str, values: Mapping[str, tuple[Decimal, str]]) -> Ratio:
    generation = values["generation_mwh"][0]
    if name == "load_factor_percent":
        possible = values["rated_capacity_mw"][0] * values["operating_hours_h"][0]
        return Ratio(100 * generation, possible, "rated_capacity_mw × operating_hours_h")
    return Ratio(values[EMISSION][0], generation, "generation_mwh")
