"""The journal on disk: torn lines, full disks, two writers at once, all of them real processes."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from analytics.evidence.evidence_months import MARCH, act, led_to, written
from parts import REPOSITORY
from tanzheng.analytics import lines_file
from tanzheng.analytics.evidence import store
from tanzheng.analytics.evidence.entries import Act
from tanzheng.analytics.evidence.errors import JournalTorn, MoveIllegal
from tanzheng.analytics.evidence.journal import Journal
from tanzheng.analytics.evidence.states import Move, Role, State
from tanzheng.analytics.lines_file import JournalBusy
from tanzheng.core.errors import BadInput

WRITER = """
import sys
import time
from dataclasses import replace
from pathlib import Path
from analytics.evidence.evidence_months import MARCH, act
from tanzheng.analytics.evidence import store
from tanzheng.analytics.evidence.states import Move, Role

path, unit, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
for number in range(count):
    month = replace(MARCH, unit=unit, period=f"{1990 + number // 12}-{number % 12 + 1:02d}")
    made = lambda journal: [act(journal, Role.ENTERPRISE, Move.CHECK, month)]
    store.write(path, made, begin=True)
    print(number, flush=True)
    time.sleep(0.005)  # a lock knows no queue: the other's turn
"""


def writer(path: Path, unit: str, count: int, before: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    return subprocess.Popen(
        [sys.executable, "-c", before + WRITER, str(path), unit, str(count)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def check(journal: Journal) -> Iterable[Act]:
    return [act(journal, Role.ENTERPRISE, Move.CHECK)]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal, (entry,) = store.write(path, check, begin=True)
    assert path.read_bytes() == entry.encode() == written(journal)
    store.write(path, lambda found: [act(found, Role.ENTERPRISE, Move.DEPOSIT)])
    found = store.read(path)
    assert found.month(MARCH).state is State.DEPOSITED
    assert found.entries[0] == entry


def test_a_journal_that_is_not_there_is_named(tmp_path: Path) -> None:
    for use in (store.read, lines_file.quarantine, lambda path: store.write(path, check)):
        with pytest.raises(BadInput, match=r"expected a journal at .*/nowhere"):
            use(tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())


def test_of_several_acts_all_are_written_or_none(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(written(led_to(State.CHECKED)))
    before = path.read_bytes()

    def two(journal: Journal) -> Iterable[Act]:
        yield act(journal, Role.ENTERPRISE, Move.DEPOSIT)
        yield act(journal, Role.PROVINCE, Move.REVIEW)

    with pytest.raises(MoveIllegal):
        store.write(path, two)
    assert path.read_bytes() == before


def test_a_torn_line_stops_everything_until_it_is_put_aside(tmp_path: Path) -> None:
    path, whole = tmp_path / "journal", written(led_to(State.CHECKED))
    last = written(led_to(State.DEPOSITED))[len(whole) :]
    for cut in (1, len(last) // 2, len(last) - 1):
        path.write_bytes(whole + last[:cut])
        for use in (store.read, lambda path: store.write(path, check)):
            with pytest.raises(JournalTorn, match=rf"journal:2: .* got {cut} bytes") as found:
                use(path)
            assert "--quarantine" in found.value.diagnostics()
        assert path.read_bytes() == whole + last[:cut]
        aside = lines_file.quarantine(path)
        assert aside is not None
        assert aside.read_bytes() == last[:cut]
        assert path.read_bytes() == whole
        store.write(path, check)
    assert lines_file.quarantine(path) is None
    assert len(list(tmp_path.glob("journal.torn-2-*"))) == 3


def test_a_quarantine_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"torn')
    aside = lines_file.quarantine(path)
    assert aside is not None
    for rest in (b'{"t', b'{"torn and something else'):
        aside.write_bytes(rest)
        path.write_bytes(b'{"torn')
        assert lines_file.quarantine(path) == aside
        assert aside.read_bytes() == b'{"torn'


def test_two_writers_do_not_fork_the_chain(tmp_path: Path) -> None:
    path, count = tmp_path / "journal", 100
    path.touch()
    with path.open("rb") as held:  # until both stand at the door
        fcntl.flock(held, fcntl.LOCK_EX)
        both = [writer(path, unit, count) for unit in ("A", "B")]
        assert [process.stdout and process.stdout.readline() for process in both] == ["ready\n"] * 2
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    units = [entry.act.subject.unit for entry in store.read(path).entries]
    assert sorted(units) == ["A"] * count + ["B"] * count
    assert sum(a != b for a, b in pairwise(units)) > 2, "they took turns"


def test_of_two_who_want_the_same_move_one_gets_it(tmp_path: Path) -> None:
    """Both see the month checked; the second is told of the state that the first left."""
    path = tmp_path / "journal"
    path.write_bytes(written(led_to(State.CHECKED)))
    stale = act(store.read(path), Role.ENTERPRISE, Move.DEPOSIT)
    store.write(path, lambda _: [stale])
    with pytest.raises(MoveIllegal, match="in state deposited"):
        store.write(path, lambda _: [stale])


def test_what_a_killed_writer_confirmed_is_there(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    process = writer(path, "A", 10_000)
    assert process.stdout is not None
    confirmed = [process.stdout.readline() for _ in range(26)][1:]
    process.send_signal(signal.SIGKILL)
    confirmed += process.communicate(timeout=60)[0].splitlines()
    lines_file.quarantine(path)
    assert len(store.read(path).entries) - len(confirmed) in {0, 1}


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))\n"
    process = writer(path, "A", 100, limit)
    said, error = process.communicate(timeout=60)
    assert process.returncode
    assert "JournalUnwritable" in error
    assert "nothing was added" in error
    assert len(store.read(path).entries) == len(said.split()) - 1 > 2


def test_a_lock_that_is_held_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    path.touch()
    monkeypatch.setattr(lines_file, "LOCK_WAIT_S_MAX", 0.1)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert store.read(path).entries == []
        with pytest.raises(JournalBusy, match="another process"):
            store.write(path, check)
    store.write(path, check)
