"""The spool on disks that fail: full, read-only, torn by a power cut. No silent loss."""

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.scripted import ScriptedClock, ScriptedLine, bench, take
from edge.spools import POINTS, seal_all, sealing, slot
from edge.world import GATEWAY, GATEWAY_KEY
from tanzheng.edge.abc import Round
from tanzheng.edge.room import Limits
from tanzheng.edge.spool.fsck import check_spool
from tanzheng.edge.spool.records import GapEntry, SlotEntry, decode_entry
from tanzheng.edge.spool.store import FILE_NAME, Spool, SpoolError, SpoolRefused
from tanzheng.edge.timekeeping.scheduler import Grid


@pytest.fixture
def little_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("how", ["full", "read_only"])
async def test_a_disk_that_refuses_costs_a_gap_and_no_more(little_disk: Path, how: str) -> None:
    """The disk fills up, or takes no write any more, in the middle of the work, and comes back.

    The kernel lets nobody remount a disk while a file is open, as it does itself after an error:
    SQLite's own switch answers as it would then (SQLITE_READONLY).
    """
    every = [60_000 * number for number in range(1, 41)]
    clock = ScriptedClock(every)
    inner, ballast = clock.next_slot, little_disk / "ballast"
    line = ScriptedLine([0], lambda t: Round([take(t + k, [0], [float(k)]) for k in range(40)]))
    async with bench(little_disk, Grid(60_000), clock, [line], POINTS[:1]) as made:

        async def next_slot() -> int | None:
            slot_ms = await inner()
            if slot_ms == every[14]:
                fill(ballast) if how == "full" else made.spool._db.execute("PRAGMA query_only = 1")
            if slot_ms == every[29]:
                ballast.unlink(missing_ok=True)
                made.spool._db.execute("PRAGMA query_only = 0")
            return slot_ms

        clock.next_slot = next_slot  # type: ignore[method-assign]
        entries = await made.run()
        assert made.counters.slots_refused > 0
        assert made.counters.slots + made.counters.slots_refused == len(every)
    gaps = [entry for entry in entries if isinstance(entry, GapEntry)]
    assert {gap.reason for gap in gaps} == {"disk_full" if how == "full" else "disk_error"}
    missing = {
        t for gap in gaps for each in gap.cadences for t in each.slots(gap.from_ms, gap.to_ms)
    }
    held = {entry.slot_ms for entry in entries if isinstance(entry, SlotEntry)}
    assert not missing & held
    assert missing | held == set(every)
    assert held >= {*every[:14], *every[29:]}


async def test_what_a_full_disk_refuses_to_note_is_told_later(tmp_path: Path) -> None:
    """Too little is free for readings, and for some slots not even their gap can be written."""
    every = [60_000 * number for number in range(1, 11)]
    clock = ScriptedClock(every)
    inner, line = clock.next_slot, ScriptedLine([0], lambda t: Round([take(t, [0], [1.0])]))
    limits = Limits(1 << 30, 1 << 60)
    async with bench(tmp_path, Grid(60_000), clock, [line], POINTS[:1], limits=limits) as made:

        async def next_slot() -> int | None:
            slot_ms = await inner()
            refuses = slot_ms is not None and every[3] <= slot_ms <= every[5]
            made.spool._db.execute(f"PRAGMA query_only = {int(refuses)}")
            return slot_ms

        clock.next_slot = next_slot  # type: ignore[method-assign]
        entries = await made.run()
    gaps = [entry for entry in entries if isinstance(entry, GapEntry)]
    told = [t for gap in gaps for each in gap.cadences for t in each.slots(gap.from_ms, gap.to_ms)]
    assert sorted(told) == every
    assert {gap.reason for gap in gaps} == {"spool_full", "disk_error"}


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_a_disk_that_cannot_be_written_at_the_start_is_named(little_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(little_disk)], check=True)
    with pytest.raises(SpoolError, match="expected a folder for writing"):
        Spool(little_disk, GATEWAY, POINTS)


@pytest.mark.parametrize("lost", [1, 100, 4096, 10_000])
def test_a_torn_last_write_costs_that_write_only(tmp_path: Path, lost: int) -> None:
    """The log's tail is cut off or filled with noise, as a power cut may leave it."""
    spool = Spool(tmp_path, GATEWAY, POINTS)
    for number in range(1, 6):
        spool.commit([slot(number)])
    wal = tmp_path / f"{FILE_NAME}-wal"
    torn = tmp_path / "torn"
    torn.mkdir()
    shutil.copy(tmp_path / FILE_NAME, torn)
    data = wal.read_bytes()
    noise = random.Random(lost).randbytes(lost)
    (torn / wal.name).write_bytes(data[: len(data) - lost] + noise)
    spool.close()
    check_spool(torn, GATEWAY_KEY.public)
    again = Spool(torn, GATEWAY, POINTS)
    found = again.oldest(10)
    kept = [decode_entry(body) for _, body in found.entries] if found else []
    assert kept == [slot(number) for number in range(1, len(kept) + 1)]
    assert len(kept) >= 2
    again.commit([slot(len(kept) + 1)])
    again.close()
    check_spool(torn, GATEWAY_KEY.public)


def test_an_ack_that_the_disk_refuses_changes_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    spool.commit(map(slot, range(1, 8)))
    seal_all(sealing(spool))
    head = spool.head
    assert head is not None
    spool._db.execute("PRAGMA query_only = ON")
    assert spool.free(head) == 0
    with pytest.raises(SpoolRefused):
        spool.commit([slot(9)])
    assert (spool.acked, spool.batches) == (None, 1)
    spool._db.execute("PRAGMA query_only = OFF")
    assert spool.free(head) == 1
    spool.close()
