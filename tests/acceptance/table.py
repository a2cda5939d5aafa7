"""The table of docs/reliability.md: `python -m acceptance.table [WORD…]`.

Runs each case (of those whose fault has one of the words, or all) as the agent is and with its
protection switched off, and writes the rows between the page's markers, each as soon as it is
known. Rows of cases that were not run stay; rows of cases that are gone go. Exit code 1 where a
case is not clean, or clean without its protection.
"""

import importlib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from acceptance.case import CASES, Case, NothingToJudge, Scene
from acceptance.judge import Verdict
from edge.world import GATEWAY
from parts import REPOSITORY, server_folder
from tanzheng.ingest.broker import Broker

PAGE = REPOSITORY / "docs/reliability.md"
BEGIN, END = "<!-- table: make reliability -->", "<!-- end of table -->"
HEAD = (
    "| fault · 故障 | protection | offered | stored | lost | doubled | wrong | gap records "
    "| without the protection |\n|---|---|---|---|---|---|---|---|---|\n"
)
SEEN = {
    "lost": "lost",
    "duplicated": "doubled",
    "wrong_quality": "wrong",
    "invented": "made up",
    "unexplained": "slots unexplained",
}
"""What a judge may see, by the verdict's attribute, as people read it."""


def load_cases() -> Sequence[Case]:
    """Every case of the suite."""
    for module in sorted(Path(__file__).parent.glob("cases_*.py")):
        importlib.import_module(f"acceptance.{module.stem}")
    return CASES


def judged(case: Case, protection: str | None) -> Verdict | None:
    """One run in a folder and with a broker of its own; None: it did not get so far."""
    with (
        tempfile.TemporaryDirectory() as folder,
        server_folder() as place,
        Broker(place) as broker,
    ):
        scene = Scene(Path(folder), broker, broker.gateway_url(GATEWAY), broker.platform_url, None)
        try:
            return case.run(replace(scene, without=protection))
        except NothingToJudge:
            return None


def seen(verdict: Verdict | None) -> str:
    """What the judge saw, in words; "" for a clean verdict."""
    if verdict is None:
        return "stands still"
    found = [f"{name} {getattr(verdict, key)}" for key, name in SEEN.items()]
    return ", ".join(each for each in found if not each.endswith(" 0"))


def name_of(case: Case) -> str:
    """The first column."""
    return f"{case.fault} · {case.fault_zh}"


def row(case: Case, verdict: Verdict, without: Verdict | None) -> str:
    """One line of the table."""
    wrong = verdict.wrong_quality + verdict.invented + verdict.unexplained
    counts = (
        verdict.offered, verdict.stored, verdict.lost, verdict.duplicated, wrong,
        verdict.gap_records,
    )  # fmt: skip
    cells = [name_of(case), case.protection, *(f"{count:,}" for count in counts), seen(without)]
    return "| " + " | ".join(cells) + " |"


def rows_of(page: str) -> dict[str, str]:
    """The rows on the page by their first column."""
    table = page.partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines}


def write(rows: dict[str, str], cases: Sequence[Case]) -> None:
    """Put `rows` onto the page in the order of the suite."""
    page = PAGE.read_text()
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    lines = [rows[name_of(case)] for case in cases if name_of(case) in rows]
    PAGE.write_text(f"{before}{BEGIN}\n{HEAD}" + "\n".join(lines) + f"\n{END}{after}")


def main(words: Sequence[str]) -> int:
    """Run, write, and say whether all was as it should be."""
    cases, failures = load_cases(), 0
    rows = rows_of(PAGE.read_text())
    for case in cases:
        if words and not any(word in case.fault for word in words):
            continue
        verdict, without = judged(case, None), judged(case, case.protection)
        assert verdict is not None, case.fault
        rows[name_of(case)] = row(case, verdict, without)
        failures += not verdict.clean or not seen(without)
        print(rows[name_of(case)], flush=True)
        write(rows, cases)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
