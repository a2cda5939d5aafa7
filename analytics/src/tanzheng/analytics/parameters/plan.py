"""The filed monitoring plan (数据质量控制方案, DQCP): by which source each parameter is measured.

A version holds from a day on. Within a calendar year no version may lower a source or leave a
parameter out (standards.md a.7, M 88%); with a new year it may.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from typing import Any, get_args

from tanzheng.analytics.accounting.power import UnitClass
from tanzheng.analytics.parameters.cells import PLAIN
from tanzheng.analytics.parameters.flaws import PlanInvalid
from tanzheng.analytics.parameters.sheets import SECTORS
from tanzheng.analytics.parameters.sources import SourceData
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.ids import identifier

PLAN = "plan.toml"
PLAN_BYTES_MAX = 1 << 20
UNIT_CLASSES: tuple[str, ...] = get_args(UnitClass)


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """One filed version: sources by parameter, and the meter behind a parameter where one is."""

    id: str
    filed_on: date
    valid_from: date
    sources: Mapping[str, str]
    meters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter as filed; `accuracy_class` is the largest class its certificate may show."""

    id: str
    accuracy_class: str


@dataclass(frozen=True, slots=True)
class Facility:
    """What unit it is: its class of the allocation plan, rated capacity in MW."""

    unit_class: str
    rated_capacity_mw: Decimal


@dataclass(frozen=True, slots=True)
class FiledPlan:
    """A plan with all its versions in order; `sha256` is over the raw bytes.

    `facility` is None where the plan does not say it.
    """

    enterprise: str
    unit: str
    sector: str
    meters: Mapping[str, Meter]
    versions: tuple[PlanVersion, ...]
    facility: Facility | None
    sha256: bytes

    def at(self, month: Month) -> PlanVersion:
        """The version that holds for the whole of `month`."""
        held = [item for item in self.versions if item.valid_from <= month.first_day]
        if not held:
            raise PlanInvalid(
                f"{PLAN}: expected a version valid from {month.first_day} or before, got the first "
                f"from {self.versions[0].valid_from} · 没有覆盖该月的方案版本"
            )
        return held[-1]


def parse_plan(raw: bytes, data: SourceData) -> FiledPlan:
    """A plan from its TOML; `PlanInvalid` names the field that is wrong."""
    if len(raw) > PLAN_BYTES_MAX:
        raise PlanInvalid(f"{PLAN}: expected at most {PLAN_BYTES_MAX} bytes, got {len(raw)}")
    try:
        table = tomllib.loads(raw.decode())
        sector = table["sector"]
        if sector not in SECTORS:
            raise PlanInvalid(
                f"{PLAN}, sector: expected one of {', '.join(SECTORS)}, got {sector!r}"
            )
        meters = {row["id"]: _meter(row) for row in table.get("meter", [])}
        plan = FiledPlan(
            identifier(table["enterprise"], f"{PLAN}, enterprise"),
            identifier(table["unit"], f"{PLAN}, unit"),
            sector,
            meters,
            tuple(_version(row, sector, meters, data) for row in table["version"]),
            _facility(table["facility"], sector) if "facility" in table else None,
            sha256(raw).digest(),
        )
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlanInvalid(f"{PLAN}: expected TOML in UTF-8, got {error}") from None
    except KeyError as error:
        raise PlanInvalid(f"{PLAN}: expected the key {error}, got none · 缺少该项") from None
    except (TypeError, AttributeError, ValueError) as error:
        raise PlanInvalid(f"{PLAN}: expected the form of a plan, got {error}") from None
    _check_versions(plan.versions, data)
    return plan


def _facility(row: Mapping[str, Any], sector: str) -> Facility:
    where = f"{PLAN}, facility"
    if sector != "power":
        raise PlanInvalid(f"{where}: expected it of a power unit only, got it of sector {sector}")
    if unknown := sorted(row.keys() - {"unit_class", "rated_capacity_mw"}):
        raise PlanInvalid(f"{where}: expected unit_class, rated_capacity_mw, got {unknown[0]!r}")
    unit_class, capacity = row["unit_class"], row["rated_capacity_mw"]
    if unit_class not in UNIT_CLASSES:
        raise PlanInvalid(
            f"{where}, unit_class: expected one of {', '.join(UNIT_CLASSES)}, got {unit_class!r} · "
            "机组类别有误"
        )
    if not isinstance(capacity, str) or PLAIN.fullmatch(capacity) is None or Decimal(capacity) <= 0:
        raise PlanInvalid(
            f"{where}, rated_capacity_mw: expected MW above 0 in quotes such as '660.000', "
            f"got {capacity!r} · 装机容量有误"
        )
    return Facility(unit_class, Decimal(capacity))


def _meter(row: Mapping[str, Any]) -> Meter:
    meter = identifier(row["id"], f"{PLAN}, meter.id")
    return Meter(meter, accuracy_class(row["accuracy_class"], f"{PLAN}, meter {meter}"))


def accuracy_class(value: object, where: str) -> str:
    """A class such as "0.5", as text so that it stays what the certificate shows."""
    text = value if isinstance(value, str) else ""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii() or len(text) > 8:
        raise BadInput(f"{where}, accuracy_class: expected a class such as '0.5', got {value!r}")
    return text


def _version(
    row: Mapping[str, Any], sector: str, meters: Mapping[str, Meter], data: SourceData
) -> PlanVersion:
    version = identifier(row["id"], f"{PLAN}, version.id")
    where = f"{PLAN}, version {version}"
    asked = data.of_sector(sector)
    for name, tier in row["sources"].items():
        if name not in asked:
            raise PlanInvalid(
                f"{where}, sources.{name}: expected one of {', '.join(asked)}, got another name"
            )
        if tier not in asked[name].tiers:
            raise PlanInvalid(
                f"{where}, sources.{name}: expected one of {', '.join(asked[name].tiers)}, "
                f"got {tier!r} · 数据来源名称有误"
            )
    for name, meter in row.get("meters", {}).items():
        if name not in row["sources"] or meter not in meters:
            raise PlanInvalid(
                f"{where}, meters.{name}: expected a parameter of sources and a filed meter, "
                f"got {meter!r}"
            )
    return PlanVersion(
        version,
        plain_date(row, "filed_on", where),
        plain_date(row, "valid_from", where),
        dict(row["sources"]),
        dict(row.get("meters", {})),
    )


def plain_date(row: Mapping[str, Any], key: str, where: str) -> date:
    """A TOML date without a time."""
    value = row[key]
    if not isinstance(value, date) or isinstance(value, datetime):
        raise BadInput(f"{where}, {key}: expected a date such as 2025-01-01, got {value!r}")
    return value


def _check_versions(versions: Sequence[PlanVersion], data: SourceData) -> None:
    if not versions:
        raise PlanInvalid(f"{PLAN}: expected at least one [[version]], got none")
    for before, after in pairwise(versions):
        if before.valid_from >= after.valid_from:
            raise PlanInvalid(
                f"{PLAN}, version {after.id}, valid_from: expected a day after "
                f"{before.valid_from} of version {before.id}, got {after.valid_from}"
            )
    for index, after in enumerate(versions):
        # The version that holds on New Year's Day counts for the year as well.
        year = after.valid_from.year
        for before, following in pairwise(versions[: index + 1]):
            if following.valid_from > date(year, 1, 1):
                _check_pair(before, after, data)


def _check_pair(before: PlanVersion, after: PlanVersion, data: SourceData) -> None:
    for name, tier in before.sources.items():
        filed = after.sources.get(name)
        where = f"{PLAN}, version {after.id}, sources.{name}"
        said = f"version {before.id}, valid from {before.valid_from}"
        if filed is None:
            raise PlanInvalid(
                f"{where}: expected {tier} or better ({said}), got none: a parameter may not be "
                f"left out in the year · 年度内不得取消参数"
            )
        parameter = data.parameters[name]
        if parameter.rank(filed) > parameter.rank(tier):
            raise PlanInvalid(
                f"{where}: expected {tier} or better ({said}), got {filed}: the source may not be "
                f"lowered in the year · 年度内不得降低数据来源等级"
            )
