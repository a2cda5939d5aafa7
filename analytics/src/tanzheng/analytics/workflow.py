"""Closing a month, end to end: database → figures → rules → evidence package on disk."""

import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tanzheng.analytics import folder, package, source
from tanzheng.analytics.closing import Closing, close
from tanzheng.analytics.errors import PackageExists
from tanzheng.analytics.month import check_books, compute, standard_of
from tanzheng.analytics.package import Standard
from tanzheng.analytics.result import MonthResult
from tanzheng.core.calendar import Month
from tanzheng.core.parameter_tree import SECRET_BYTES
from tanzheng.core.plant import Plant


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """A closed month and where its package lies; `batches` counts the signed batches in it."""

    plant: Plant
    result: MonthResult
    closing: Closing
    folder: Path
    batches: int

    def to_json(self) -> dict[str, object]:
        """What a machine needs of it; decimals are strings."""
        absent = {item.name: str(item.reason) for item in self.result.absent}
        return {
            "package": str(self.folder),
            "secret": str(folder.secret_path(self.folder)),
            "unit": self.result.unit,
            "month": str(self.result.month),
            "closed_on": self.closing.closed_on.isoformat(),
            "deadline": self.closing.deadline.isoformat(),
            "deposit": str(self.closing.deposit),
            "parameters": {
                item.name: {"value": str(item.value), "unit": item.unit}
                for item in self.result.parameters
            },
            **({"sources": self.result.filed.to_json()} if self.result.filed else {}),
            **({"absent": absent} if absent else {}),
            "hours": dict(Counter(str(hour.method) for hour in self.result.hours)),
            "slots": {
                "readings": self.result.slots.readings,
                "in_gaps": self.result.slots.in_gaps,
                "unexplained": sum(self.result.slots.unexplained.values()),
            },
            "batches": self.batches,
            "findings": [finding.to_json() for finding in self.result.findings],
            "rules": [item.to_json() for item in self.closing.rule_results],
            "standard_sha256": self.result.pack_sha256.hex(),
            "rules_sha256": self.result.rules_sha256.hex(),
        }


def close_month(
    plant_raw: bytes,
    unit_id: str,
    month: str,
    database_url: str,
    out: Path,
    today: date | None,
    books: Mapping[str, bytes] | None = None,
    standard_name: str | None = None,
) -> ClosedMonth:
    """Close a month and write its package to `out`; `today` None means the plant's today.

    `books` are those of a coal unit (`monthfolder.read_books`), `standard_name` as `standard_of`.
    Before `out` exists the written files are read back and every figure is computed once more from
    the signed batches and books among them; `EvidenceMismatch` where one differs.
    """
    if out.exists():
        raise PackageExists(f"expected a free place for the package, got {out}, which exists")
    plant, period = Plant.parse(plant_raw), Month.parse(month)
    unit = plant.unit(unit_id)
    standard = Standard(*standard_of(unit, period, standard_name))
    check_books(unit, books is not None)
    stored = source.read_month(database_url, plant, unit_id, period)
    result = compute(
        plant,
        unit_id,
        period,
        stored.recorded.series,
        stored.recorded.gaps,
        standard.pack,
        standard.rules,
        stored.recorded.steps,
        books=books,
    )
    day = today or plant.zone.day(time.time_ns() // 1_000_000)
    closing = close(result, standard.pack, standard.rules, day)
    secret = secrets.token_bytes(SECRET_BYTES)
    files = package.build(plant_raw, result, closing, standard, stored.chains, secret)

    def check(written: Mapping[str, bytes]) -> None:
        package.check(written, standard)

    folder.write(out, files, secret, check)
    return ClosedMonth(plant, result, closing, out, sum(map(len, stored.chains.values())))
