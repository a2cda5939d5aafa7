"""Rebuilt rows against stored rows: the first place where they disagree, named.

Pure: `audit` brings both sides. Every function returns where all is equal and raises
`DifferenceFound` otherwise.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from tanzheng.core.batch import SignedBatch
from tanzheng.ingest import rows


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where rows and signed batches disagree; "" or 0 where a part does not apply."""

    kind: str
    gw: str
    epoch: int
    seq: int
    point: str
    time: str
    expected: str
    got: str

    def __str__(self) -> str:
        where = f"gateway {self.gw} epoch {self.epoch} seq {self.seq}"
        for name, text in (("point", self.point), ("time", self.time)):
            where += f", {name} {text}" if text else ""
        return f"{self.kind}: {where}: expected {self.expected}, got {self.got}"


class DifferenceFound(Exception):
    """Ends a comparison; `audit` turns it into its report."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(str(difference))
        self.difference = difference


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of `batch`, as the ledger tells it."""

    batch_id: int
    gw: str
    epoch: int
    seq: int
    digest: bytes
    prev: bytes
    made_ms: int
    first_ms: int | None
    last_ms: int | None
    readings: int
    raw: bytes


Group = Sequence[tuple[Stored, SignedBatch]]


def differs(
    stored: Stored, kind: str, expected: object, got: object, point: str = "", time: str = ""
) -> DifferenceFound:
    """The exception for a difference in a batch."""
    place = (stored.gw, stored.epoch, stored.seq)
    return DifferenceFound(Difference(kind, *place, point, time, _shown(expected), _shown(got)))


def compare_ledger(stored: Stored, signed: SignedBatch) -> None:
    """The ledger row against the signed batch it belongs to."""
    batch = signed.batch
    first, last = batch.span_ms or (None, None)
    rebuilt = {
        "gw": batch.gw,
        "epoch": batch.epoch,
        "seq": batch.seq,
        "digest": signed.digest,
        "prev": batch.prev,
        "made_ms": batch.made_ms,
        "first_ms": first,
        "last_ms": last,
        "readings": batch.readings,
    }
    for name, expected in rebuilt.items():
        got = getattr(stored, name)
        if got != expected:
            raise differs(stored, f"ledger {name} changed", expected, got)


def compare_readings(
    gw: str,
    expected: rows.Readings,
    actual: rows.Readings,
    batches: Mapping[int, Stored],
    names: Mapping[int, str],
) -> None:
    """Two arrays in the order of their key (batch_id, point_id, t_ms), values bit by bit.

    `batches` and `names` tell batch_id and point_id to a person.
    """
    if expected.tobytes() == actual.tobytes():
        return
    common = min(len(expected), len(actual))
    unequal = np.zeros(common, bool)
    for name in rows.READING.names or ():
        kind = "i8" if name == "value" else rows.READING[name]  # bits, not numbers: −0.0 is not 0.0
        left = np.ascontiguousarray(expected[name][:common]).view(kind)
        unequal |= left != np.ascontiguousarray(actual[name][:common]).view(kind)
    index = int(unequal.argmax()) if unequal.any() else common
    wanted = expected[index] if index < len(expected) else None
    found = actual[index] if index < len(actual) else None
    previous = expected[index - 1] if index else None
    raise DifferenceFound(_reading_difference(gw, wanted, found, previous, batches, names))


def _reading_difference(
    gw: str,
    wanted: Any,
    found: Any,
    previous: Any,
    batches: Mapping[int, Stored],
    names: Mapping[int, str],
) -> Difference:
    if found is None or (wanted is not None and _key(wanted) < _key(found)):
        kind, row, expected, got = "row missing", wanted, _reading(wanted), "none"
    elif wanted is None or _key(found) < _key(wanted):
        twice = previous is not None and _key(previous) == _key(found)
        kind = "row duplicated" if twice else "row inserted"
        row, expected, got = found, "none", _reading(found)
    else:
        kind, row, expected, got = "row changed", wanted, _reading(wanted), _reading(found)
    stored = batches.get(int(row["batch_id"]))
    place = (stored.epoch, stored.seq) if stored else (0, 0)
    point = names.get(int(row["point_id"]), f"point_id {row['point_id']}")
    return Difference(kind, gw, *place, point, moment(int(row["t_ms"])), expected, got)


def _key(row: Any) -> tuple[int, int, int]:
    return int(row["batch_id"]), int(row["point_id"]), int(row["t_ms"])


def _reading(row: Any) -> str:
    return f"{float(row['value'])!r} quality {int(row['quality'])}"


def compare_records(
    group: Group,
    table: str,
    expected: Mapping[int, Counter[tuple[Any, ...]]],
    actual: Mapping[int, Counter[tuple[Any, ...]]],
) -> None:
    """Gap or event records of each batch of a group, as multisets by batch_id."""
    for stored, _ in group:
        wanted = expected.get(stored.batch_id, Counter())
        found = actual.get(stored.batch_id, Counter())
        for record in sorted((wanted - found).elements(), key=repr):
            raise differs(stored, f"{table} missing", record, "none")
        for record in sorted((found - wanted).elements(), key=repr):
            raise differs(stored, f"{table} inserted", "none", record)


def event_key(t_ms: int, kind: str, detail: object) -> tuple[int, str, str]:
    """An event as something that can be compared: detail as JSON with sorted keys."""
    return t_ms, kind, json.dumps(detail, sort_keys=True)


def moment(t_ms: int) -> str:
    """UTC milliseconds for a person; as a number where no calendar has it."""
    try:
        shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=t_ms)
    except OverflowError:
        return f"{t_ms} ms"
    return shown.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
