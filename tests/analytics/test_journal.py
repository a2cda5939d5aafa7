"""The journal: what is read is what was confirmed; any other byte is named with its line."""

import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.analytics import lines_file
from tanzheng.analytics.journal import Journal, JournalDamaged, JournalTorn
from tanzheng.analytics.lines_file import JournalUnwritable
from tanzheng.core import closed
from tanzheng.core.errors import BadInput, CheckFailed

START = datetime(2025, 4, 1, tzinfo=UTC)


def decode(body: Mapping[str, Any], where: str) -> str:
    return closed.text(closed.record(body, ("text",), where), "text", where)


def journal(path: Path) -> Journal[str]:
    return Journal(path, "words", decode)


def write(path: Path, *words: str) -> Journal[str]:
    made = journal(path)
    for day, word in enumerate(words):
        with made.writing() as writer:
            writer.append({"text": word}, START + timedelta(days=day))
    return made


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    made = write(tmp_path / "j", "one", "二", "three")
    entries = made.read()
    assert [entry.body for entry in entries] == ["one", "二", "three"]
    assert [entry.at.day for entry in entries] == [1, 2, 3]
    assert made.fsck() == made.fsck(entries[1].digest)
    assert made.fsck().faults == ()
    assert made.fsck().head == entries[-1].digest


def test_a_journal_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected a journal"):
        journal(tmp_path / "none").read()


def test_every_cut_is_a_shorter_journal_or_a_torn_line(tmp_path: Path) -> None:
    whole = write(tmp_path / "j", "one", "two", "three").path.read_bytes()
    ends = {0, *(at + 1 for at, byte in enumerate(whole) if byte == 10)}
    cut = tmp_path / "cut"
    for size in range(len(whole)):
        cut.write_bytes(whole[:size])
        lines = whole[:size].count(b"\n")
        if size in ends:
            assert [entry.number for entry in journal(cut).read()] == [*range(1, lines + 1)]
        else:
            with pytest.raises(JournalTorn, match=rf"cut, line {lines + 1}: "):
                journal(cut).read()


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_may_flip(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    path = tmp_path_factory.mktemp("flip") / "j"
    made = write(path, "one", "two", "three")
    head, raw = made.fsck().head, bytearray(path.read_bytes())
    raw[at % len(raw)] ^= 1 << bit
    path.write_bytes(raw)
    assert made.fsck(head).faults
    try:
        entries = made.read()
    except CheckFailed:
        return
    # Only the last line has nobody behind it: there the noted head speaks.
    assert entries[-1].digest != head


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_line_changed_with_its_form_kept_is_named(tmp_path: Path, line: int) -> None:
    made = write(tmp_path / "j", "one", "two", "three", "four")
    lines = made.path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = (
        lines[line - 1].replace(b'"text":"t', b'"text":"T').replace(b'"one"', b'"ONE"')
    )
    made.path.write_bytes(b"".join(lines))
    with pytest.raises(JournalDamaged, match=rf"line {line + 1}: expected prev"):
        made.read()


def test_a_line_taken_out_is_named(tmp_path: Path) -> None:
    made = write(tmp_path / "j", "one", "two", "three")
    lines = made.path.read_bytes().splitlines(keepends=True)
    made.path.write_bytes(lines[0] + lines[2])
    with pytest.raises(JournalDamaged, match="line 2: expected n 2, got 3"):
        made.read()


def test_missing_lines_at_the_end_show_against_a_noted_head(tmp_path: Path) -> None:
    made = write(tmp_path / "j", "one", "two")
    head = made.fsck().head
    made.path.write_bytes(made.path.read_bytes().splitlines(keepends=True)[0])
    assert made.fsck().faults == ()
    assert "expected a line with the digest" in made.fsck(head).faults[0]


def test_a_journal_of_another_kind_is_refused(tmp_path: Path) -> None:
    made = write(tmp_path / "j", "one")
    with pytest.raises(JournalDamaged, match="line 1: expected prev"):
        Journal(made.path, "other", decode).read()


def test_a_torn_line_is_set_aside_and_writing_goes_on(tmp_path: Path) -> None:
    made = write(tmp_path / "j", "one", "two")
    whole = made.path.read_bytes()
    made.path.write_bytes(whole[:-5])
    with pytest.raises(JournalTorn), made.writing():
        pass
    aside = lines_file.quarantine(made.path)
    assert aside is not None
    assert aside.read_bytes() == whole.splitlines()[1][:-4]
    assert lines_file.quarantine(made.path) is None
    with made.writing() as writer:
        writer.append({"text": "two again"}, START + timedelta(days=3))
    assert [entry.body for entry in made.read()] == ["one", "two again"]


def test_a_body_that_cannot_be_read_again_is_not_written(tmp_path: Path) -> None:
    made = write(tmp_path / "j", "one")
    before = made.path.read_bytes()
    with made.writing() as writer, pytest.raises(BadInput, match="exactly the keys"):
        writer.append({"word": "two"}, START + timedelta(days=3))
    assert made.path.read_bytes() == before


def test_time_does_not_run_backward(tmp_path: Path) -> None:
    made = write(tmp_path / "j", "one", "two")
    with made.writing() as writer, pytest.raises(BadInput, match="not before 2025-04-02T00:00:00Z"):
        writer.append({"text": "three"}, START)


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    made = write(tmp_path / "j", "one")
    before = made.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with made.writing() as writer, pytest.raises(JournalUnwritable, match="File too large"):
            writer.append({"text": "two"}, START + timedelta(days=3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert made.path.read_bytes() == before


APPENDER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tanzheng.analytics.journal import Journal
made = Journal(Path(sys.argv[1]), "words", lambda body, where: body["text"])
for _ in range(20):
    with made.writing() as writer:
        writer.append({"text": sys.argv[2]}, datetime(2025, 4, 1, tzinfo=UTC))
"""


def test_two_processes_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "j"
    both = [subprocess.Popen([sys.executable, "-c", APPENDER, path, word]) for word in ("a", "b")]
    assert [process.wait(60) for process in both] == [0, 0]
    entries = journal(path).read()
    assert sorted(entry.body for entry in entries) == ["a"] * 20 + ["b"] * 20
    assert json.loads(path.read_bytes().splitlines()[39])["n"] == 40


ENDLESS = APPENDER.replace("range(20)", "iter(int, 1)").replace(
    'writer.append({"text": sys.argv[2]}, datetime(2025, 4, 1, tzinfo=UTC))',
    'print(writer.append({"text": sys.argv[2] * 300}, datetime(2025, 4, 1, tzinfo=UTC)).number,'
    " flush=True)",
)


@pytest.mark.parametrize("entries", [1, 7, 23])
def test_what_was_confirmed_survives_a_killed_writer(tmp_path: Path, entries: int) -> None:
    """Killed while it writes, after at least `entries` lines: each confirmed line is there."""
    path, confirmed = tmp_path / "j", tmp_path / "confirmed"
    with confirmed.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", ENDLESS, path, "a"], stdout=out)
        while confirmed.read_bytes().count(b"\n") < entries:
            assert process.poll() is None
        process.kill()
        process.wait()
    last = int(confirmed.read_bytes().splitlines()[-1])
    made = journal(path)
    lines_file.quarantine(made.path)
    assert len(made.read()) >= last >= entries
    assert made.fsck().faults == ()
