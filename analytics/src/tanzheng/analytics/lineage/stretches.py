"""A month's hours as stretches of one method, without losing where a substitute came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tanzheng.analytics.accounting.rounding import ratio
from tanzheng.analytics.hours import HALF_MS_PER_HOUR, METHOD_LABELS, Hour, Method
from tanzheng.analytics.lineage.graph import Kind, Node
from tanzheng.core.calendar import HOUR_MS, PlantZone

HOUR_FORMAT = "%Y-%m-%dT%H"


@dataclass(frozen=True, slots=True)
class LookedAt:
    """The month's valid hours that a substitute was chosen among: the first, the last, and the one
    whose rate it has (None where that lies before the month)."""

    first_ms: int
    last_ms: int
    taken_ms: int | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring hours of one method; substitutes within one looked at the same valid hours."""

    hours: tuple[Hour, ...]
    zone: PlantZone
    looked: LookedAt | None

    @property
    def method(self) -> Method:
        """Where the hours' CO2 mass comes from."""
        return self.hours[0].method

    @property
    def start_ms(self) -> int:
        """Where the first hour begins."""
        return self.hours[0].start_ms

    @property
    def end_ms(self) -> int:
        """Where the last hour ends."""
        return self.hours[-1].start_ms + HOUR_MS

    @property
    def id(self) -> str:
        """The node's id: method, first and last hour in plant time."""
        first, last = (hour_name(at, self.zone) for at in (self.start_ms, self.end_ms - HOUR_MS))
        return f"hours:{self.method}:{first}/{last}"

    def looked_at(self, other: "Stretch") -> bool:
        """Whether a substitute of this stretch was chosen among hours of the other."""
        looked = self.looked
        if looked is None or other.method is not Method.MEASURED:
            return False
        return looked.first_ms < other.end_ms and other.start_ms <= looked.last_ms

    def node(self) -> Node:
        """The stretch as a node: its CO2 mass where every hour has one."""
        en, zh = METHOD_LABELS[self.method]
        masses = [hour.co2_t for hour in self.hours]
        whole = None if None in masses else sum((m for m in masses if m is not None), Decimal(0))
        facts: dict[str, str | int] = {
            "method": str(self.method),
            "hours": len(self.hours),
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "operating_hours": str(
                ratio(sum(hour.operating_half_ms for hour in self.hours), HALF_MS_PER_HOUR, 4)
            ),
        }
        if self.looked is not None:
            taken_ms = self.looked.taken_ms
            facts |= {
                "taken_from": "" if taken_ms is None else hour_name(taken_ms, self.zone),
                "looked_at_first": hour_name(self.looked.first_ms, self.zone),
                "looked_at_last": hour_name(self.looked.last_ms, self.zone),
            }
        count = len(self.hours)
        shown = f"{count} hours {en}", f"{count} 小时：{zh}"
        value = None if whole is None else f"{whole:f}"
        return Node(self.id, Kind.HOURS, *shown, value, None if whole is None else "t", facts)


def hour_name(t_ms: int, zone: PlantZone) -> str:
    """`2018-07-11T03`: the clock hour that begins at `t_ms`, in plant time."""
    return f"{zone.datetime(t_ms):{HOUR_FORMAT}}"


def stretches(hours: Sequence[Hour], zone: PlantZone) -> list[Stretch]:
    """The hours in order, neighbours of one method and one look-back together."""
    valid = [hour for hour in hours if hour.state.rate is not None]
    groups: list[list[Hour]] = []
    looks: list[LookedAt | None] = []
    for hour in hours:
        looked = looked_at(hour, valid)
        if groups and groups[-1][-1].method is hour.method and looks[-1] == looked:
            groups[-1].append(hour)
        else:
            groups.append([hour])
            looks.append(looked)
    return [Stretch(tuple(g), zone, look) for g, look in zip(groups, looks, strict=True)]


def looked_at(hour: Hour, valid: Sequence[Hour]) -> LookedAt | None:
    """Which of the month's `valid` hours the table looked at for a substituted one; None for an
    hour that was not filled from any."""
    filled = hour.substitution
    if filled is None or not filled.hours_found:
        return None
    if filled.after:
        seen = [each for each in valid if each.start_ms > hour.start_ms][: filled.hours_found]
    else:
        seen = [each for each in valid if each.start_ms < hour.start_ms][-filled.hours_found :]
    if not seen:
        return None
    taken = next((each.start_ms for each in seen if each.rate_t_per_h == filled.rate), None)
    return LookedAt(seen[0].start_ms, seen[-1].start_ms, taken)
