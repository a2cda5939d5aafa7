"""How an answer is shown: a list of points for a person, one JSON object for a machine."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.core.ids import Subject
from tanzheng.core.points import Point, Verdict
from tanzheng.core.receipt import ATTESTATIONS

MARKS = {
    Verdict.OK: ("✓", "bold green"),
    Verdict.FAILED: ("✗", "bold red"),
    Verdict.NOT_ASKED: ("–", "dim"),
}

ANSWERS = {
    0: ("Verified: every point that was asked holds. 核验通过", "green"),
    3: ("Not verified: at least one point does not hold. 核验未通过", "red"),
    4: (
        "The receipt holds, an attestation beside it is broken. 凭证成立，附加证明不成立",
        "yellow",
    ),
}


def holds(points: Sequence[Point]) -> bool:
    """Whether everything that was asked holds."""
    return exit_code(points) == 0


def exit_code(points: Sequence[Point]) -> int:
    """0: all holds; 3: a point does not; 4: only an attestation beside the receipt does not."""
    failed = {point.key for point in points if point.verdict == Verdict.FAILED}
    return 0 if not failed else 4 if failed <= {*ATTESTATIONS} else 3


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
    words, colour = ANSWERS[exit_code(points)]
    answer = Text(words, style=f"bold {colour}")
    console.print(
        Panel(
            Group(table, Text(), answer),
            title=f"[bold]{subject}[/bold]",
            subtitle=origin,
            border_style=colour,
            padding=(1, 2),
        )
    )
