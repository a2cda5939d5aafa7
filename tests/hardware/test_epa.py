"""Hourly files of Part 75: both layouts, and every flaw named with its place."""

import contextlib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.epa_files import Row, row, write_campd, write_ftp
from tanzheng.core.calendar import Month
from tanzheng.hardware.commands import shipped_replay
from tanzheng.hardware.epa import (
    BadCell,
    DuplicatedHour,
    EpaError,
    MissingColumn,
    MonthNotFound,
    UnitNotFound,
    UnreadableFile,
    read_contents,
    read_month,
)

JULY, AUGUST = Month(2018, 7), Month(2018, 8)


def test_the_shipped_month() -> None:
    replay = read_month(shipped_replay())
    assert (replay.facility, replay.unit, replay.month) == ("57028", "CT1", JULY)
    assert replay.name == "Langley Gulch Power Plant"
    assert len(replay.hours) == 744
    assert replay.notices == ()
    assert sum(hour.load_mw * hour.op_time for hour in replay.hours) == 211_345
    assert sum(hour.heat_mmbtu for hour in replay.hours) == Decimal("1372943.0")


def test_both_layouts_say_the_same(tmp_path: Path) -> None:
    rows = [row(day, hour, op=".25" if hour == 3 else "1") for day in (1, 2) for hour in range(24)]
    ftp = read_month(write_ftp(tmp_path / "ftp.csv", rows))
    campd = read_month(write_campd(tmp_path / "campd.csv", rows))
    assert ftp == campd
    assert ftp.name == "A, B & C"
    assert ftp.hours[3].op_time == Decimal("0.25")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GLOAD (MW)", "GLOAD"),
        ("CO2_MASS (tons)", "CO2_MASS"),
        ("HEAT_INPUT (mmBtu)", "HEAT_INPUT"),
        ("CO2_MASS (tons)", '"CO2_MASS (short tons)"'),
        ("OP_TIME", "Op_Time (hours)"),
        ("STATE", "\ufeffSTATE"),
        ("\n", "\r\n"),
        ("\n", "\n\n"),
        ("OP_HOUR", " OP_HOUR "),
    ],
)
def test_header_spellings(old: str, new: str, tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row(), row(hour=1)])
    clean = read_month(path)
    path.write_bytes(path.read_text(encoding="utf-8").replace(old, new).encode())
    assert read_month(path) == clean


def test_predecessor_of_campd(tmp_path: Path) -> None:
    """AMPD, until 2021: `Facility ID (ORISPL)`, `CO2 (short tons)`, `Heat Input (MMBtu)`."""
    path = write_campd(tmp_path / "hours.csv", [row()])
    clean = read_month(path)
    text = path.read_text(encoding="utf-8")
    for new, old in (
        ("Facility ID (ORISPL)", "Facility ID"),
        ("MMBtu", "mmBtu"),
        ("CO2 (short tons)", "CO2 Mass (short tons)"),
    ):
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    assert read_month(path) == clean


@pytest.mark.parametrize(
    "column",
    [
        "ORISPL_CODE",
        "UNITID",
        "OP_DATE",
        "OP_HOUR",
        "OP_TIME",
        "GLOAD (MW)",
        "CO2_MASS (tons)",
        "HEAT_INPUT (mmBtu)",
    ],
)
def test_missing_column(column: str, tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row()])
    path.write_text(path.read_text(encoding="utf-8").replace(column, "OTHER"), encoding="utf-8")
    with pytest.raises(MissingColumn, match=r"hours\.csv, line 1") as caught:
        read_month(path)
    assert column.split(" ", maxsplit=1)[0] in str(caught.value)


@pytest.mark.parametrize("unit", ["GJ", "MWh", "kg"])
def test_column_in_another_unit(unit: str, tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row()])
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("(mmBtu)", f"({unit})"), encoding="utf-8")
    with pytest.raises(MissingColumn, match=f"expected heat input in mmbtu.*{unit}"):
        read_month(path)


def test_column_twice(tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row()])
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("SLOAD (1000lb/hr)", "GLOAD"), encoding="utf-8")
    with pytest.raises(MissingColumn, match="expected one column for gross load"):
        read_month(path)


@pytest.mark.parametrize(
    ("cell", "text", "column"),
    [
        ("load", "abc", "GLOAD (MW)"),
        ("load", "-1", "GLOAD (MW)"),
        ("load", "1,000", "GLOAD (MW)"),
        ("heat", "NaN", "HEAT_INPUT (mmBtu)"),
        ("heat", "inf", "HEAT_INPUT (mmBtu)"),
        ("heat", "1e9", "HEAT_INPUT (mmBtu)"),
        ("heat", "0x10", "HEAT_INPUT (mmBtu)"),
        ("co2", "-0.1", "CO2_MASS (tons)"),
        ("co2", "١٢", "CO2_MASS (tons)"),
        ("co2", "1_0", "CO2_MASS (tons)"),
        ("co2", "9" * 200, "CO2_MASS (tons)"),
        ("op", "1.01", "OP_TIME"),
        ("op", "60", "OP_TIME"),
        ("op", "-0.5", "OP_TIME"),
        ("op", "nan", "OP_TIME"),
        ("heat", "", "HEAT_INPUT (mmBtu)"),
        ("co2", "", "CO2_MASS (tons)"),
        ("co2", "  ", "CO2_MASS (tons)"),
        ("date", "13-01-2018", "OP_DATE"),
        ("date", "02-30-2018", "OP_DATE"),
        ("date", "2018/07/01", "OP_DATE"),
        ("date", "", "OP_DATE"),
        ("date", "07-01-0018", "OP_DATE"),
        ("hour", "24", "OP_HOUR"),
        ("hour", "-1", "OP_HOUR"),
        ("hour", "3.0", "OP_HOUR"),
        ("hour", "", "OP_HOUR"),
    ],
)
def test_bad_cell_is_named(cell: str, text: str, column: str, tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row(), row(hour=1) | {cell: text}, row(hour=2)])
    with pytest.raises(BadCell) as caught:
        read_month(path)
    assert (caught.value.line, caught.value.column) == (3, column)
    assert f"{path}, line 3, column {column!r}" in str(caught.value)
    assert caught.value.exit_code == 2


def test_torn_row(tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row(), row(hour=1)])
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(BadCell, match="a row of 14 cells"):
        read_month(path)


def test_duplicated_hour(tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row(), row(hour=1), row(hour=1)])
    with pytest.raises(DuplicatedHour, match="2018-07-01 01:00 on lines 3 and 4"):
        read_month(path)


def test_several_units_are_listed(tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row(), row(unit="CT2"), row(oris="100", unit="1")])
    with pytest.raises(UnitNotFound, match="100/1, 99/CT1, 99/CT2, got no --unit") as caught:
        read_month(path)
    assert caught.value.units == ("100/1", "99/CT1", "99/CT2")
    with pytest.raises(UnitNotFound, match="got '99/CT3'"):
        read_month(path, "99/CT3")
    assert read_month(path, "100/1").unit == "1"


def test_several_months_are_listed(tmp_path: Path) -> None:
    path = write_ftp(tmp_path / "hours.csv", [row(), row(month="2018-08")])
    with pytest.raises(MonthNotFound, match="2018-07, 2018-08, got no --month"):
        read_month(path)
    with pytest.raises(MonthNotFound, match="got '2018-09'"):
        read_month(path, month=Month(2018, 9))
    assert len(read_month(path, month=AUGUST).hours) == 744
    assert dict(read_contents(path).months) == {"99/CT1": ("2018-07", "2018-08")}


def test_only_the_unit_asked_for_need_be_clean(tmp_path: Path) -> None:
    dirty = row(unit="CT2", load="?", date="yesterday", co2="")
    path = write_ftp(tmp_path / "hours.csv", [row(), dirty, dirty])
    path.write_text(path.read_text(encoding="utf-8") + "ID,torn,99\n", encoding="utf-8")
    assert read_month(path, "99/CT1").hours[0].load_mw == 200
    with pytest.raises(BadCell, match="line 3, column 'OP_DATE'"):
        read_month(path, "99/CT2")


def test_standing_start_up_and_missing_hours(tmp_path: Path) -> None:
    path = write_ftp(
        tmp_path / "hours.csv",
        [
            row(hour=0, op="", load="", co2="", heat=""),
            row(hour=1, op="0", load="0", co2="0", heat="0.000"),
            row(hour=2, op="0.5", load="0"),
            row(hour=3, load=""),
            row(hour=4, op="0", load="120"),
        ],
    )
    replay = read_month(path)
    assert [hour.op_time for hour in replay.hours[:6]] == [0, 0, Decimal("0.5"), 1, 0, 0]
    assert replay.hours[2].load_mw == replay.hours[3].load_mw == 0
    assert {notice.text.partition(":")[0]: notice.hours for notice in replay.notices} == {
        "firing with an empty load cell": 1,
        "standing, yet with load, heat or CO2": 1,
        "not in the file": 744 - 5,
    }


def test_hours_before_the_month_are_kept_up_to_a_hole(tmp_path: Path) -> None:
    before = [row(30, hour, "2018-06", op=op) for hour, op in ((20, "1"), (22, "0"), (23, "0.5"))]
    path = write_ftp(tmp_path / "hours.csv", [*before, row(op="0.5")])
    assert read_month(path, month=JULY).op_time_before == (Decimal(0), Decimal("0.5"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"\0\0\0",
        b"\xff\xfe\x00\x01",
        b'"open',
        b"a" * 200_000,
        b"a,b\n1,2\n",
    ],
)
def test_no_table_is_a_named_error(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    path.write_bytes(data)
    with pytest.raises((UnreadableFile, MissingColumn), match=r"hours\.csv"):
        read_month(path)


def test_header_alone_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="expected hours after the header"):
        read_month(write_ftp(tmp_path / "hours.csv", []))
    with pytest.raises(UnreadableFile, match="No such file"):
        read_month(tmp_path / "none.csv")


@given(junk=st.lists(st.text(max_size=12), min_size=14, max_size=14))
def test_any_row_gives_hours_or_a_named_error(
    junk: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = ("date", "hour", "op", "load", "co2", "heat", "name")
    cells: Row = row() | dict(zip(keys, (text.replace("\0", "") for text in junk), strict=False))
    path = write_ftp(tmp_path_factory.getbasetemp() / "junk.csv", [row(hour=23), cells])
    with contextlib.suppress(EpaError):
        assert len(read_month(path, month=JULY).hours) == 744
