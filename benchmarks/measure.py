"""What a benchmark returns: a figure, and the limit or peer it is held against in the same run."""

from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Measured:
    """`value` and `limit` in the same `unit`; `against` names what `limit` was measured on."""

    name: str
    value: float
    unit: str
    against: str
    limit: float

    @property
    def ratio(self) -> float:
        """Measured ÷ limit: at most 1 for a rate, at least 1 for a cost."""
        return self.value / self.limit


def table(rows: list[Measured]) -> Table:
    """The rows for a person, in 80 columns."""
    shown = Table.grid(padding=(0, 2))
    for column in ("what", "measured", "limit", "ratio"):
        shown.add_column(justify="left" if column == "what" else "right")
    shown.add_row("[bold]benchmark 基准", "measured", "limit", "measured ÷ limit")
    for row in rows:
        what = f"{row.name}\n[dim]  against {row.against}[/dim]"
        measured, limit = f"{row.value:,.0f} {row.unit}", f"{row.limit:,.0f}"
        shown.add_row(what, measured, limit, f"[bold]{row.ratio:.2f}")
    return shown
