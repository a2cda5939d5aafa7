"""The third table of docs/reliability.md: `python -m ingest.faults.table [--seed N] [WORD…]`.

Every fault (of those that have one of the words, or all) at its long run's size, on PostgreSQL and
on TimescaleDB; a row shows the sums of both. Rows that were not run stay. Exit code 1 where a row
is not clean.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from ingest.faults.cases import FAULTS, Fault
from ingest.faults.counting import Count, count
from ingest.faults.place import KINDS, place
from parts import REPOSITORY

PAGE = REPOSITORY / "docs/reliability.md"
BEGIN, END = "<!-- table: make ingest-faults -->", "<!-- end of ingest-faults -->"
HEAD = (
    "| fault · 故障 | times | offered | stored | lost | doubled | wrong | refused, in quarantine "
    "| s to catch up | peak MiB |\n|---|---|---|---|---|---|---|---|---|---|\n"
)


def happened(fault: Fault, kind: str, seed: int) -> tuple[Count, float, int, int]:
    """What the judge saw; seconds until all was acknowledged; memory; how often it happened."""
    with (
        tempfile.TemporaryDirectory() as folder,
        place(Path(folder), kind, seed, long=True, small=fault.small) as there,
    ):
        fault.happen(there)
        boxes = [sender.box for sender in there.senders]
        there.service.terminate()
        counted = count(there.service.url, boxes, there.refusals)
        return counted, there.caught_up_s, there.service.peak_mib, there.happened


def row(fault: Fault, seed: int) -> tuple[str, bool]:
    """One line of the table, and whether it is clean."""
    counts, caught_up, peaks, times = zip(
        *(happened(fault, kind, seed) for kind in KINDS), strict=True
    )
    sums = [
        sum(getattr(each, name) for each in counts)
        for name in ("offered", "stored", "lost", "doubled", "wrong", "refused")
    ]
    cells = [name_of(fault), str(sum(times)), *(f"{each:,}" for each in sums)]
    cells += [f"{max(caught_up):.1f}", str(max(peaks))]
    return "| " + " | ".join(cells) + " |", all(each.clean for each in counts)


def name_of(fault: Fault) -> str:
    """The first column."""
    return f"{fault.name} · {fault.name_zh}"


def rows_of(page: str) -> dict[str, str]:
    """The rows on the page by their first column."""
    table = page.partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines}


def write(name: str, line: str) -> None:
    """Put a row onto the page, in the order of the faults; another run may write there, too."""
    page = PAGE.read_text()
    rows = rows_of(page) | {name: line}
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    lines = [rows[name_of(fault)] for fault in FAULTS if name_of(fault) in rows]
    PAGE.write_text(f"{before}{BEGIN}\n{HEAD}" + "\n".join(lines) + f"\n{END}{after}")


def main() -> int:
    """Run, write, and say whether all was as it should be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    failures = 0
    for fault in FAULTS:
        if given.words and not any(word in fault.name for word in given.words):
            continue
        line, clean = row(fault, given.seed)
        failures += not clean
        print(line, flush=True)
        write(name_of(fault), line)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
