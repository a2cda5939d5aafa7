"""The PostgreSQL index of a log: what it finds, how it follows, and that nobody believes it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from anchor import logs
from anchor.packages import OPERATOR
from evidence import statement
from tanzheng.anchor.errors import IndexDiffers, IndexUnavailable
from tanzheng.anchor.log_index import Found, LogIndex, Refreshed
from tanzheng.anchor.log_store import LogStore
from tanzheng.core.statement import Supersedes
from tanzheng.core.tiles import LogDamaged
from tanzheng.files import durable


@pytest.fixture
def index(database_url: str) -> LogIndex:
    return LogIndex(database_url, logs.CHAIN)


def log_of(folder: Path, size: int) -> LogStore:
    logs.sealed(folder, size)
    return LogStore(folder)


def correct(store: LogStore, number: int) -> None:
    """A second statement about the subject `number`, under a checkpoint of its own."""
    with store.lock():
        contents, first = store.open(), logs.stated(number)
        again = statement(
            logs.subject(number),
            seq=2,
            prev=first.digest,
            supersedes=Supersedes(first.digest, "meter_fault", "A. Person"),
        )
        store.append(contents, [again.sign(OPERATOR)])
        logs.checkpoint(store, contents)


def find(index: LogIndex, store: LogStore, everything: bool = False, **wanted: str) -> list[Found]:
    contents = store.read()
    return list(index.find(contents.files, contents.size, wanted, everything))


def change(url: str, query: str, *values: Any) -> None:
    with psycopg.connect(url) as connection:
        assert connection.execute(query.encode(), values).rowcount > 0


def test_it_follows_the_log(tmp_path: Path, index: LogIndex) -> None:
    store = log_of(tmp_path, 300)
    assert index.refresh(store) == Refreshed(300, 300, 1)
    assert index.refresh(store) == Refreshed(0, 300, 1)
    correct(store, 7)
    assert index.refresh(store) == Refreshed(1, 301, 2)
    assert index.refresh(store, rebuild=True) == Refreshed(301, 301, 2)


def test_the_log_is_read_once(
    tmp_path: Path, index: LogIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = log_of(tmp_path, 300), Counter[str]()
    reader = durable.reader

    def counting(folder: Path) -> Callable[[str], bytes | None]:
        read = reader(folder)

        def counted(name: str) -> bytes | None:
            asked[name] += 1
            return read(name)

        return counted

    monkeypatch.setattr(durable, "reader", counting)
    index.refresh(store)
    correct(store, 7)
    asked.clear()
    index.refresh(store)
    assert {name: n for name, n in asked.items() if name.startswith("tile/entries")} == {
        "tile/entries/000": 1, "tile/entries/001": 1,
    }  # fmt: skip


def test_a_damaged_log_leaves_the_index_as_it_was(tmp_path: Path, index: LogIndex) -> None:
    store = log_of(tmp_path, 300)
    index.refresh(store)
    correct(store, 7)
    logs.flip(tmp_path / "tile/sha256/1/000", 5)
    with pytest.raises(LogDamaged):
        index.refresh(store)
    logs.flip(tmp_path / "tile/sha256/1/000", 5)
    assert [found.is_current for found in find(index, store, enterprise="E00007")] == [True]
    assert index.refresh(store) == Refreshed(1, 301, 2)


def test_it_finds_the_current_one_and_all(tmp_path: Path, index: LogIndex) -> None:
    store = log_of(tmp_path, 20)
    index.refresh(store)
    correct(store, 7)
    index.refresh(store)
    [current] = find(index, store, enterprise="E00007")
    assert (current.leaf, current.signed.statement.seq, current.checkpoint) == (20, 2, 2)
    first, second = find(index, store, everything=True, enterprise="E00007", period="2018-07")
    assert [(f.leaf, f.is_current, f.checkpoint) for f in (first, second)] == [
        (7, False, 1), (20, True, 2),
    ]  # fmt: skip
    assert first.signed == logs.stated(7)
    assert len(find(index, store, kind="month")) == 20
    assert find(index, store, enterprise="E00099") == []


def test_what_is_not_sealed_yet_has_no_checkpoint(tmp_path: Path, index: LogIndex) -> None:
    store = log_of(tmp_path, 3)
    with store.lock():
        contents = store.open()
        logs.append(store, contents, 1)
    index.refresh(store)
    assert [found.checkpoint for found in find(index, store)] == [1, 1, 1, None]


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("UPDATE evidence_log.statement SET digest = %s WHERE leaf = 4", bytes(32)),
        ("UPDATE evidence_log.statement SET leaf = %s WHERE leaf = 4", 4000),
        ("UPDATE evidence_log.statement SET enterprise = %s WHERE leaf = 5", "E00004"),
    ],
)
def test_an_index_that_lies_is_named(
    tmp_path: Path, index: LogIndex, database_url: str, query: str, value: object
) -> None:
    store = log_of(tmp_path, 9)
    index.refresh(store)
    change(database_url, query, value)
    with pytest.raises(IndexDiffers):
        find(index, store, enterprise="E00004")


def test_a_refresh_adds_to_the_index_of_this_log_only(
    tmp_path: Path, index: LogIndex, database_url: str
) -> None:
    store = log_of(tmp_path / "one", 9)
    index.refresh(store)
    for query, value in (
        ("UPDATE evidence_log.statement SET digest = %s WHERE leaf = 4", bytes(32)),
        ("DELETE FROM evidence_log.statement WHERE leaf = %s", 3),
        ("UPDATE evidence_log.checkpoint SET digest = %s", bytes(32)),
    ):
        change(database_url, query, value)
        with pytest.raises(IndexDiffers):
            index.refresh(store)
        index.refresh(store, rebuild=True)
    with pytest.raises(IndexDiffers, match="1 checkpoints"):
        index.refresh(log_of(tmp_path / "shorter", 5))
    assert len(find(index, store)) == 9


def test_without_an_index_or_a_database(tmp_path: Path, index: LogIndex) -> None:
    store = log_of(tmp_path, 2)
    with pytest.raises(IndexDiffers, match="none yet"):
        find(index, store)
    with pytest.raises(IndexUnavailable):
        LogIndex("postgresql://nobody@127.0.0.1:1/none", logs.CHAIN).refresh(store)


def test_the_commands(tmp_path: Path, database_url: str) -> None:
    logs.CHAIN.write(tmp_path)
    store = log_of(tmp_path / "log", 4)
    correct(store, 2)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("tanzheng")), "anchor", "index", *arguments]
        where = ["--dir", str(tmp_path), "--database-url", database_url]
        return subprocess.run([*command, *where], capture_output=True, text=True, check=False)

    assert json.loads(run("refresh", "--json").stdout) == {
        "added": 5, "statements": 5, "checkpoints": 2,
    }  # fmt: skip
    [found] = json.loads(run("find", "--enterprise", "E00002", "--json").stdout)
    assert (found["subject"], found["seq"], found["current"]) == (
        "E00002/CT1/2018-07/month", 2, True,
    )  # fmt: skip
    assert "5 statements" in run("find", "--all").stdout
    change(database_url, "UPDATE evidence_log.statement SET digest = %s", bytes(32))
    refused = run("find")
    assert refused.returncode != 0
    assert "refresh --rebuild" in refused.stderr
