"""A month of many plants from their stored hours: the figures of each point, plant by plant. Pure.

A plant's hours are columns of whole numbers, so every sum is exact and the result depends neither
on the order of the plants nor on how many workers share them. One plant is in memory at a time.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from tanzheng.analytics.accounting.rounding import ratio
from tanzheng.analytics.gauges import MEAN_DECIMALS, PER_UNIT, mean_of, weighted_sums
from tanzheng.analytics.hours import Method
from tanzheng.analytics.series import Int64, UInt8
from tanzheng.core import canonical_json
from tanzheng.core.calendar import HOUR_MS, Month
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import field

METHODS = tuple(method for method in Method if method is not Method.NO_CEMS)
"""A stored method is its place in this list; a unit without CEMS stores no point of one."""
COLUMNS = ("point", "hour", "value_micro", "weight_ms", "valid_ms", "method")
VALUE_MICRO_MAX = 10**15
"""A thousand million units an hour: a month of them, and their products with time, stay exact."""

_MEASURED, _MISSING = METHODS.index(Method.MEASURED), METHODS.index(Method.MISSING)
_STANDING = [METHODS.index(Method.NOT_OPERATING), METHODS.index(Method.ASSUMED_STANDING)]


class Kind(StrEnum):
    """What a month makes of a point's hours: their sum, or their mean weighted by time."""

    TOTAL = "total"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """A point of the plant; `field` is a name of the dictionary."""

    name: str
    field: str
    kind: Kind


@dataclass(frozen=True, slots=True, eq=False)
class HourFrame:
    """A plant's stored hours of a month; arrays have the shape (points, hours).

    `value_micro` in millionths of the field's unit: the hour's amount, or its mean. `weight_ms` is
    the time that counts in the hour (clock or operating), `valid_ms` the part with valid data.
    """

    enterprise: str
    month: Month
    points: tuple[StoredPoint, ...]
    value_micro: Int64
    weight_ms: Int64
    valid_ms: Int64
    method: UInt8

    @classmethod
    def of(
        cls,
        enterprise: str,
        month: Month,
        points: Sequence[StoredPoint],
        columns: Mapping[str, npt.NDArray[Any]],
    ) -> "HourFrame":
        """From `COLUMNS` of one length: point after point, every hour of the month in order.

        `BadInput` where an hour lacks, is there twice, or holds what no hour can (a null is one).
        """
        shape = (len(points), month.hours)
        rows = shape[0] * shape[1]
        for name in COLUMNS:
            if name not in columns or len(columns[name]) != rows:
                got = len(columns[name]) if name in columns else "none"
                raise BadInput(f"{enterprise} {month}: {name}: expected {rows} rows, got {got}")
            if not np.can_cast(columns[name].dtype, np.int64):
                raise BadInput(
                    f"{enterprise} {month}: {name}: expected whole numbers, got "
                    f"{columns[name].dtype}"
                )
        point, hour = (columns[name].reshape(shape) for name in ("point", "hour"))
        wrong = (point != np.arange(shape[0])[:, None]) | (hour != np.arange(shape[1]))
        _refuse(wrong, enterprise, month, "each point and hour once, in order")
        value, weight, valid = (
            columns[name].astype(np.int64, copy=False).reshape(shape)
            for name in ("value_micro", "weight_ms", "valid_ms")
        )
        method = columns["method"].reshape(shape)
        beyond = (value > VALUE_MICRO_MAX) | (value < -VALUE_MICRO_MAX)
        _refuse(beyond, enterprise, month, "values of a register")
        _refuse((weight < 0) | (weight > HOUR_MS), enterprise, month, "weight_ms within the hour")
        _refuse((valid < 0) | (valid > weight), enterprise, month, "valid_ms within weight_ms")
        unknown = (method < 0) | (method >= len(METHODS))
        _refuse(unknown, enterprise, month, f"a method below {len(METHODS)}")
        codes = method.astype(np.uint8, copy=False)
        return cls(enterprise, month, tuple(points), value, weight, valid, codes)


@dataclass(frozen=True, slots=True)
class PointMonth:
    """A point's month. `value` has the decimals of its field; None where an hour has no value.

    `substituted` is the part of a total that was not measured. Extremes are those of the hours with
    a value, standing ones aside.
    """

    point: str
    field: str
    unit: str
    kind: Kind
    value: Decimal | None
    substituted: Decimal | None
    minimum: Decimal | None
    maximum: Decimal | None
    coverage_percent: Decimal | None
    hours: Mapping[Method, int]

    def to_json(self) -> dict[str, object]:
        """As maps and text; decimals are strings."""
        return {
            "point": self.point,
            "field": self.field,
            "unit": self.unit,
            "kind": str(self.kind),
            "value": _text(self.value),
            "substituted": _text(self.substituted),
            "minimum": _text(self.minimum),
            "maximum": _text(self.maximum),
            "coverage_percent": _text(self.coverage_percent),
            "hours": {str(method): count for method, count in self.hours.items()},
        }


def close_plant(frame: HourFrame) -> tuple[PointMonth, ...]:
    """The month of each point of a plant, in the order of its points."""
    shape = frame.value_micro.shape
    places = np.arange(shape[0])[:, None] * len(METHODS) + frame.method
    counts = np.bincount(places.ravel(), minlength=shape[0] * len(METHODS))
    known = (frame.method != _MISSING) & ~np.isin(frame.method, _STANDING)
    weight = np.where(frame.method != _MISSING, frame.weight_ms, 0)
    columns = {
        "sum": frame.value_micro.sum(axis=1, where=frame.method != _MISSING),
        "substituted": frame.value_micro.sum(axis=1, where=known & (frame.method != _MEASURED)),
        "minimum": frame.value_micro.min(axis=1, where=known, initial=VALUE_MICRO_MAX),
        "maximum": frame.value_micro.max(axis=1, where=known, initial=-VALUE_MICRO_MAX),
        "weight": weight.sum(axis=1),
        "expected_ms": frame.weight_ms.sum(axis=1),
        "valid_ms": frame.valid_ms.sum(axis=1),
        "known": known.sum(axis=1),
    }
    products = weighted_sums(
        frame.value_micro.ravel(), weight.ravel(), np.arange(shape[0]) * shape[1]
    )
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return tuple(
        _point_month(point, dict(zip(columns, row, strict=True)), product, each.tolist())
        for point, row, product, each in zip(
            frame.points, rows, products, counts.reshape(shape[0], -1), strict=True
        )
    )


def _point_month(
    point: StoredPoint, sums: Mapping[str, int], product: int, counts: Sequence[int]
) -> PointMonth:
    entry = field(point.field)
    decimals = MEAN_DECIMALS if entry.decimals is None else entry.decimals
    total = point.kind is Kind.TOTAL
    whole = not counts[_MISSING]
    value = None
    if total and whole:
        value = ratio(sums["sum"], PER_UNIT, decimals)
    elif not total:
        value = mean_of(product, sums["weight"], decimals)
    coverage = None
    if sums["expected_ms"]:
        coverage = ratio(100 * sums["valid_ms"], sums["expected_ms"], 2)
    return PointMonth(
        point.name,
        point.field,
        entry.unit,
        point.kind,
        value,
        ratio(sums["substituted"], PER_UNIT, decimals) if total else None,
        ratio(sums["minimum"], PER_UNIT, decimals) if sums["known"] else None,
        ratio(sums["maximum"], PER_UNIT, decimals) if sums["known"] else None,
        coverage,
        {method: count for method, count in zip(METHODS, counts, strict=True) if count},
    )


def plant_json(frame: HourFrame) -> bytes:
    """A plant's closed month as one line of canonical JSON."""
    return canonical_json.dumps(
        {
            "enterprise": frame.enterprise,
            "month": str(frame.month),
            "points": [point.to_json() for point in close_plant(frame)],
        }
    )


@dataclass(frozen=True, slots=True)
class FleetClose:
    """What a fleet's close came to: `sha256` over the plants' lines, each ended by a newline."""

    plants: int
    size_bytes: int
    sha256: bytes


def close_fleet(
    lines: Iterable[bytes],
    progress: Callable[[int], None] = lambda _: None,
    write: Callable[[bytes], object] = lambda _: None,
) -> FleetClose:
    """Take the plants' lines as they come, in the plants' order: from `map`, a pool or a cluster.

    `progress` is told the number of plants done, `write` is handed each line with its newline.
    """
    digest, plants, size = hashlib.sha256(), 0, 0
    for line in _ended(lines):
        digest.update(line)
        write(line)
        plants, size = plants + 1, size + len(line)
        progress(plants)
    return FleetClose(plants, size, digest.digest())


def _ended(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line + b"\n" for line in lines)


def _refuse(wrong: npt.NDArray[np.bool_], enterprise: str, month: Month, expected: str) -> None:
    if wrong.any():
        point, hour = np.argwhere(wrong)[0].tolist()
        raise BadInput(
            f"{enterprise} {month}: expected {expected}, got another at point {point}, hour {hour}"
        )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
