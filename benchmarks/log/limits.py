"""A figure with the limit it is held to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`figure` in `unit`, at most `limit`, or at least where `least`; None: shown only."""

    what: str
    figure: float
    unit: str
    against: str
    limit: float | None = None
    least: bool = False

    @property
    def kept(self) -> bool:
        """Whether the limit holds, or there is none."""
        if self.limit is None:
            return True
        return self.figure >= self.limit if self.least else self.figure <= self.limit

    @property
    def value(self) -> str:
        """The figure for a person."""
        return f"{self.figure:,.2f} {self.unit}"

    @property
    def bound(self) -> str:
        """The limit for a person."""
        return "" if self.limit is None else f"{'≥' if self.least else '≤'} {self.limit:g}"
