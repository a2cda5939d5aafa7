"""A log of the older layout, one file a statement, is brought over when it is opened."""

import shutil
from pathlib import Path

import pytest

from anchor import logs
from tanzheng.anchor.log_store import LogStore
from tanzheng.core.tiles import LogDamaged


def old_layout(folder: Path, *sizes: int) -> Path:
    """The log as version 0.1 wrote it: one file a statement, no pointer, no heads."""
    made = logs.sealed(folder.parent / "new", *sizes)
    shutil.copytree(made / "checkpoints", folder / "checkpoints")
    (folder / "leaves").mkdir()
    for number in range(sizes[-1]):
        (folder / f"leaves/{number:09d}.cose").write_bytes(logs.stated(number).raw)
    return folder


def test_older_layout_is_brought_over_on_open(tmp_path: Path) -> None:
    log = old_layout(tmp_path / "old", 2, 300)
    said: list[str] = []
    contents = LogStore(log, said.append).read()
    assert (contents.size, len(contents.checkpoints)) == (300, 2)
    assert said == [f"{log}: 300 statements brought into tiles"]
    assert len(list((log / "leaves.migrated").iterdir())) == 300
    LogStore(log, said.append).open()
    assert len(said) == 1
    assert (log / "checkpoint").exists()


def test_an_empty_older_log(tmp_path: Path) -> None:
    (tmp_path / "leaves").mkdir()
    assert LogStore(tmp_path).read().size == 0


def test_migration_killed_at_every_step(tmp_path: Path) -> None:
    start, work = old_layout(tmp_path / "old", 2, 5), tmp_path / "work"
    step = 0
    while True:
        step += 1
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(start, work)
        killed = logs.killed_at(step, lambda: LogStore(work))
        assert LogStore(work).open().size == 5
        assert not (work / "leaves").exists()
        if not killed:
            break
    assert step > 4


def test_older_layout_that_does_not_fit_stays(tmp_path: Path) -> None:
    log = old_layout(tmp_path / "old", 2, 5)
    (log / "leaves/000000003.cose").unlink()
    with pytest.raises(LogDamaged, match="expected number 3"):
        LogStore(log)
    assert not (log / "tile").exists()
