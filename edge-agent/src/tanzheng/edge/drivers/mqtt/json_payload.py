"""JSON with a path for each value, one for the time, one for the quality. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tanzheng.core.quality import Quality
from tanzheng.edge.drivers.mqtt.codec import PayloadRefused, Sample
from tanzheng.edge.drivers.mqtt.json_path import ABSENT, Step, look_up
from tanzheng.edge.drivers.mqtt.scalar import scalar_of
from tanzheng.edge.drivers.mqtt.timestamps import parse_time

RECORDS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class JsonShape:
    """Where a sender puts things. Paths start at each record; `records` None: the document is one.

    `time` None: the sender gives no time. A mark that `qualities` does not list is a FAULT.
    """

    time: tuple[Step, ...] | None = None
    time_form: str = "unix_ms"
    offset_minutes: int = 0
    quality: tuple[Step, ...] | None = None
    qualities: Mapping[str, Quality] = field(default_factory=dict)
    records: tuple[Step, ...] | None = None


def json_samples(
    document: Any, paths: Mapping[str, tuple[Step, ...]], shape: JsonShape
) -> list[Sample]:
    """A sample for each path (by its name) and record; what is not there gives none.

    Senders leave out what did not change: only null, "" and NaN say that there is no value.
    """
    return [
        sample
        for record in _records(document, shape.records)
        for sample in _record_samples(record, paths, shape)
    ]


def _records(document: Any, steps: tuple[Step, ...] | None) -> Sequence[Any]:
    if steps is None:
        return (document,)
    found = look_up(document, steps)
    if found is ABSENT:
        return ()
    if not isinstance(found, list):
        return (found,)
    if len(found) > RECORDS_MAX:
        raise PayloadRefused(
            "too_many_records", f"expected at most {RECORDS_MAX} records, got {len(found)}"
        )
    return found


def _record_samples(
    record: Any, paths: Mapping[str, tuple[Step, ...]], shape: JsonShape
) -> list[Sample]:
    found = {name: item for name, steps in paths.items()
             if (item := look_up(record, steps)) is not ABSENT}  # fmt: skip
    if not found:
        return []
    t_ms = _time(record, shape)
    quality = _quality(record, shape)
    samples = []
    for name, item in found.items():
        try:
            value, unit = scalar_of(item)
            samples.append(Sample(name, t_ms, value, quality, unit=unit))
        except PayloadRefused as error:
            samples.append(Sample(name, t_ms, None, quality, reason=error.reason))
    return samples


def _time(record: Any, shape: JsonShape) -> int | None:
    if shape.time is None:
        return None
    raw = look_up(record, shape.time)
    if raw is ABSENT or raw is None:
        raise PayloadRefused("no_time", "expected a time stamp, got none")
    return parse_time(raw, shape.time_form, shape.offset_minutes)


def _quality(record: Any, shape: JsonShape) -> Quality:
    if shape.quality is None:
        return Quality.GOOD
    mark = look_up(record, shape.quality)
    text = "" if mark is ABSENT or mark is None else _mark(mark)
    return shape.qualities.get(text, Quality.FAULT)


def _mark(mark: Any) -> str:
    """As JSON shows it: true, not True."""
    return str(mark).lower() if isinstance(mark, bool) else str(mark)[:64]
