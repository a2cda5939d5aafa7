"""One clock hour of a package: the batches and the readings that it came from, each of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tanzheng.analytics.accounting.rounding import exact
from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.lineage.graph import Kind, Node
from tanzheng.analytics.lineage.package import Lineage
from tanzheng.analytics.lineage.reach import Reach, hourly_points
from tanzheng.analytics.lineage.stretches import hour_name
from tanzheng.analytics.package import chains_of
from tanzheng.analytics.series import PointGap, Series, from_batches
from tanzheng.core import canonical_json
from tanzheng.core.batch import SignedBatch
from tanzheng.core.calendar import HOUR_MS, Month, PlantZone
from tanzheng.core.errors import BadInput
from tanzheng.core.manifest import HOURS_PATH, PLANT_PATH, PackageInvalid
from tanzheng.core.plant import Plant


@dataclass(frozen=True)
class PointReadings:
    """What one point told: its role if it has one, its readings at the instants of their slots."""

    point: str
    role: str
    series: Series

    def to_json(self) -> dict[str, object]:
        """The readings one by one: instant, value, quality code."""
        columns = (self.series.t_ms.tolist(), self.series.value.tolist())
        rows = zip(*columns, self.series.quality.tolist(), strict=True)
        return {
            "point": self.point,
            "role": self.role,
            "readings": [[t_ms, f"{exact(value):f}", code] for t_ms, value, code in rows],
        }


@dataclass(frozen=True)
class HourTrace:
    """A clock hour: its record in `hours.json`, its stretch in the graph, what it came from.

    Slots from `first_ms` to `last_ms` reach it: those of the run-state samples that enclose it.
    """

    name: str
    zone: PlantZone
    record: Mapping[str, Any]
    stretch: Node
    first_ms: int
    last_ms: int
    points: tuple[PointReadings, ...]
    gaps: tuple[PointGap, ...]
    batches: Mapping[str, list[SignedBatch]]

    def to_json(self) -> dict[str, object]:
        """Everything of it; values are decimal strings."""
        return {
            "hour": self.name,
            "record": dict(self.record),
            "stretch": self.stretch.to_json(),
            "first_ms": self.first_ms,
            "last_ms": self.last_ms,
            "points": [each.to_json() for each in self.points],
            "gaps": [
                {"point": g.point, "from_ms": g.from_ms, "to_ms": g.to_ms, "reason": g.reason}
                for g in self.gaps
            ],
            "batches": [
                {
                    "gateway": gw,
                    "epoch": each.batch.epoch,
                    "seq": each.batch.seq,
                    "sha256": each.digest.hex(),
                }
                for gw, held in self.batches.items()
                for each in held
            ],
        }


def hour_trace(files: Mapping[str, bytes], hour: str) -> HourTrace:
    """Where the clock hour `hour` (YYYY-MM-DDTHH, plant time) of a package came from.

    `BadInput` where it is no hour of the package's month; `PackageInvalid` where a file lacks.
    """
    lineage = Lineage.of(files)
    for path in (HOURS_PATH, PLANT_PATH):
        if path not in files:
            raise PackageInvalid(f"package: expected {path}, got no such file")
    subject = lineage.described.subject
    plant = Plant.parse(files[PLANT_PATH], PLANT_PATH)
    start_ms = _start_ms(hour, Month.parse(subject.period), plant.zone)
    chains = chains_of(files, lineage.described)
    recorded = from_batches((each.batch for chain in chains.values() for each in chain), plant)
    inputs = MonthInputs.of(
        plant, subject.unit, Month.parse(subject.period), recorded.series, recorded.gaps,
        recorded.steps,
    )  # fmt: skip
    reach = Reach(plant, inputs, chains)
    first_ms, last_ms = reach.slots(start_ms, start_ms + HOUR_MS)
    named = hourly_points(inputs)
    roles = {point.name: str(role) for role, point in inputs.points.items()}
    return HourTrace(
        hour_name(start_ms, plant.zone),
        plant.zone,
        _record(files[HOURS_PATH], start_ms),
        _stretch(lineage, start_ms),
        first_ms,
        last_ms,
        tuple(
            PointReadings(name, roles.get(name, ""), inputs.series[name].between(first_ms, last_ms))
            for name in named
        ),
        tuple(gap for gap in inputs.gaps if gap.point in named and gap.touches(first_ms, last_ms)),
        reach.batches(start_ms, start_ms + HOUR_MS),
    )


def _start_ms(hour: str, month: Month, zone: PlantZone) -> int:
    expected = f"--hour: expected an hour of {month} in plant time, {month}-DDTHH, got {hour!r}"
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}", hour) is None:
        raise BadInput(expected)
    try:
        at = datetime.fromisoformat(hour)
    except ValueError:
        raise BadInput(expected) from None
    if (at.year, at.month) != (month.year, month.month):
        raise BadInput(expected)
    return zone.midnight_ms(at.date()) + at.hour * HOUR_MS


def _record(hours: bytes, start_ms: int) -> Mapping[str, Any]:
    content = canonical_json.loads(hours, HOURS_PATH)
    listed = content.get("hours") if isinstance(content, dict) else None
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("start_ms") == start_ms:
            return each
    raise PackageInvalid(f"{HOURS_PATH}: expected the hour that begins at {start_ms} ms, got none")


def _stretch(lineage: Lineage, start_ms: int) -> Node:
    """The stretch of the graph that holds the hour."""
    for node in lineage.graph.nodes.values():
        if node.kind is Kind.HOURS and _holds(node, start_ms):
            return node
    raise PackageInvalid(f"lineage: expected hours that hold {start_ms} ms, got none")


def _holds(node: Node, start_ms: int) -> bool:
    begin, end = node.facts.get("start_ms"), node.facts.get("end_ms")
    if not isinstance(begin, int) or not isinstance(end, int):
        return False
    return begin <= start_ms < end
