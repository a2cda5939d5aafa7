"""What can be wrong with an hourly file, each with its place."""

from collections.abc import Iterable
from pathlib import Path

from tanzheng.core.errors import BadInput


class EpaError(BadInput):
    """An hourly file that cannot be replayed."""


class UnreadableFile(EpaError):
    """No file, no text, no table."""


class MissingColumn(EpaError):
    """The header has not the columns of an hourly file, or has one in another unit."""


class BadCell(EpaError):
    """A cell that holds no usable value. `line` is 1-based, `column` the header's spelling."""

    def __init__(self, path: Path, line: int, column: str, expected: str, got: str) -> None:
        super().__init__(
            f"expected {expected}, got {got!r}, at {path}, line {line}, column {column!r}"
        )
        self.line = line
        self.column = column


class DuplicatedHour(EpaError):
    """One hour of one unit stands twice in the file."""


class UnitNotFound(EpaError):
    """No unit chosen where the file has several, or one that it has not."""

    def __init__(self, path: Path, asked: str | None, units: Iterable[str]) -> None:
        self.units = tuple(units)
        what = f"got {asked!r}" if asked is not None else "got no --unit"
        super().__init__(f"expected one of the units {', '.join(self.units)}, {what}, at {path}")


class MonthNotFound(EpaError):
    """No month chosen where the unit has several, or one that it has not."""

    def __init__(self, path: Path, unit: str, asked: str | None, months: Iterable[str]) -> None:
        self.months = tuple(months)
        what = f"got {asked!r}" if asked is not None else "got no --month"
        super().__init__(
            f"unit {unit}: expected one of the months {', '.join(self.months)}, {what}, at {path}"
        )
