"""A figure with the limit it is held to, and the table of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table


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


def table(title: str, rows: Sequence[Row]) -> Table:
    """The rows for a person; a limit that is not kept stands out."""
    shown = Table.grid(padding=(0, 2))
    for name in ("what", "measured", "limit", ""):
        shown.add_column(justify="left" if name == "what" else "right")
    shown.add_row(f"[bold]{title}", "measured", "limit", "")
    for row in rows:
        sign = "" if row.limit is None else ("✓" if row.kept else "[bold red]✗")
        shown.add_row(f"{row.what}\n[dim]  {row.against}", row.value, row.bound, sign)
    return shown
