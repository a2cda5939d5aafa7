"""Months, hours and days in plant time.

A plant's zone is a fixed offset from UTC without daylight saving: China's (+08:00) is, and a
month with a 23-hour day would make hourly evidence ambiguous. All instants are UTC milliseconds.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from tanzheng.core.errors import BadInput

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class PlantZone:
    """A fixed offset from UTC in minutes, east positive."""

    offset_minutes: int

    @classmethod
    def parse(cls, text: object) -> "PlantZone":
        """`+08:00`, `-07:00`; `BadInput` for anything else."""
        match = re.fullmatch(r"([+-])(\d{2}):(\d{2})", text) if isinstance(text, str) else None
        minutes = int(match[2]) * 60 + int(match[3]) if match else 0
        if match is None or int(match[3]) >= 60 or minutes > 14 * 60:
            raise BadInput(f"expected an offset from UTC such as '+08:00', got {text!r}")
        return cls(-minutes if match[1] == "-" else minutes)

    def __str__(self) -> str:
        sign = "-" if self.offset_minutes < 0 else "+"
        hours, minutes = divmod(abs(self.offset_minutes), 60)
        return f"{sign}{hours:02d}:{minutes:02d}"

    def datetime(self, t_ms: int) -> datetime:
        """The instant `t_ms` on the plant's clock."""
        zone = timezone(timedelta(minutes=self.offset_minutes))
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=t_ms)).astimezone(zone)

    def midnight_ms(self, day: date) -> int:
        """UTC milliseconds of 00:00 of `day` on the plant's clock."""
        days = (day - date(1970, 1, 1)).days
        return days * DAY_MS - self.offset_minutes * MINUTE_MS

    def day(self, t_ms: int) -> date:
        """The plant's calendar day that holds `t_ms`."""
        days = (t_ms + self.offset_minutes * MINUTE_MS) // DAY_MS
        return date(1970, 1, 1) + timedelta(days=days)


CHINA = PlantZone(8 * 60)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month; its instants depend on the plant's zone."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1970 <= self.year <= 9998 and 1 <= self.month <= 12):
            raise BadInput(f"expected a month of 1970 to 9998, got {self.year}-{self.month}")

    @classmethod
    def parse(cls, text: object) -> "Month":
        """`YYYY-MM`; `BadInput` for anything else."""
        match = re.fullmatch(r"(\d{4})-(\d{2})", text) if isinstance(text, str) else None
        if match is None:
            raise BadInput(f"expected a month YYYY-MM, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def next(self) -> "Month":
        """The month after this one; `BadInput` behind 9998-12."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def last_day(self) -> date:
        return self.first_day.replace(day=monthrange(self.year, self.month)[1])

    @property
    def hours(self) -> int:
        """Number of clock hours."""
        return self.last_day.day * 24

    def bounds_ms(self, zone: PlantZone) -> tuple[int, int]:
        """[start, end) of the month in UTC milliseconds."""
        return zone.midnight_ms(self.first_day), zone.midnight_ms(self.last_day + timedelta(days=1))


def slots(start_ms: int, end_ms: int, interval_ms: int) -> range:
    """The grid instants of [start, end): a range, so its length costs nothing."""
    return range(start_ms, end_ms, interval_ms)
