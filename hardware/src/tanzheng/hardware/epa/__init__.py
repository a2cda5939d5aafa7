"""Reader of hourly files of US EPA Part 75 (40 CFR 75): real hours to replay."""

from tanzheng.hardware.epa.errors import (
    BadCell,
    DuplicatedHour,
    EpaError,
    MissingColumn,
    MonthNotFound,
    UnitNotFound,
    UnreadableFile,
)
from tanzheng.hardware.epa.reader import (
    FileContents,
    Hour,
    MonthOfHours,
    Notice,
    read_contents,
    read_month,
)

__all__ = [
    "BadCell",
    "DuplicatedHour",
    "EpaError",
    "FileContents",
    "Hour",
    "MissingColumn",
    "MonthNotFound",
    "MonthOfHours",
    "Notice",
    "UnitNotFound",
    "UnreadableFile",
    "read_contents",
    "read_month",
]
