"""`tanzheng` as these tests run it: `python -m ingest.faults.runner CLOCK WITHOUT ingest run …`.

Its wall clock shows what the file CLOCK says (UTC ms; empty: the machine's). WITHOUT names a
protection that is switched off ("-": none): a fault that does no harm even then proves nothing.
The product has no such switches.
"""

import sys
from pathlib import Path

from ingest.faults.protections import PROTECTIONS
from tanzheng.cli.main import main
from tanzheng.ingest import consumer


def inject_clock(path: Path) -> None:
    """The service takes its time of day from `path`."""

    class Clock:
        monotonic = staticmethod(consumer.time.monotonic)

        @staticmethod
        def time_ns() -> int:
            return int(path.read_text()) * 1_000_000

    consumer.time = Clock  # type: ignore[assignment]


if __name__ == "__main__":
    _, clock, without, *words = sys.argv
    if Path(clock).exists():
        inject_clock(Path(clock))
    if without != "-":
        PROTECTIONS[without]()
    sys.argv = ["tanzheng", *words]
    main()
