"""Bundles and tiles on disk: what they hold, kills at every step, damage, and the older layout."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from anchor import logs
from anchor.packages import OPERATOR
from evidence import TIME_S
from tanzheng.anchor.errors import AnchorInput
from tanzheng.anchor.log_store import LogStore
from tanzheng.anchor.sealing import next_checkpoint
from tanzheng.anchor.tile_files import TileFiles
from tanzheng.core import cbor
from tanzheng.core.hashing import HashFunction, sha256, sm3
from tanzheng.core.merkle import Tree
from tanzheng.core.tiles import HASHES, LogDamaged, tile_counts, tile_path
from tanzheng.files.durable import DifferentBytes
from tanzheng.verifier.log_folder import check_folder
from tanzheng.verifier.log_source import open_log


@cache
def tree_of(count: int, hash_function: HashFunction = sha256) -> Tree:
    tree = Tree(hash_function)
    tree.extend(logs.stated(number).raw for number in range(count))
    return tree


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# ------------------------------------------------------------------ what the files hold


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_tiles_give_roots_and_proofs_of_the_tree(tmp_path: Path, size: int) -> None:
    contents = LogStore(logs.sealed(tmp_path, size)).read()
    for tree, hash_function in ((contents.tree, sha256), (contents.tree_sm3, sm3)):
        expected = tree_of(size, hash_function)
        assert tree.root() == expected.root()
        for index in {0, size // 2, size - 1}:
            assert tree.inclusion(index) == expected.inclusion(index)
            assert tree.consistency(index + 1) == expected.consistency(index + 1)


def test_a_bundle_is_a_cbor_sequence_of_statements(tmp_path: Path) -> None:
    logs.sealed(tmp_path, 300)
    first, second = (tmp_path / f"tile/entries/00{n}" for n in (0, 1))
    raw = [*cbor.split(first.read_bytes()), *cbor.split(second.read_bytes())]
    assert raw == [logs.stated(number).raw for number in range(300)]
    assert len(cbor.split(first.read_bytes())) == 256


def test_what_a_file_held_is_the_beginning_of_what_it_holds(tmp_path: Path) -> None:
    before = files_of(logs.sealed(tmp_path, 255))
    after = files_of(logs.sealed(tmp_path, 700))
    tiles = [name for name in before if name.startswith("tile/")]
    assert len(tiles) == 3
    assert all(after[name].startswith(before[name]) for name in tiles)
    assert (tmp_path / "tile/sha256/1/000").stat().st_size == 2 * 32


@pytest.mark.parametrize("parts", [[1] * 20, [256, 256], [255, 1, 1], [513], [100, 300, 200]])
def test_however_it_was_appended_the_files_are_the_same(tmp_path: Path, parts: list[int]) -> None:
    grown, at_once = tmp_path / "grown", tmp_path / "once"
    store = LogStore(grown)
    contents = store.open()
    for count in parts:
        logs.append(store, contents, count)
    other = LogStore(at_once)
    logs.append(other, other.open(), sum(parts))
    assert files_of(grown) == files_of(at_once)


def test_a_heads_file_that_is_wrong_is_not_believed(tmp_path: Path) -> None:
    logs.sealed(tmp_path, 3, 5)
    kept = tmp_path / "heads/000002.cbor"
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    right = LogStore(tmp_path).read().heads.tree.root
    for wrong in (b"", b"\x80", kept.read_bytes()[:-3], bytes(100)):
        kept.write_bytes(wrong)
        contents = LogStore(tmp_path).read()
        assert (contents.heads.tree.root, contents.heads.size) == (right, 5)


def test_a_statement_that_follows_nothing_is_not_written(tmp_path: Path) -> None:
    logs.sealed(tmp_path, 3)
    before = files_of(tmp_path)
    store = LogStore(tmp_path)
    contents = store.open()
    for wrong in ([logs.stated(2)], [logs.stated(3), logs.stated(3)]):
        with pytest.raises(AnchorInput, match=r"expected statement 2 of E0000[23]"):
            store.append(contents, wrong)
    assert files_of(tmp_path) == before


# ------------------------------------------------------------------ kills


def seal_more(folder: Path, count: int) -> None:
    store = LogStore(folder)
    with store.lock():
        contents = store.open()
        logs.append(store, contents, count)
        logs.checkpoint(store, contents)


@pytest.mark.parametrize(("before", "count"), [(0, 1), (254, 1), (255, 2), (250, 300)])
def test_killed_at_every_step_of_a_seal(tmp_path: Path, before: int, count: int) -> None:
    """Afterwards the log has the old statements or also new ones, whole, and goes on."""
    start, work = tmp_path / "start", tmp_path / "work"
    logs.sealed(start, *([before] if before else []))
    [logs.stated(number) for number in range(before + count)]
    step, sizes = 0, set()
    while True:
        step += 1
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(start, work)
        if not logs.killed_at(step, lambda: seal_more(work, count)):
            break
        store = LogStore(work)
        contents = store.open()
        assert before <= contents.size <= before + count
        sizes.add(contents.size)
        assert contents.tree.root() == tree_of(contents.size).root()
        logs.append(store, contents, before + count - contents.size)
        if contents.last is None or contents.last.checkpoint.size < contents.size:
            logs.checkpoint(store, contents)
        again = LogStore(work).read()
        assert check_folder(work, open_log(str(work)), None).findings == ()
        assert again.last is not None
        assert (again.size, again.last.checkpoint.seq) == (before + count, 1 + bool(before))
    assert step > 20
    assert {before, before + count} <= sizes


def test_killed_while_it_mends(tmp_path: Path) -> None:
    """Recovery from a torn tail is itself killed at each step."""
    start, work = tmp_path / "start", tmp_path / "work"
    logs.sealed(start, 300)
    with (start / "tile/entries/001").open("ab") as file:
        file.write(logs.stated(300).raw[:-9])
    with (start / "tile/sm3/0/001").open("ab") as file:
        file.write(bytes(40))
    (start / "tile/sha256/1/000").unlink()
    step = 0
    while True:
        step += 1
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(start, work)
        killed = logs.killed_at(step, lambda: LogStore(work).open())
        assert LogStore(work).open().tree.root() == tree_of(300).root()
        if not killed:
            break
    assert step > 5


def test_a_torn_tail_is_cut_reported_and_kept(tmp_path: Path) -> None:
    logs.sealed(tmp_path, 3)
    bundle = tmp_path / "tile/entries/000"
    whole, torn = bundle.read_bytes(), logs.stated(3).raw[:100]
    bundle.write_bytes(whole + torn)
    said: list[str] = []
    assert LogStore(tmp_path, said.append).open().size == 3
    assert bundle.read_bytes() == whole
    assert len(said) == 1
    assert "cut 100 bytes" in said[0]
    [kept] = (tmp_path / "cut").iterdir()
    assert kept.read_bytes() == torn


def test_reading_mends_nothing(tmp_path: Path) -> None:
    logs.sealed(tmp_path, 3)
    with (tmp_path / "tile/entries/000").open("ab") as file:
        file.write(b"torn")
    before = files_of(tmp_path)
    assert LogStore(tmp_path).read().size == 3
    assert files_of(tmp_path) == before


def test_reading_beside_an_append_that_lags_above(tmp_path: Path) -> None:
    """A statement counts before the tiles above follow: a reader stops before it."""
    logs.sealed(tmp_path, 200)
    store = LogStore(tmp_path)
    logs.append(store, store.open(), 100)
    (tmp_path / "tile/sm3/1/000").unlink()
    assert LogStore(tmp_path).read().size == 255
    said: list[str] = []
    assert LogStore(tmp_path, said.append).open().size == 300
    assert said == ["tile/sm3/1: 1 hashes completed from those below"]


def test_full_disk_then_again(tmp_path: Path) -> None:
    """A file-size limit stands for a full disk: half of an append is written."""
    logs.sealed(tmp_path, 3)
    store = LogStore(tmp_path)
    contents = store.open()
    at = (tmp_path / "tile/entries/000").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at + 100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            logs.append(store, contents, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(DifferentBytes):  # not behind a part: the log must be opened again
        logs.append(store, contents, 1)
    seal_more(tmp_path, 1)
    assert LogStore(tmp_path).read().size == 4


# ------------------------------------------------------------------ damage

DAMAGE: dict[str, Callable[[Path], None]] = {
    "statement flipped": lambda log: logs.flip(log / "tile/entries/000", 700),
    "statement of another place": lambda log: logs.swap(log / "tile/entries/000"),
    "bundle missing": lambda log: (log / "tile/entries/000").unlink(),
    "bundle cut": lambda log: logs.cut(log / "tile/entries/001", 1),
    "leaf hash flipped": lambda log: logs.flip(log / "tile/sha256/0/000", 64),
    "leaf hash lost": lambda log: logs.cut(log / "tile/sha256/0/001", 32),
    "SM3 hash lost": lambda log: logs.cut(log / "tile/sm3/0/001", 32),
    "SM3 hash flipped": lambda log: logs.flip(log / "tile/sm3/0/001", 3),
    "upper hash flipped": lambda log: logs.flip(log / "tile/sha256/1/000", 3),
    "upper hash too many": lambda log: grow(log / "tile/sm3/1/000", 32),
    "file of no number": lambda log: grow(log / "tile/sha256/0/000.bak", 32),
    "hole": lambda log: move(log / "tile/sha256/0/000", log / "tile/sha256/0/002"),
    "checkpoint missing": lambda log: (log / "checkpoints/000001.cose").unlink(),
    "last checkpoint missing": lambda log: (log / "checkpoints/000002.cose").unlink(),
    "checkpoint flipped": lambda log: logs.flip(log / "checkpoints/000001.cose", 200),
    "checkpoints swapped": lambda log: move(
        log / "checkpoints/000002.cose", log / "checkpoints/000001.cose"
    ),
}


def grow(path: Path, octets: int) -> None:
    path.write_bytes((path.read_bytes() if path.exists() else b"") + bytes(octets))


def move(path: Path, to: Path) -> None:
    path.replace(to)


@pytest.mark.parametrize("flaw", DAMAGE)
def test_damage_is_named_and_nothing_is_cut(tmp_path: Path, flaw: str) -> None:
    logs.sealed(tmp_path, 200, 300)
    DAMAGE[flaw](tmp_path)
    before = files_of(tmp_path / "tile")
    with pytest.raises(LogDamaged, match="expected"):
        LogStore(tmp_path).open()
    assert files_of(tmp_path / "tile") == before


def test_statements_rewritten_with_all_their_tiles(tmp_path: Path) -> None:
    """Sound in themselves, but not what the checkpoint signed."""
    honest, forged = logs.sealed(tmp_path / "honest", 3), tmp_path / "forged"
    store = LogStore(forged)
    store.append(store.open(), [logs.stated(9_000 + number) for number in range(3)])
    for name in ("checkpoint", "checkpoints/000001.cose"):
        shutil.copy(honest / name, forged / name)
    with pytest.raises(LogDamaged, match="expected its roots"):
        LogStore(forged).open()


def test_a_checkpoint_with_the_heads_of_another_log(tmp_path: Path) -> None:
    store = LogStore(logs.sealed(tmp_path, 3))
    contents = store.open()
    logs.append(store, contents, 1)
    point = replace(next_checkpoint(contents, logs.CHAIN, TIME_S), heads_root=bytes(32))
    store.add_checkpoint(contents, point.sign(OPERATOR))
    with pytest.raises(LogDamaged, match="expected its heads"):
        LogStore(tmp_path).open()


# ------------------------------------------------------------------ the pure part


def test_numbers_of_tiles_are_written_in_groups_of_three() -> None:
    assert tile_path("sha256", 0, 7) == "tile/sha256/0/007"
    assert tile_path("sm3", 2, 1_234_067) == "tile/sm3/2/x001/x234/067"
    assert tile_counts(65_536 * 3 + 5) == [196_613, 768, 3]


def test_a_size_is_counted_where_a_row_has_more_than_a_thousand_files(tmp_path: Path) -> None:
    for number in range(1002):
        path = tmp_path / tile_path("sha256", 0, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(8192 if number < 1001 else 64))
    assert TileFiles(tmp_path).size() == 1001 * 256 + 2


def test_both_trees_have_a_row_of_their_own() -> None:
    assert list(HASHES) == ["sha256", "sm3"]
