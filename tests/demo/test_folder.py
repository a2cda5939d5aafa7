"""The folder of a rehearsal: made anew, without touching what is not its own."""

from pathlib import Path

import pytest

from tanzheng.core.errors import BadInput
from tanzheng.demo.folder import MARK, OUR_NAMES, RunFolder


def test_every_path_of_a_run_is_one_that_is_cleared(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    names = [name for name, item in vars(RunFolder).items() if isinstance(item, property)]
    own = {getattr(folder, name).relative_to(tmp_path).parts[0] for name in names}
    assert own
    assert own <= set(OUR_NAMES)


def test_an_earlier_run_is_removed_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine")
    folder = RunFolder.fresh(tmp_path)
    (folder.plant / "taken.jsonl").write_text("old")
    folder.summary.write_text("{}")
    again = RunFolder.fresh(tmp_path)
    assert list(again.plant.iterdir()) == []
    assert not again.summary.exists()
    assert (tmp_path / "mine.csv").read_text() == "mine"
    assert folder.keys.stat().st_mode & 0o077 == 0


def test_a_file_of_someone_else_with_our_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "mine").write_text("mine")
    with pytest.raises(BadInput, match="expected a folder without 'package'"):
        RunFolder.fresh(tmp_path)
    assert (tmp_path / "package" / "mine").read_text() == "mine"
    assert not (tmp_path / MARK).exists()
