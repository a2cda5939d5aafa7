"""Every mutant of every piece of evidence, in Python and in the page: `make mutants`.

Prints how many were refused by whom. Ends with 3 where one was taken for good, or where command
and page answer differently.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from fix_browser import Chromium
from mutants.targets import OK, Target, all_targets
from vectors.make import told_of
from verifier.page import judge_all, opened

SEED = 20180701
EVERY_BIT = range(8)
OF_A_FILE_MAX = 5000  # of files that are hashed whole one mutant is like another
SHOWN_MAX = 20


@dataclass(frozen=True)
class Row:
    """One target: how many mutants of each kind, who took what for good, where answers differ."""

    name: str
    kinds: Counter[str]
    words: Counter[str]
    taken: list[str]
    paged: int
    differ: list[str]


def run(name: str) -> Row:
    """Judge all mutants of a target, in the page too where the page reads it."""
    (target,) = [each for each in all_targets() if each.name == name]
    random = Random(f"{SEED} {name}")
    deep = target.field != "" and target.given is not None and target.given.package is None
    bits = EVERY_BIT if deep else (random.randrange(8),)
    found = list(target.mutants(random, bits))
    if not deep and len(found) > OF_A_FILE_MAX:
        found = random.sample(found, OF_A_FILE_MAX)
    words = [target.judge(data) for _, data in found]
    told = [f"{name}: {kind}: {data.hex()[:80]}" for kind, data in found]
    taken = [text for text, word in zip(told, words, strict=True) if word == OK]
    paged = _in_page(target, [data for _, data in found]) if target.given else []
    pairs = zip(told, words, paged, strict=False)
    differ = [f"{text}: {ours} / {theirs}" for text, ours, theirs in pairs if ours != theirs]
    first = Counter(word.partition(":")[0] for word in words)
    return Row(name, Counter(kind for kind, _ in found), first, taken, len(paged), differ)


def _in_page(target: Target, mutants: Sequence[bytes]) -> list[str]:
    assert target.given is not None
    browser = Chromium()
    try:
        with tempfile.TemporaryDirectory() as folder:
            opened(browser, Path(folder))
            told = told_of(target.given)
            return list(judge_all(browser, told, target.field, target.data, mutants))
    finally:
        browser.close()


def main() -> int:
    targets = sorted(all_targets(), key=lambda each: -len(each.data))
    names = [target.name for target in targets]
    console, rows = Console(), list[Row]()
    with ProcessPoolExecutor() as pool:
        for done in as_completed(pool.submit(run, name) for name in names):
            rows.append(done.result())
            console.print(f"{rows[-1].name}: {rows[-1].words.total():,}")
    show(sorted(rows, key=lambda row: row.name), console)
    return 3 if any(row.taken or row.differ for row in rows) else 0


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the tables: by target, then by kind; and what should not be."""
    table = Table("target", "mutants", "refused", "failed", "taken", "in the page", "differ")
    for row in rows:
        failed = row.words["failed"] + row.words["found"]
        figures = (row.words.total(), row.words["refused"], failed, len(row.taken), row.paged)
        table.add_row(row.name, *(f"{n:,}" for n in figures), f"{len(row.differ):,}")
    total = sum(row.words.total() for row in rows), sum(row.paged for row in rows)
    kinds = sum((row.kinds for row in rows), Counter[str]())
    console.print(table)
    console.print("; ".join(f"{kind} {count:,}" for kind, count in kinds.most_common()))
    console.print(f"seed {SEED}: {total[0]:,} mutants in Python, {total[1]:,} of them in the page")
    for row in rows:
        for text in [*row.taken[:SHOWN_MAX], *row.differ[:SHOWN_MAX]]:
            console.print(f"[red]{text}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
