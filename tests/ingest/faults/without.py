"""What the judge sees with a protection switched off: `python -m ingest.faults.without [WORD…]`.

Writes the small table below the faults' table. Exit code 1 where it sees nothing: then the fault
would prove nothing.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ingest.faults.cases import FAULTS, Fault
from ingest.faults.counting import count
from ingest.faults.place import place
from ingest.faults.table import PAGE, name_of

BEGIN, END = "<!-- table: make ingest-faults, without -->", "<!-- end of without -->"
HEAD = "| fault · 故障 | protection off · 关闭的保护 | seen · 所见 |\n|---|---|---|\n"
PATIENCE_S = 25.0
MEMORY_MIB_MAX = 400


def seen(fault: Fault, without: str | None) -> str:
    """What the judge says; "" for a clean count with little memory."""
    with (
        tempfile.TemporaryDirectory() as folder,
        place(Path(folder), "embedded", 1, small=fault.small, without=without) as there,
    ):
        there.patience_s = PATIENCE_S
        stands = False
        try:
            fault.happen(there)
        except AssertionError:
            stands = True
        peak_mib = there.service.peak_memory()
        boxes = [sender.box for sender in there.senders]
        counted = count(there.service.url, boxes, there.refusals) if there.answers else None
    found = ["stands still · 停滞"] if stands else []
    if counted is not None:
        found += [f"lost {counted.lost:,}"] * bool(counted.lost)
        found += [f"doubled {counted.doubled:,}"] * bool(counted.doubled)
        found += [f"wrong {counted.wrong:,}"] * bool(counted.wrong)
    return ", ".join(found + [f"{peak_mib:,} MiB"] * (peak_mib > MEMORY_MIB_MAX))


def main(words: Sequence[str]) -> int:
    """Run, write, and say whether each was seen."""
    lines, blind = [], 0
    for fault in FAULTS:
        if not fault.protection or (words and not any(word in fault.name for word in words)):
            continue
        found = seen(fault, fault.protection)
        blind += not found
        lines.append(f"| {name_of(fault)} | {fault.protection} | {found} |")
        print(lines[-1], flush=True)
    if words:  # a look at some: the page has all
        return 1 if blind else 0
    page = PAGE.read_text()
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{HEAD}" + "\n".join(lines) + f"\n{END}{after}")
    return 1 if blind else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
