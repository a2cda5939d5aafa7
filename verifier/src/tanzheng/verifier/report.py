"""How an answer is shown: a list of points for a person, one JSON object for a machine."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.core.ids import Subject
from tanzheng.core.points import Point, Verdict

MARKS = {
    Verdict.OK: ("✓", "bold green"),
    Verdict.FAILED: ("✗", "bold red"),
    Verdict.NOT_ASKED: ("–", "dim"),
}


def holds(points: Sequence[Point]) -> bool:
    """Whether everything that was asked holds."""
    return all(point.verdict != Verdict.FAILED for point in points)


def as_json(subject: Subject, points: Sequence[Point]) -> dict[str, Any]:
    """The machine form: `ok`, `subject`, and a list of points with name, verdict and detail."""
    return {
        "ok": holds(points),
        "subject": str(subject),
        "points": [
            {
                "name": point.key,
                "verdict": str(point.verdict),
                "detail": point.detail,
                "en": point.en,
                "zh": point.zh,
            }
            for point in points
        ],
    }


def show(subject: Subject, points: Sequence[Point], console: Console, origin: str) -> None:
    """Print the list of points, and the answer below it; `origin` says where they come from."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for point in points:
        mark, style = MARKS[point.verdict]
        failed = point.verdict == Verdict.FAILED
        label = Text.assemble((point.en, style if failed else ""), "\n", (point.zh, "dim"))
        detail = Text(point.detail, style="red" if failed else "")
        table.add_row(Text(mark, style=style), label, detail)
    good = holds(points)
    answer = (
        Text("Verified: every point that was asked holds. 核验通过", style="bold green")
        if good
        else Text("Not verified: at least one point does not hold. 核验未通过", style="bold red")
    )
    console.print(
        Panel(
            Group(table, Text(), answer),
            title=f"[bold]{subject}[/bold]",
            subtitle=origin,
            border_style="green" if good else "red",
            padding=(1, 2),
        )
    )
