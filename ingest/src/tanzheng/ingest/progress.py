"""How far a long command has come: a bar on a terminal, a line every some seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psycopg

Advance = Callable[[str, int, int], None]
"""Told of each piece: gateway, batches, readings."""

LINE_EVERY_S = 10.0


def silent(gw: str, batches: int, readings: int) -> None:
    """Tells nobody."""


def batches_of(database_url: str, gateways: Mapping[str, object]) -> int:
    """How many batches these gateways have: the length of the way."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM batch WHERE gw = ANY(%s)", (list(gateways),)
        ).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def shown(what: str, total: int) -> Iterator[Advance]:
    """Progress over `total` batches on standard error, which leaves output to machines alone."""
    if sys.stderr.isatty():
        with _bar(what, total) as advance:
            yield advance
    else:
        yield _lines(what, total)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total)

        def advance(gw: str, batches: int, readings: int) -> None:
            progress.update(task, advance=batches, description=f"{what} {gw}")

        yield advance


def _lines(what: str, total: int) -> Advance:
    done = rows = 0
    due = time.monotonic() + LINE_EVERY_S

    def advance(gw: str, batches: int, readings: int) -> None:
        nonlocal done, rows, due
        done, rows = done + batches, rows + readings
        if time.monotonic() >= due:
            due = time.monotonic() + LINE_EVERY_S
            line = f"{what}: {done} of {total} batches, {rows} readings, at {gw}"
            print(line, file=sys.stderr, flush=True)

    return advance
