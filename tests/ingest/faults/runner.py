"""`tanzheng` as these tests run it: `python -m ingest.faults.runner CLOCK SWITCH ingest run …`.

Its wall clock shows what the file CLOCK says (UTC ms), if there is one. SWITCH names a change of
`switches.py` or `protections.py` ("-": none). The product has no such switches.
"""

import sys
import time
from pathlib import Path

from acceptance.switches import put
from ingest.faults import protections
from ingest.faults.switches import SWITCHES
from tanzheng.cli.main import main
from tanzheng.ingest import consumer


def inject_clock(path: Path) -> None:
    """The service takes its time of day from `path`."""

    class Clock:
        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def time_ns() -> int:
            return int(path.read_text()) * 1_000_000

    put(consumer, "time", Clock)


if __name__ == "__main__":
    _, clock, switch, *words = sys.argv
    if Path(clock).exists():
        inject_clock(Path(clock))
    assert protections.LATE_S  # loaded: it registers its switches
    if switch != "-":
        SWITCHES[switch]()
    sys.argv = ["tanzheng", *words]
    main()
