"""`tanzheng anomalies`: tables refused cell by cell, alerts cut to a jurisdiction and read out."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from analytics.leads import ALERT, PLACE, SUBJECT, Desk
from tanzheng.analytics.anomalies import report as reports
from tanzheng.analytics.anomalies.commands import app
from tanzheng.analytics.anomalies.example import example_tables
from tanzheng.analytics.anomalies.report import Report, report
from tanzheng.analytics.anomalies.suppression import Suppression, read_suppressions
from tanzheng.analytics.anomalies.tables import TableInvalid, read_tables
from tanzheng.analytics.leads import register
from tanzheng.analytics.seats import NATION, Seat
from tanzheng.core.errors import BadInput, EncodingError

NAMES = ("unit_month", "lab_report", "point_month")
FOUND = {"E004": "fuel", "E011": "cems", "E018": "carbon"}


def invoke(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fleet") / "example"
    invoke("example", made)
    return made


@pytest.fixture(scope="module")
def told(folder: Path) -> Report:
    return report(read_tables(files(folder)), NATION)


def files(folder: Path) -> list[Path]:
    return [folder / f"{name}.csv" for name in NAMES]


def cell(path: Path, line: int, column: str, text: str, out: Path) -> Path:
    """A copy of a CSV with one cell replaced."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[line - 1][lines[0].index(column)] = text
    out.write_text("\n".join(map(",".join, lines)) + "\n")
    return out


def test_the_example_s_three_faults_are_found_and_nothing_else(told: Report) -> None:
    assert {alert.enterprise: alert.blames for alert in told.alerts} == FOUND
    assert len(told.alerts) == 3
    assert told.units == 24


def test_the_example_without_its_faults_is_left_alone(tmp_path: Path) -> None:
    for name, table in example_tables(faults=False).items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    tables = read_tables([tmp_path / f"{name}.parquet" for name in NAMES])
    assert report(tables, NATION).alerts == ()


def test_csv_and_parquet_say_the_same(folder: Path, tmp_path: Path, told: Report) -> None:
    for name, table in example_tables().items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    other = report(read_tables([tmp_path / f"{name}.parquet" for name in NAMES]), NATION)
    assert other.alerts == told.alerts


def test_parquet_may_hold_moments_and_numbers_that_are_none(tmp_path: Path) -> None:
    table = example_tables()["unit_month"].with_columns(
        pl.col("month").cast(pl.Datetime), coal_other_use_t=pl.lit(float("nan"))
    )
    table.write_parquet(tmp_path / "unit_month.parquet")
    read = read_tables([tmp_path / "unit_month.parquet"]).unit_month
    assert read["month"].dtype == pl.Date
    assert read["coal_other_use_t"].null_count() == read.height


def test_a_report_survives_its_json(told: Report) -> None:
    data = json.dumps(reports.encode(told)).encode()
    assert reports.decode(data, "x") == told


@pytest.mark.parametrize("change", [{"version": 2}, {"more": 1}, {"alerts": [{}]}, {"units": "9"}])
def test_a_report_of_another_shape_is_refused(told: Report, change: dict[str, Any]) -> None:
    with pytest.raises(EncodingError):
        reports.decode(json.dumps({**reports.encode(told), **change}).encode(), "x")


# ------------------------------------------------------------------ jurisdiction


@pytest.mark.parametrize(
    ("seat", "enterprises", "units"),
    [
        ("nation", {"E004", "E011", "E018"}, 24),
        ("320000", {"E004", "E011"}, 16),
        ("320500", {"E004"}, 8),
        ("320200", {"E011"}, 8),
        ("330200", {"E018"}, 8),
        ("330000", {"E018"}, 8),
        ("110000", set(), 0),
    ],
)
def test_a_supervisor_sees_its_own_enterprises_only(
    folder: Path, seat: str, enterprises: set[str], units: int
) -> None:
    found = json.loads(invoke("detect", *files(folder), "--as", seat, "--json"))
    assert {item["alert"]["enterprise"] for item in found["alerts"]} == enterprises
    assert found["units"] == units
    others = {f"E{n:03d}" for n in range(1, 25)} - enterprises
    text = json.dumps(found["alerts"])
    assert seat == "nation" or not [name for name in others if name in text]


def test_the_twin_of_another_city_is_named_to_the_nation_alone(folder: Path) -> None:
    def words(seat: str) -> str:
        found = json.loads(invoke("detect", *files(folder), "--as", seat, "--json"))
        (alert,) = (a["alert"] for a in found["alerts"] if a["alert"]["enterprise"] == "E018")
        return json.dumps(alert)

    assert "E005 U1 2024-10" in words("nation")
    assert "a unit of another jurisdiction" in words("330200")


def test_an_enterprise_runs_no_detection(folder: Path) -> None:
    with pytest.raises(BadInput, match="expected the seat of a supervisor"):
        invoke("detect", *files(folder), "--as", "enterprise:E004")


# ------------------------------------------------------------------ tables


@pytest.mark.parametrize(
    ("line", "column", "text", "says"),
    [
        (5, "coal_t", "12 000", "line 5, coal_t: expected a number of 0 or more, got '12 000'"),
        (5, "coal_t", "-1", "line 5, coal_t: expected a number of 0 or more, got '-1'"),
        (5, "coal_t", "inf", "line 5, coal_t: expected a number of 0 or more, got 'inf'"),
        (577, "coal_t", "nan", "line 577, coal_t: expected a number"),
        (9, "month", "2024-13", "line 9, month: expected YYYY-MM, got '2024-13'"),
        (9, "month", "2023-08-02", "line 9, month: expected YYYY-MM"),
        (9, "month", "", "line 9, month: expected YYYY-MM, got none"),
        (2, "division_code", "320000", "line 2, division_code: expected six digits"),
        (2, "division_code", "", "line 2, division_code: expected six digits.*got none"),
        (3, "enterprise", "E 1", "line 3, enterprise: expected letters"),
        (3, "sector", "power2", "line 3, sector: expected one of power"),
        (3, "month", "2023-01", "line 3, month: expected each enterprise, unit, month once"),
        (9, "division_code", "330212", "line 9, division_code: expected '320583' as in the first"),
        (9, "unit_class", "gas", "line 9, unit_class: expected 'coal_over_300mw' as in the first"),
        (1, "coal_t", "coal_tt", "expected no column 'coal_tt', perhaps coal_t"),
        (1, "unit_class", "fuel_source", "expected a column unit_class"),
    ],
)
def test_a_wrong_cell_is_named(
    folder: Path, tmp_path: Path, line: int, column: str, text: str, says: str
) -> None:
    path = cell(folder / "unit_month.csv", line, column, text, tmp_path / "unit_month.csv")
    with pytest.raises(TableInvalid, match=says):
        read_tables([path])


def test_all_wrong_cells_are_named_at_once(folder: Path, tmp_path: Path) -> None:
    path = cell(folder / "unit_month.csv", 4, "coal_t", "x", tmp_path / "a.csv")
    path = cell(path, 7, "month", "y", tmp_path / "unit_month.csv")
    with pytest.raises(TableInvalid) as caught:
        read_tables([path])
    assert [flaw.where for flaw in caught.value.flaws] == [
        "unit_month.csv, line 7, month", "unit_month.csv, line 4, coal_t",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "expected"),
        (b"enterprise,unit\nE1\n", "line 2: expected 2 cells, got 1"),
        (b'enterprise,unit\n"E1,U1\n', "expected CSV"),
        (b"unit,unit\n1,2\n", r"line 1: expected each column once, got \['unit'\]"),
        (b"\xff\xff\xff", "expected text in UTF-8 or GB 18030"),
    ],
)
def test_no_table(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(BadInput, match=says):
        read_tables([tmp_path / "a.csv"])


WORDS = [
    "enterprise", "unit", "month", "sector", "division_code", "unit_class", "fuel", "coal_t",
    "report_id", "point", "E1", "2024-01", "2024-01-01", "power", "320583", "1e999", "-0", "1",
    "", " ", '"', "\0", "x", "煤",
]  # fmt: skip
LINES = st.lists(st.sampled_from(WORDS), max_size=9).map(",".join)


@given(st.binary(max_size=300) | st.lists(LINES, max_size=6).map("\n".join).map(str.encode))
def test_any_bytes_are_a_table_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("garbage")
    for name in ("a.csv", "a.parquet"):
        (folder / name).write_bytes(data)
        try:
            read_tables([folder / name])
        except BadInput:
            continue


def test_chinese_spreadsheets_in_gb18030_are_read(folder: Path, tmp_path: Path) -> None:
    path = cell(folder / "unit_month.csv", 2, "fuel", "烟煤", tmp_path / "unit_month.csv")
    path.write_bytes(path.read_text().encode("gb18030"))
    assert read_tables([path]).unit_month["fuel"][0] == "烟煤"


def test_two_reports_of_a_month_are_refused(folder: Path, tmp_path: Path) -> None:
    text = (folder / "lab_report.csv").read_text()
    (tmp_path / "lab_report.csv").write_text(text + text.splitlines()[1].replace("R001", "R999"))
    with pytest.raises(TableInvalid, match="line 578, month: expected each"):
        read_tables([folder / "unit_month.csv", tmp_path / "lab_report.csv"])


def test_only_laboratory_reports_are_no_fleet(folder: Path) -> None:
    with pytest.raises(BadInput, match="expected a table of unit-months, got lab_report only"):
        read_tables([folder / "lab_report.csv"])


def test_what_is_not_looked_at_is_said(tmp_path: Path) -> None:
    table = example_tables()["unit_month"]
    short = (pl.col("enterprise") != "E001") | (pl.col("month") >= date(2024, 8, 1))
    kiln = table.head(3).with_columns(sector=pl.lit("cement"), enterprise=pl.lit("K1"))
    pl.concat([table.filter(short), kiln]).write_csv(tmp_path / "unit_month.csv")
    told = report(read_tables([tmp_path / "unit_month.csv"]), NATION)
    assert told.not_looked_at == (("E001", "U1"),)
    assert (told.units, told.other_sector_rows) == (23, 3)
    other = report(read_tables([tmp_path / "unit_month.csv"]), Seat.parse("330000"))
    assert (other.not_looked_at, other.other_sector_rows) == ((), 0)
    text = invoke("detect", tmp_path / "unit_month.csv")
    assert "not looked at, too few months: 1 (E001 U1)" in text
    assert "3 rows of other sectors not looked at" in text


@pytest.mark.parametrize("units", [1, 2])
def test_a_fleet_of_hardly_any_unit_warns_of_few_peers(tmp_path: Path, units: int) -> None:
    table = example_tables(faults=False)["unit_month"]
    names = [f"E{n + 1:03d}" for n in range(units)]
    table.filter(pl.col("enterprise").is_in(names)).write_csv(tmp_path / "unit_month.csv")
    text = invoke("detect", tmp_path / "unit_month.csv")
    assert "coal_over_300mw: 1 units, few peers" in text
    assert f"alerts 0, units {units}" in text


# ------------------------------------------------------------------ explain, suppress


def test_an_alert_is_read_out(folder: Path, tmp_path: Path) -> None:
    invoke("detect", *files(folder), "--out", tmp_path / "alerts.json")
    found = json.loads((tmp_path / "alerts.json").read_text())
    (name,) = (a["alert"]["id"] for a in found["alerts"] if a["alert"]["blames"] == "fuel")
    text = invoke("explain", tmp_path / "alerts.json", name[:5])
    for words in (
        "fuel burned",
        "燃料消耗量",
        "limit 限值",
        "Check on site 现场核查",
        "pile survey",
    ):
        assert words in text
    assert json.loads(invoke("explain", tmp_path / "alerts.json", name, "--json"))["id"] == name
    with pytest.raises(BadInput, match="expected the id of one alert, got 'zz', which 0 have"):
        invoke("explain", tmp_path / "alerts.json", "zz")


def test_an_alert_file_is_never_overwritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alerts.json").write_text("kept")
    with pytest.raises(BadInput, match="expected a new file"):
        invoke("detect", *files(folder), "--out", tmp_path / "alerts.json")
    assert (tmp_path / "alerts.json").read_text() == "kept"


ROW = {
    "lead": '"L0001"', "input": '"fuel"', "enterprise": '"E004"', "from": '"2024-09"',
    "until": '"2025-03"', "reason": '"known_operation"', "note": '"tests lignite"',
    "owner": '"Li Wei"', "expires": "2025-12-31",
}  # fmt: skip
TODAY = date(2025, 6, 1)


def toml(**changes: str) -> bytes:
    lines = [f"{key} = {value}" for key, value in {**ROW, **changes}.items() if value]
    return "\n".join(["[[suppression]]", *lines]).encode()


@pytest.fixture
def closed_lead(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path / "leads.journal")
    desk.open()
    desk.move("close", NATION, outcome="false_alert")
    return desk


def read(desk: Desk, raw: bytes, today: date = TODAY) -> list[Suppression]:
    return list(read_suppressions(raw, "s.toml", register.read(desk.path), today))


def test_a_suppression_covers_the_alert_of_its_lead(closed_lead: Desk) -> None:
    (item,) = read(closed_lead, toml())
    assert item.covers(ALERT)
    assert not read(closed_lead, toml(until='"2024-09"'))[0].covers(ALERT)
    assert read(closed_lead, toml(), date(2026, 1, 1)) == []
    assert len(read(closed_lead, toml(), date(2025, 12, 31))) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lead": '"L0002"'}, "a lead closed as false_alert, got none of that number"),
        ({"input": '"cems"'}, "a lead about E004, cems, got E004, fuel"),
        ({"enterprise": '"E005"'}, "a lead about E005, fuel, got E004, fuel"),
        ({"unit": '"U2"'}, "the lead's unit U1, got U2"),
        ({"reason": '"because"'}, "reason one of"),
        ({"note": '" "'}, "a text for note"),
        ({"expires": '"2025-12-31"'}, "a date for expires"),
        ({"expires": ""}, r"got wrong \['expires'\]"),
        ({"until": '"2024-08"'}, "until not before from"),
        ({"rule": '"PWR-E-001"'}, r"got wrong \['rule'\]"),
    ],
)
def test_a_wrong_suppression(closed_lead: Desk, changes: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=f"s.toml: suppression 1: .*{says}"):
        read(closed_lead, toml(**changes))


@pytest.mark.parametrize("outcome", ["explained", "confirmed_error"])
def test_another_outcome_suppresses_nothing(tmp_path: Path, outcome: str) -> None:
    desk = Desk(tmp_path / "leads.journal")
    desk.open()
    with pytest.raises(BadInput, match="closed as None"):
        read(desk, toml())
    desk.move("close", NATION, outcome=outcome)
    with pytest.raises(BadInput, match=f"closed as {outcome}"):
        read(desk, toml())


def test_a_suppressed_alert_stays_in_the_report(folder: Path, tmp_path: Path, told: Report) -> None:
    (alert,) = (alert for alert in told.alerts if alert.enterprise == "E004")
    journal, aside = tmp_path / "leads.journal", tmp_path / "aside.toml"
    desk = Desk(journal, datetime(2025, 4, 1, tzinfo=UTC))
    desk.open(subject=type(SUBJECT)(PLACE, alert.unit, alert.months, alert))
    desk.move("close", NATION, outcome="false_alert")
    aside.write_bytes(toml())
    words = ["detect", *files(folder), "--suppressions", aside, "--leads", journal]
    found = json.loads(invoke(*words, "--today", "2025-06-01", "--json"))
    marked = {a["alert"]["enterprise"]: a["suppressed_by"] for a in found["alerts"]}
    assert marked == {"E004": 1, "E011": None, "E018": None}
    assert "1 set aside by a suppression" in invoke(*words, "--today", "2025-06-01")
    assert [a["lead"] for a in found["alerts"] if a["suppressed_by"]] == ["L0001"]
    found = json.loads(invoke(*words, "--today", "2026-06-01", "--json"))
    assert not any(a["suppressed_by"] for a in found["alerts"])
    with pytest.raises(BadInput, match="expected --leads beside --suppressions"):
        invoke("detect", *files(folder), "--suppressions", aside)
