"""The whole way, on real parts: `tanzheng demo` as a user runs it, judged by hand-made figures."""

import os
import subprocess
from pathlib import Path

import pytest

from demo.months import state_file
from fix_month import TANZHENG, Rehearsal, rehearse

ATTACKS = {
    "database_row_changed",
    "package_byte_changed",
    "receipt_byte_changed",
    "batch_dropped",
    "operator_rewrote",
}


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that mention `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and entry.parent.name != str(os.getpid()):
            found.append(line)
    return found


def assert_whole(month: Rehearsal) -> None:
    """Nothing lost, nothing doubled, all explained, all attacks named, no process left."""
    assert month.exit_code == 0, month.output[-8000:]
    summary = month.summary
    assert summary["readings_lost"] == summary["readings_duplicated"] == 0
    assert summary["readings_taken"] == summary["readings_stored"]
    whole = summary["slots"] * summary["points"]
    assert summary["readings_taken"] + summary["readings_in_gaps"] == whole
    assert summary["readings_in_gaps"] >= 10 * summary["points"]
    assert set(summary["gap_reasons"]) == {"agent_down"}
    assert summary["verify_exit_code"] == 0
    assert summary["attacks"] == dict.fromkeys(ATTACKS, True)
    assert summary["broker"].startswith("mosquitto")
    assert processes_of(month.folder) == []


@pytest.mark.timeout(600)
def test_july_2018_of_langley_gulch(july: Rehearsal) -> None:
    assert_whole(july)
    summary = july.summary
    assert summary["month"] == "2018-07"
    assert summary["generation_mwh"] == 211_345.0
    assert summary["operating_hours"] == 744.0
    assert summary["fuel_gas_1e4nm3"] == 3_356.88
    assert summary["co2_calculated_t"] == 72_676.61
    assert summary["co2_cems_t"] == pytest.approx(74_018.84, rel=1e-3)
    assert (july.folder / "month.png").stat().st_size > 20_000


@pytest.mark.timeout(600)
def test_a_month_with_starts_partial_and_empty_hours(tmp_path: Path) -> None:
    expected = state_file(tmp_path / "state.csv", 2019, 2, seed=7)
    replay = ("--replay", str(tmp_path / "state.csv"), "--unit", "99/G 1")
    month = rehearse(tmp_path / "run", *replay)
    assert_whole(month)
    summary = month.summary
    half_interval_h = 0.5 / 60 * expected.switches
    mass_per_h = expected.co2_t / expected.operating_hours
    assert summary["generation_mwh"] == pytest.approx(expected.generation_mwh, rel=2e-4)
    assert summary["fuel_gas_1e4nm3"] == pytest.approx(expected.fuel_gas_1e4nm3, rel=2e-4)
    hours_error = abs(summary["operating_hours"] - expected.operating_hours)
    assert hours_error <= 1e-3 * expected.operating_hours + half_interval_h
    mass_error = abs(summary["co2_cems_t"] - expected.co2_t)
    assert mass_error <= 1e-3 * expected.co2_t + half_interval_h * mass_per_h


def test_bad_replay_is_named_before_anything_starts(tmp_path: Path) -> None:
    state_file(tmp_path / "state.csv", 2019, 2, seed=7)
    done = subprocess.run(
        [TANZHENG, "demo", "--dir", str(tmp_path / "run"), "--replay", str(tmp_path / "state.csv")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "99/G 1" in done.stderr
    assert "99/OTHER" in done.stderr


def test_a_folder_with_a_file_of_someone_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "package").write_text("mine")
    done = subprocess.run(
        [TANZHENG, "demo", "--dir", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "expected a folder without 'package'" in " ".join(done.stderr.split())
    assert (tmp_path / "package").read_text() == "mine"
