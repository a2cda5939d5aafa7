"""The soak in small, and the page that shows what came of all this."""

from pathlib import Path

import numpy as np
import pytest

from acceptance.soak import growth, lasting_port, soaked
from acceptance.soak_judge import Tally, Track
from acceptance.table import PAGE, load_cases, name_of, rows_of
from parts import missing, server_folder
from tanzheng.ingest.broker import Broker, find_mosquitto


def test_a_soak_of_twenty_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if find_mosquitto() is None:
        missing("mosquitto")
    with server_folder() as place, Broker(place, lasting_port(3)) as broker:
        clean = soaked(20, 8, 3, tmp_path, broker)
    assert clean, capsys.readouterr().out


@pytest.fixture
def tally() -> Tally:
    """For one device with one point."""
    return Tally(1, ["count"], 0)


@pytest.mark.parametrize(
    ("values", "lost", "excused", "duplicated", "wrong"),
    [
        ([1.0, 2.0, 3.0], 0, 0, 0, 0),
        ([1.0, 2.0], 1, 0, 0, 0),
        ([2.0, 3.0], 0, 1, 0, 0),
        ([1.0, 2.0, 2.0, 3.0], 0, 0, 1, 0),
        ([1.0, 2.0, 3.0, 4.0], 0, 0, 0, 1),
        ([1.0, 2.0, 3.0, 2.5], 0, 0, 0, 1),
    ],
)
def test_the_soak_counts_each_value(
    tally: Tally, values: list[float], lost: int, excused: int, duplicated: int, wrong: int
) -> None:
    """Three were offered, the first in flight at a kill."""
    tally.tracks["d1/count"].take(np.array(values))
    tally.excuses.append(([1], [1]))
    count = tally.count([3], [[]])
    found = (count.offered, count.lost, count.excused, count.duplicated, count.wrong)
    assert found == (3, lost, excused, duplicated, wrong)


def test_a_slot_without_reading_and_gap_is_seen() -> None:
    track = Track(0)
    track.account(np.array([300, 301, 303]))
    assert track.holes == [302]


def test_memory_that_grows_is_seen() -> None:
    assert growth([40.0] * 8) == (40.0, 40.0)
    assert growth([40.0, 41.0, 45.0, 50.0, 55.0, 60.0, 65.0, 66.0]) == (40.5, 65.5)


def test_each_case_is_in_the_table() -> None:
    """`make reliability` writes it: nothing lost, doubled or wrong, and each time the judge saw
    what was missing without the protection."""
    rows = rows_of(PAGE.read_text())
    assert {name_of(case) for case in load_cases()} == rows.keys()
    for row in rows.values():
        _, _, _, _, lost, doubled, wrong, _, seen = (cell.strip() for cell in row.split("|")[1:-1])
        assert (lost, doubled, wrong) == ("0", "0", "0"), row
        assert seen, row
