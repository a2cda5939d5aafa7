"""Hours kept up for as long as the platform runs: one refresh after another, in a thread.

What may go wrong outside is told by `faults` and tried again: a database that is away, a plant file
that cannot be read, a gateway whose batches contradict each other. All work is done in transactions
and a mark goes last, so the thread may be left at any moment.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from tanzheng.analytics.database import conninfo
from tanzheng.analytics.errors import DatabaseFault
from tanzheng.analytics.hour_store import Refreshed, refresh
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant

LOG = logging.getLogger(__name__)
RETRY_S_MAX = 60.0
STOP_S_MAX = 20.0
"""For the gateways in hand; what is not done then is still marked at the next start."""
STILL_S_MAX = 600.0
"""Without some gateways done or a round finished, beyond the time between rounds."""


class PlantFiles:
    """Plant files by their paths; what changed on disk counts from the next look on."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._known = {path: _read(path, None) for path in paths}

    def plants(self) -> tuple[list[Plant], list[str]]:
        """All of them, and what is wrong with those that stay as they were."""
        faults = []
        for path, known in self._known.items():
            try:
                self._known[path] = _read(path, known)
            except BadInput as error:
                faults.append(str(error))
        return [plant for _, plant in self._known.values()], faults


class Rounds:
    """One refresh of all plants after another, by the processes of `pool`. `DatabaseFault`."""

    def __init__(self, database_url: str, files: PlantFiles, pool: Executor | None) -> None:
        self._database_url = conninfo(database_url)
        self._files, self._pool = files, pool

    def one(self, progress: Callable[[int, int], object]) -> tuple[Refreshed, list[str]]:
        """What it did, and what is wrong with a plant file or with the batches of a gateway."""
        plants, faults = self._files.plants()
        now_ms = time.time_ns() // 1_000_000
        done = refresh(self._database_url, plants, now_ms, self._pool, progress)
        return done, [*faults, *done.faults]


class HoursService:
    """`run` refreshes every `every_s` seconds until `stop`; `tell` hears of rounds with marks."""

    def __init__(self, rounds: Rounds, every_s: float, tell: Callable[[Refreshed], object]) -> None:
        self._rounds, self._every_s, self._tell = rounds, every_s, tell
        self._stopping = threading.Event()
        self._broken: Exception | None = None
        self._alive_s = time.monotonic()
        self._away = "the database was not asked yet"
        self._failures = 0
        self._faults: list[str] = []

    def run(self) -> None:
        """Until `stop`, which it outlives by `STOP_S_MAX` at most; our own faults end it."""
        # A daemon: neither a long mark nor a lock that somebody holds keeps a service from ending.
        thread = threading.Thread(target=self._work, name="hours", daemon=True)
        thread.start()
        LOG.info("keeping hours up, every %g s · 持续更新小时数据", self._every_s)
        self._stopping.wait()
        thread.join(STOP_S_MAX)
        if self._broken is not None:
            raise self._broken

    def stop(self) -> None:
        """No further gateway begins."""
        self._stopping.set()

    def faults(self) -> list[str]:
        """Why hours are not kept up; empty where they are."""
        still_s = time.monotonic() - self._alive_s
        late = still_s > self._every_s + STILL_S_MAX
        still = f"nothing was done for {still_s:.0f} s" if late else ""
        return [fault for fault in (self._away, still, *self._faults) if fault]

    def _work(self) -> None:
        try:
            wait_s = 0.0
            while not self._stopping.wait(wait_s):
                wait_s = self._round()
        except _StoppedError:
            pass
        except Exception as error:  # noqa: BLE001 - raised by `run`, where somebody hears of it
            self._broken = error
        finally:
            self._stopping.set()

    def _round(self) -> float:
        """One refresh; how long to wait for the next."""
        try:
            done, faults = self._rounds.one(self._go_on)
        except DatabaseFault as error:
            wait_s = min(RETRY_S_MAX, 2.0 ** min(self._failures, 10))
            self._failures += 1
            self._away = str(error)
            LOG.warning("next try in %.0f s: %s", wait_s, self._away)
            return wait_s
        self._answered()
        if done.marks or done.hours:
            self._tell(done)
        for fault in set(faults) - set(self._faults):
            LOG.error("%s", fault)
        self._faults = faults
        return self._every_s

    def _answered(self) -> None:
        if self._away:
            LOG.info("the database answers")
        self._away, self._failures, self._alive_s = "", 0, time.monotonic()

    def _go_on(self, done: int, total: int) -> None:
        """Told before the first gateways and after each lot. What failed is well only after a whole
        round: a full disk fails behind the first mark each time."""
        self._alive_s = time.monotonic()
        if not self._failures:
            self._answered()
        if self._stopping.is_set() and done < total:
            raise _StoppedError


class _StoppedError(Exception):
    """Asked to stop between two lots of gateways."""


def _read(path: Path, known: tuple[bytes, Plant] | None) -> tuple[bytes, Plant]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: expected a readable file, got {error.strerror}") from error
    if known is not None and known[0] == raw:
        return known
    return raw, Plant.parse(raw, str(path))
