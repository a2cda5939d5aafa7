"""The edge spool, signing included, against a bare append and fdatasync of the same bytes.

Both write the same slots of eleven points, each durable before the next, in turns of one batch on
the same disk; both write the signed batch at its end. The floor keeps no order, no index, frees
nothing and signs nothing. A ratio of 1 is the disk's own speed.
"""

import os
import tempfile
import time
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measure import Measured
from tanzheng.core.batch import ClockState
from tanzheng.core.keys import SigningKey
from tanzheng.edge.abc import Take
from tanzheng.edge.sealer import SealPolicy
from tanzheng.edge.sealing import Sealing, SealLimits
from tanzheng.edge.spool.records import SlotEntry, encode_entry
from tanzheng.edge.spool.store import Spool

POINTS = tuple(f"device/field{number}" for number in range(11))
SLOTS = 60
BATCHES = 40
INTERVAL_MS = 60_000


def run() -> list[Measured]:
    """Rows: the spool against the plain file, and against one whose blocks exist already."""
    with tempfile.TemporaryDirectory(prefix="bench-spool-", dir=Path.cwd()) as folder:
        spool_s, grown_s, preallocated_s = _turns(Path(folder))
    slots = SLOTS * BATCHES
    return [
        Measured(
            f"spool + sign, {slots:,} slots, one fsync each",
            slots / spool_s,
            "slots/s",
            what,
            slots / seconds,
        )
        for what, seconds in (
            ("append + fdatasync", grown_s),
            ("the same, preallocated", preallocated_s),
        )
    ]


def _turns(folder: Path) -> tuple[float, float, float]:
    """Seconds of the spool, of the growing file, of the preallocated file."""
    spool = Spool(folder / "spool", "bench", POINTS)
    sealing = Sealing(
        spool,
        SigningKey.from_seed(bytes(32)),
        "bench",
        SealLimits(SealPolicy(SLOTS, 1e9), INTERVAL_MS, {}),
        lambda: 0,
        lambda: ClockState("bench", synced=True),
    )
    grown = os.open(folder / "grown", os.O_WRONLY | os.O_CREAT)
    preallocated = os.open(folder / "preallocated", os.O_WRONLY | os.O_CREAT)
    os.write(preallocated, bytes(SLOTS * BATCHES * 1024))
    os.lseek(preallocated, 0, os.SEEK_SET)
    os.fsync(preallocated)
    took = [0.0, 0.0, 0.0]
    for batch in range(BATCHES):
        entries = [_slot(batch * SLOTS + number) for number in range(SLOTS)]
        took[0] += _seconds(partial(_spool, spool, sealing, entries))
        bodies = [*map(encode_entry, entries), _newest_batch(spool)]
        took[1] += _seconds(partial(_append, grown, bodies))
        took[2] += _seconds(partial(_append, preallocated, bodies))
    os.close(grown)
    os.close(preallocated)
    spool.close()
    return took[0], took[1], took[2]


def _slot(number: int) -> SlotEntry:
    values = array("d", [number + each / 7 for each in range(11)])
    slot_ms = (number + 1) * INTERVAL_MS
    return SlotEntry(slot_ms, (Take(slot_ms, tuple(range(11)), values, bytes(11)),))


def _spool(spool: Spool, sealing: Sealing, entries: list[SlotEntry]) -> None:
    for entry in entries:
        spool.commit([entry])
    sealing.seal_due(full=False)


def _newest_batch(spool: Spool) -> bytes:
    assert spool.head is not None
    found = spool.next_batch(spool.head.epoch, spool.head.seq - 1)
    assert found is not None
    return found[1]


def _append(handle: int, bodies: list[bytes]) -> None:
    for body in bodies:
        os.write(handle, body)
        os.fdatasync(handle)


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
