"""What a seat is told of a fleet: its alerts, and what could not be looked at."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from tanzheng.analytics.anomalies import record
from tanzheng.analytics.anomalies.alert import Alert, Known
from tanzheng.analytics.anomalies.detect import Examination, examine
from tanzheng.analytics.anomalies.graph import load_graph
from tanzheng.analytics.anomalies.scope import place, seen_by
from tanzheng.analytics.anomalies.suppression import KnownLead, Suppression
from tanzheng.analytics.anomalies.tables import Tables
from tanzheng.analytics.seats import Level, Place, Seat
from tanzheng.core import closed, strict_json
from tanzheng.core.errors import BadInput

VERSION = 1
KEYS = (
    "version", "seat", "graph_sha256", "files", "first_month", "last_month", "units", "peers",
    "other_sector_rows", "not_looked_at", "alerts",
)  # fmt: skip
ALERT_KEYS = ("suppressed_by", "lead", "lead_state", "alert")
LISTED_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Report:
    """`peers` counts the units of each class in all tables, `units` those of the seat that were
    looked at; `suppressed` maps an alert's id to the number of the suppression that sets it
    aside, `leads` to the lead that is about it and its state; `not_looked_at` are (enterprise,
    unit) without enough months."""

    seat: Seat
    graph_sha256: str
    files: Mapping[str, str]
    first_month: str
    last_month: str
    units: int
    peers: Mapping[str, int]
    other_sector_rows: int
    not_looked_at: tuple[tuple[str, str], ...]
    alerts: tuple[Alert, ...]
    suppressed: Mapping[str, int]
    leads: Mapping[str, tuple[str, str]]

    def alert(self, name: str) -> Alert:
        """The alert whose id begins with `name`; `BadInput` unless there is just one."""
        found = [alert for alert in self.alerts if alert.id.startswith(name)]
        if len(found) != 1:
            ids = ", ".join(alert.id for alert in self.alerts) or "none 无"
            raise BadInput(
                f"expected the id of one alert, got {name!r}, which {len(found)} have: {ids}"
            )
        return found[0]


def report(
    tables: Tables,
    seat: Seat,
    aside: Sequence[Suppression] = (),
    leads: Sequence[KnownLead] = (),
) -> Report:
    """The report for a supervisor's seat: statistics by all rows, alerts of its own enterprises.

    What `aside` covers or `leads` are about stays in the report, and is marked.
    """
    if seat.level is Level.ENTERPRISE:
        raise BadInput(
            f"expected the seat of a supervisor, got {seat}: an enterprise is told by a lead"
            " · 企业通过线索获知"
        )
    about = [lead.about for lead in leads if lead.about is not None]
    known = frozenset[Known]().union(*(alert.known_as() for alert in about))
    found = examine(tables.unit_month, tables.lab_report, tables.point_month, known=known)
    mine = _rows_of(found, seat)
    months = [f"{month:%Y-%m}" for month in found.fleet.months]
    alerts = tuple(seen_by(alert, seat) for alert in found.alerts if seat.covers(place(alert)))
    return Report(
        seat,
        load_graph().digest,
        tables.files,
        months[0],
        months[-1],
        sum(bool(found.levels[row]) for row in mine),
        dict(sorted(Counter(found.fleet.unit_class).items())),
        _other_sectors(tables, seat),
        tuple(found.fleet.units[row] for row in mine if not found.levels[row]),
        alerts,
        {alert.id: item.number for alert in alerts for item in aside if item.covers(alert)},
        {
            alert.id: (lead.id, str(lead.state))
            for lead in leads
            for alert in alerts
            if lead.about and lead.about.known_as() & alert.known_as() and lead.seen_by(seat)
        },
    )


def _rows_of(found: Examination, seat: Seat) -> list[int]:
    fleet = found.fleet
    return [
        row
        for row, (enterprise, _) in enumerate(fleet.units)
        if seat.covers(Place(enterprise, fleet.divisions[row]))
    ]


def _other_sectors(tables: Tables, seat: Seat) -> int:
    others = tables.unit_month.filter(pl.col("sector") != "power")
    places = others.select("enterprise", "division_code").iter_rows()
    return sum(seat.covers(Place(*place)) for place in places)


def encode(told: Report) -> dict[str, Any]:
    """The report as maps and text."""
    return {
        "version": VERSION,
        "seat": str(told.seat),
        "graph_sha256": told.graph_sha256,
        "files": dict(told.files),
        "first_month": told.first_month,
        "last_month": told.last_month,
        "units": told.units,
        "peers": dict(told.peers),
        "other_sector_rows": told.other_sector_rows,
        "not_looked_at": [list(unit) for unit in told.not_looked_at],
        "alerts": [_encode(told, alert) for alert in told.alerts],
    }


def _encode(told: Report, alert: Alert) -> dict[str, Any]:
    lead, state = told.leads.get(alert.id, (None, None))
    return {
        "suppressed_by": told.suppressed.get(alert.id),
        "lead": lead,
        "lead_state": state,
        "alert": record.encode(alert),
    }


def decode(data: bytes, where: str) -> Report:
    """The report that `encode` made; `EncodingError` names what has the wrong form."""
    source = closed.record(strict_json.loads(data, where), KEYS, where)
    closed.version(source, VERSION, where)
    alerts, suppressed, leads = _alerts(source, where)
    units = closed.items(source, "not_looked_at", where, LISTED_MAX)
    return Report(
        Seat.parse(closed.text(source, "seat", where)),
        closed.hexadecimal(source["graph_sha256"], 32, f"{where}.graph_sha256").hex(),
        _map(source, "files", where, str),
        closed.text(source, "first_month", where),
        closed.text(source, "last_month", where),
        closed.integer(source, "units", where),
        _map(source, "peers", where, int),
        closed.integer(source, "other_sector_rows", where),
        tuple(_pair(unit, f"{where}.not_looked_at") for unit in units),
        alerts,
        suppressed,
        leads,
    )


def _alerts(
    source: Mapping[str, Any], where: str
) -> tuple[tuple[Alert, ...], dict[str, int], dict[str, tuple[str, str]]]:
    alerts: list[Alert] = []
    suppressed: dict[str, int] = {}
    leads: dict[str, tuple[str, str]] = {}
    for n, item in enumerate(closed.items(source, "alerts", where, LISTED_MAX)):
        here = f"{where}.alerts[{n}]"
        row = closed.record(item, ALERT_KEYS, here)
        alerts.append(record.decode(row["alert"], f"{here}.alert"))
        if row["suppressed_by"] is not None:
            suppressed[alerts[-1].id] = closed.integer(row, "suppressed_by", here)
        if row["lead"] is not None:
            lead, state = (closed.text(row, key, here) for key in ("lead", "lead_state"))
            leads[alerts[-1].id] = (lead, state)
    return tuple(alerts), suppressed, leads


def _map(source: Mapping[str, Any], key: str, where: str, kind: type[Any]) -> dict[str, Any]:
    inner = closed.mapping(source[key], f"{where}.{key}")
    return {
        closed.typed(name, str, f"{where}.{key}"): closed.typed(value, kind, f"{where}.{key}")
        for name, value in inner.items()
    }


def _pair(value: object, where: str) -> tuple[str, str]:
    found: Sequence[Any] = closed.sequence(value, where, 2)
    if len(found) != 2:
        raise BadInput(f"{where}: expected an enterprise and a unit, got {found}")
    return closed.typed(found[0], str, where), closed.typed(found[1], str, where)
