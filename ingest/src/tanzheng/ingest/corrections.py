"""Corrections: what a point shall have in a span of time instead, who says so, and why.

A row of `correction` and an entry of the audit log, in one transaction; readings and signed batches
stay as they are. Only hours follow (`tanzheng hours refresh`), from the marks that the row sets.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg

from tanzheng.core.calendar import HOUR_MS, MINUTE_MS, PlantZone
from tanzheng.core.closed import decimal, line
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import point_field
from tanzheng.core.quality import VALID, Quality
from tanzheng.ingest import audit_log, hours_dirty, ledger

VALUE_MAX = Decimal("1e12")
"""As `analytics.gauges.GAUGE_MAX`: hours take a larger one for a fault."""
DECIMALS_MAX = 6
DIGITS_MAX = 15
"""What float64 holds exactly in decimals; hours are computed from it."""
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
UNUSABLE = tuple(code for code in Quality if code not in {*VALID, Quality.SUBSTITUTED})
POINTS_SHOWN = 10

KNOWN = """
    SELECT p.name, p.point_id, a.interval_ms FROM point p
    LEFT JOIN point_assignment a ON a.point_id = p.point_id AND a.valid @> %s
    WHERE p.gw = %s ORDER BY p.name
"""
ENTER = """
    INSERT INTO correction (point_id, from_ms, to_ms, value, quality, reason, author)
    VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING correction_id
"""
LATEST = """
    SELECT correction_id, made_at::text, gw, name, from_ms, to_ms, value, quality, reason, author
    FROM correction JOIN point USING (point_id)
    WHERE gw = coalesce(%(gw)s, gw) AND name = coalesce(%(point)s, name)
    ORDER BY correction_id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """`value` (in the field's unit; None: there is none to be had) for the slots of a point that
    begin in [from_ms, to_ms), UTC. `BadInput` where hours could not take it as it is meant."""

    gw: str
    point: str
    from_ms: int
    to_ms: int
    value: Decimal | None
    quality: Quality
    reason: str
    author: str

    def __post_init__(self) -> None:
        _check_span(self.from_ms, self.to_ms)
        for name, text in (("--reason", self.reason), ("--by", self.author)):
            if not line(text, name).strip():
                raise BadInput(f"{name}: expected words, got none")
        fitting = UNUSABLE if self.value is None else tuple(sorted(VALID))
        if self.quality not in fitting:
            names = ", ".join(code.name.lower() for code in fitting)
            with_it = "without a value" if self.value is None else "with a value"
            raise BadInput(
                f"--quality: expected one of ({names}) {with_it}, got {self.quality.name.lower()}"
            )
        if self.value is not None:
            _check_value(self.point, self.value, _full_hours(self.from_ms, self.to_ms))

    @property
    def hours_ms(self) -> tuple[int, int]:
        """The whole hours that it reaches, half-open."""
        ((_, start_ms, end_ms),) = hours_dirty.runs([(self.gw, self.from_ms, self.to_ms - 1)])
        return start_ms, end_ms

    def record(self) -> dict[str, Any]:
        """For the audit log and for machines: UTC instants, the value as decimal text."""
        return _told(
            self.gw, self.point, self.from_ms, self.to_ms,
            self.value, self.quality, self.reason, self.author,
        )  # fmt: skip


def instant_ms(text: str, where: str) -> int:
    """`2026-11-21T08:00+08:00` or `…Z` as UTC ms; `BadInput` for anything without a zone."""
    try:
        if INSTANT.fullmatch(text):
            return int(datetime.fromisoformat(text).timestamp()) * 1000
    except ValueError:
        pass
    raise BadInput(
        f"{where}: expected an instant with its offset, such as 2026-11-21T08:00+08:00 or "
        f"2026-11-21T00:00Z, got {text!r}"
    )


def instant_text(t_ms: int) -> str:
    """UTC milliseconds for people and machines, to the minute where it is a whole one."""
    whole = "milliseconds" if t_ms % MINUTE_MS else "minutes"
    return PlantZone(0).datetime(t_ms).replace(tzinfo=None).isoformat(timespec=whole) + "Z"


def value_of(text: str) -> Decimal:
    """Plain decimal text; `BadInput` for an exponent, a leading zero, NaN."""
    return Decimal(decimal(text, "--value"))


def quality_of(name: str) -> Quality:
    """The code of that name."""
    found = {code.name.lower(): code for code in Quality}
    if name not in found:
        raise BadInput(f"--quality: expected one of ({', '.join(found)}), got {name!r}")
    return found[name]


def add(connection: psycopg.Connection, correction: Correction, now_ms: int) -> int:
    """Enter it, with its entry in the audit log, in one transaction; its number.

    `BadInput` where the database has no such point, the span is not over at `now_ms`, or none of
    the point's slots can lie in it.
    """
    if correction.to_ms > now_ms:
        raise BadInput(
            f"--to: expected a time that is over, got {instant_text(correction.to_ms)}: it would "
            "cover readings that are still to come"
        )
    with connection.transaction():
        point_id = _point_id(connection, correction)
        row = connection.execute(
            ENTER,
            (point_id, correction.from_ms, correction.to_ms, correction.value,
             int(correction.quality), correction.reason, correction.author),
        ).fetchone()  # fmt: skip
        assert row is not None
        detail = {"correction_id": row[0], **correction.record()}
        audit_log.add(connection, "correction add", detail)
    return int(row[0])


def latest(
    connection: psycopg.Connection, limit: int, gw: str | None = None, point: str | None = None
) -> list[dict[str, Any]]:
    """Corrections, the newest first."""
    rows = connection.execute(LATEST, {"gw": gw, "point": point, "limit": limit}).fetchall()
    return [
        {"correction_id": number, "made_at": made_at, **_told(*told)}
        for number, made_at, *told in rows
    ]


def _told(
    gw: str, point: str, from_ms: int, to_ms: int,
    value: Decimal | None, quality: int, reason: str, author: str,
) -> dict[str, Any]:  # fmt: skip
    return {
        "gw": gw, "point": point, "from": instant_text(from_ms), "to": instant_text(to_ms),
        "value": None if value is None else f"{value:f}", "unit": point_field(point).unit,
        "quality": Quality(quality).name.lower(), "reason": reason, "author": author,
    }  # fmt: skip


def _check_span(from_ms: int, to_ms: int) -> None:
    for name, t_ms in (("--from", from_ms), ("--to", to_ms)):
        if t_ms < 0 or t_ms % MINUTE_MS:
            raise BadInput(f"{name}: expected a whole minute from 1970 on, got {t_ms / 1000} s")
    if from_ms >= to_ms:
        raise BadInput(
            f"--to: expected an instant after --from {instant_text(from_ms)}, "
            f"got {instant_text(to_ms)}"
        )


def _full_hours(from_ms: int, to_ms: int) -> int:
    """How many full hours (UTC) lie in [from_ms, to_ms)."""
    return -(-to_ms // HOUR_MS) - -(-from_ms // HOUR_MS)


def _check_value(point: str, value: Decimal, full_hours: int) -> None:
    of = point_field(point)
    digits, decimals = len(value.as_tuple().digits), -int(value.as_tuple().exponent)
    if abs(value) > VALUE_MAX or decimals > DECIMALS_MAX or digits > DIGITS_MAX:
        raise BadInput(
            f"--value: expected {of.unit} of at most {VALUE_MAX:f}, with at most {DECIMALS_MAX} "
            f"decimals and {DIGITS_MAX} digits in all, got {value:f}"
        )
    if of.kind == "state" and value not in (0, 1):
        raise BadInput(f"--value: expected 0 or 1, {of.en}, got {value:f}")
    if of.kind != "counter":
        return
    if value < 0:
        raise BadInput(f"--value: expected a counter's reading, got {value:f}")
    if full_hours != 1:
        raise BadInput(
            f"{point} is a counter, its hours are differences between readings at full hours: "
            f"expected a span with exactly one full hour in it, got {full_hours}: say what the "
            "register showed at each, or --none"
        )


def _point_id(connection: psycopg.Connection, correction: Correction) -> int:
    rows = connection.execute(KNOWN, (ledger.instant(correction.from_ms), correction.gw)).fetchall()
    known = {name: (point_id, interval_ms) for name, point_id, interval_ms in rows}
    if correction.point not in known:
        shown = ", ".join([*list(known)[:POINTS_SHOWN], *["…"] * (len(known) > POINTS_SHOWN)])
        raise BadInput(
            f"--point: expected one of gateway {correction.gw} ({shown or 'it has none here'}), "
            f"got {correction.point!r}"
        )
    point_id, interval_ms = known[correction.point]
    if interval_ms is not None and correction.to_ms - correction.from_ms < interval_ms:
        raise BadInput(
            f"--to: expected at least one interval of the point ({interval_ms // 1000} s) after "
            f"--from, got {(correction.to_ms - correction.from_ms) // 1000} s"
        )
    return int(point_id)
