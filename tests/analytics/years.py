"""Years for tests: a coal year from `tanzheng account`, a gas year as evidence packages."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from tanzheng.analytics.accounting.combustion import gas_co2
from tanzheng.analytics.accounting.engine import account_document
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.accounting.rounding import quotient, rounded
from tanzheng.analytics.annual.accounts import read_accounts
from tanzheng.analytics.annual.months import ACCEPTED, Acceptance, Evidence
from tanzheng.analytics.annual.packages import read_package
from tanzheng.core import canonical_json, manifest
from tanzheng.core.bag import bag_files
from tanzheng.core.calendar import Month
from tanzheng.core.fields import field
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.plant import Plant

YEAR = 2024
ENTERPRISE = "Binhai Power"
GAS_ENTERPRISE = "CN-320600-0017"
PLANT_TOML = """
version = 1
enterprise = "CN-320600-0017"
name = "Binhai Gas Power"
name_zh = "滨海燃气发电有限公司"
utc_offset = "+08:00"

[[unit]]
id = "G1"
kind = "gas"
rated_capacity_mw = "300"
rated_capacity_source = "filed"

[[unit]]
id = "G2"
kind = "gas"
rated_capacity_mw = "180"
rated_capacity_source = "filed"

[[gateway]]
id = "gw1"
interval_s = 60

[[device]]
id = "meter"
gateway = "gw1"
unit = "G1"
profile = "energy"
[[device.point]]
field = "active_energy_export_kwh"
role = "generation"
"""
PACK = load_pack("cets_power/2023-2024")
# Winter and summer peaks, an overhaul in April.
LOAD = (88, 71, 80, 12, 55, 74, 93, 91, 63, 58, 76, 90)


def coal_input(unit: str, scale: int = 100, months: Sequence[int] = range(1, 13)) -> dict[str, Any]:
    """The input document of a coal unit's months, of which no two are alike."""
    return {
        "version": 1,
        "enterprise": ENTERPRISE,
        "months": [_coal_month(unit, number, scale) for number in months],
    }


def _coal_month(unit: str, number: int, scale: int) -> dict[str, Any]:
    load = Decimal(LOAD[number - 1] * scale) / 100
    month: dict[str, Any] = {
        "sector": "power",
        "unit": unit,
        "month": f"{YEAR}-{number:02d}",
        "unit_class": "coal_over_300mw",
        "coals": [
            {
                "coal": "bituminous",
                "coal_t": f"{load * 1790 + number:.2f}",
                "coal_ncv_gj_per_t": f"{Decimal('20.4') + Decimal(number) / 7:.3f}",
            }
        ],
        "fuels": [{"fuel": "diesel", "fuel_t": f"{Decimal(40) / (load + 1):.2f}"}],
        "machines": [
            {
                "machine": "turbine",
                "rated_capacity_mw": "600",
                "operating_hours_h": f"{load * 7:.2f}",
            }
        ],
        "generation_mwh": f"{load * 3700 + number:.3f}",
        "auxiliary_electricity_mwh": f"{load * 190:.3f}",
        "heat_supplied_gj": f"{load * 900 * (number in (1, 2, 3, 11, 12)):.2f}",
        "boiler_heat_gj": f"{load * 35000:.2f}",
    }
    if number not in (4, 10):
        month["coals"][0]["coal_carbon_tc_per_t"] = (
            f"{Decimal('0.53') + number * Decimal('.0037'):.4f}"
        )
    return month


def accounts(document: Mapping[str, Any]) -> bytes:
    """What `tanzheng account --json` prints for an input document."""
    result = account_document(json.dumps(document).encode(), "input.json")
    return json.dumps(result.to_json(), ensure_ascii=False, indent=2).encode()


@cache
def coal_year() -> tuple[Evidence, ...]:
    """Two coal units of one enterprise."""
    return tuple(
        item
        for unit, scale in (("1", 100), ("2", 61))
        for item in read_accounts(accounts(coal_input(unit, scale)), f"unit{unit}.json")
    )


def gas_figures(number: int, capacity: str = "300") -> dict[str, Decimal]:
    """A month's reported figures of a gas unit, as `month close` names and rounds them."""
    load, mw = Decimal(LOAD[number - 1]), Decimal(capacity)
    energy = rounded(mw * load * Decimal("7.1") + number, 3)
    hours = rounded(load * Decimal("7.4"), 2)
    tree = gas_co2(energy * Decimal("0.0158831"), PACK)
    return {
        "rated_capacity_mw": mw,
        "generation_mwh": energy,
        "heat_supplied_gj": Decimal("0.00"),
        "operating_hours_h": hours,
        "load_factor_percent": quotient(100 * energy, mw * hours, 2),
        "fuel_gas_1e4nm3": tree.find("fuel_1e4nm3").value,
        "gas_ncv_gj_per_1e4nm3": tree.find("fuel_ncv_gj_per_1e4nm3").value,
        "gas_carbon_tc_per_gj": tree.find("fuel_carbon_tc_per_gj").value,
        "gas_carbon_tc_per_1e4nm3": tree.find("fuel_carbon_tc_per_1e4nm3").value,
        "oxidation_percent": tree.find("oxidation_percent").value,
        "co2_calculated_t": tree.value,
        "co2_intensity_t_per_mwh": quotient(tree.value, energy, 4),
        "co2_cems_t": rounded(tree.value * Decimal("1.013"), 2),
        "coverage_percent": rounded(Decimal("99.99") - Decimal(number) / 9, 2),
    }


def gas_package(
    unit: str,
    month: Month,
    figures: Mapping[str, Decimal],
    plant_toml: str = PLANT_TOML,
    kind: str = "month",
) -> dict[str, bytes]:
    """The files of an evidence package with these figures; it holds no batches."""
    plant_raw = plant_toml.encode()
    plant = Plant.parse(plant_raw)
    tree = gas_co2(figures["fuel_gas_1e4nm3"], PACK)
    payload = {
        manifest.PLANT_PATH: plant_raw,
        manifest.FINDINGS_PATH: canonical_json.dumps({"calculation": tree.to_json()}),
    }
    start, end = month.bounds_ms(plant.zone)
    described = manifest.Manifest(
        Subject(plant.enterprise, unit, str(month), kind),
        start,
        end,
        plant.sha256,
        manifest.DataPack(PACK.name, PACK.version, PACK.sha256),
        manifest.DataPack("gas_unit", "1", bytes(32)),
        "tanzheng-analytics test",
        tuple(
            manifest.Parameter(name, f"{value:f}", field(name).unit, bytes(16))
            for name, value in figures.items()
        ),
        (),
        tuple(manifest.PackageFile.of(path, payload[path]) for path in sorted(payload)),
        (),
    )
    return bag_files({**payload, manifest.MANIFEST_PATH: described.encode()})


@cache
def gas_year() -> tuple[Evidence, ...]:
    """Two gas units of one plant file."""
    return tuple(
        read_package(
            gas_package(unit, Month(YEAR, number), gas_figures(number, capacity)),
            f"{unit}-{number:02d}",
        )
        for unit, capacity in (("G1", "300"), ("G2", "180"))
        for number in range(1, 13)
    )


def accepted(evidence: Sequence[Evidence], state: str = ACCEPTED) -> tuple[Acceptance, ...]:
    """An acceptance of each month, deposited three weeks after its end."""
    return tuple(
        Acceptance(
            item.unit,
            item.month.month,
            1,
            item.month.origin.sha256,
            state,
            item.month.month.last_day + timedelta(days=21),
        )
        for item in evidence
    )


def deposited(month: Month) -> date:
    """The day that `accepted` gives a month."""
    return month.last_day + timedelta(days=21)


def digest(raw: bytes) -> bytes:
    """SHA-256, as manifests carry it."""
    return sha256(raw)
