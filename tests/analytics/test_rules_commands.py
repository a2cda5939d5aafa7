"""`tanzheng rules`: tables in, failures row by row out; suppressions scoped, reasoned, ending."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from tanzheng.analytics.rules.catalogue import load_catalogue
from tanzheng.analytics.rules.suppression import read_suppressions
from tanzheng.analytics.rules_commands import app
from tanzheng.core.errors import BadInput, CheckFailed

CATALOGUE = load_catalogue()
ASIDE = """
[[suppression]]
rule = "PWR-E-002"
enterprise = "E1"
unit = "U1"
from = "2026-03"
until = "2026-04"
reason = "meter_swap"
note = "Meter 7 was swapped on 3 April."
owner = "Li Wei"
expires = 2026-12-31
approver = "Wang Fang"
"""
GOOD = CATALOGUE.rule("PWR-S-001").passing[0].row


def table(path: Path, **changes: object) -> Path:
    row = {**GOOD, **changes}
    plain = {k: float(v) if isinstance(v, Decimal) else v for k, v in row.items()}
    pl.DataFrame([plain]).write_parquet(path)
    return path


def invoke(*words: object, fails: bool = False) -> Any:
    arguments = [str(word) for word in words]
    if not fails:
        return CliRunner().invoke(app, arguments, catch_exceptions=False)
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, CheckFailed)
    assert result.exception.exit_code == 3
    return result


def test_a_good_row_fails_nothing(tmp_path: Path) -> None:
    found = json.loads(invoke("run", table(tmp_path / "a.parquet"), "--json").output)
    assert found["failures"] == []
    assert found["verdicts"] > 60


def test_a_failure_says_what_where_and_blocks(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", generation_mwh=441000.001)
    found = json.loads(invoke("run", path, "--json", fails=True).output)
    failure = next(item for item in found["failures"] if item["rule"] == "PWR-E-002")
    assert failure["row"] == 1
    assert (failure["enterprise"], failure["unit"], failure["month"]) == ("E1", "U1", "2026-04")
    assert failure["values"]["generation_mwh"] == "441000.001"
    assert "441000.001 MWh" in failure["en"]
    assert "441000.001 MWh" in failure["zh"]
    assert found["blocking"] == found["counts"]["error"] > 0
    assert "block deposit" in invoke("run", path, fails=True).output


def test_what_is_set_aside_stays_in_sight(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", generation_mwh=441000.001)
    aside = tmp_path / "aside.toml"
    aside.write_text(ASIDE)
    words = ("run", path, "--suppressions", aside, "--json", "--today")
    found = json.loads(invoke(*words, "2026-12-31").output)
    assert found["blocking"] == 0
    failure = next(item for item in found["failures"] if item["rule"] == "PWR-E-002")
    assert failure["suppressed_by"] == 1
    assert found["counts"]["suppressed"] == found["suppressions"][0]["failures"] == 1
    assert found["suppressions"][0]["owner"] == "Li Wei"
    ended = json.loads(invoke(*words, "2027-01-01", fails=True).output)
    assert ended["counts"]["suppressed"] == 0
    assert ended["suppressions"][0]["state"] == "expired"
    assert ended["blocking"] == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('approver = "Wang Fang"', "", "PWR-E-002 is physics and blocks: expected an approver"),
        ('"PWR-E-002"', '"PWR-X-9"', "expected the id of a rule, got 'PWR-X-9'"),
        ('"meter_swap"', '"because"', "expected reason one of"),
        ('"Li Wei"', '" "', "expected a text for owner"),
        ("2026-12-31", '"soon"', "expected a date for expires"),
        ('until = "2026-04"', 'until = "2026-02"', "expected until not before from"),
        ('from = "2026-03"', 'from = "March"', "suppression 1"),
        ('note = "Meter 7 was swapped on 3 April."', "", "wrong .'note'"),
        ("[[suppression]]", "[[suppression", "expected TOML"),
    ],
)
def test_a_bad_suppression_is_refused(old: str, new: str, message: str) -> None:
    assert old in ASIDE
    with pytest.raises(BadInput, match=message):
        read_suppressions(ASIDE.replace(old, new).encode(), "f", CATALOGUE, date(2026, 5, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("enterprise,unit,month,coal\nE,U,2026-01-01,1\n", "expected no column"),
        ("enterprise,unit,month,sector\nE,U,2026-01-01,powr\n", "sector: expected one of"),
        ("enterprise,unit,month\nE,U,2026-01-01\n", "sector: expected one of"),
        ("enterprise,unit,month,sector\n", "expected rows, got none"),
        ("enterprise,unit\nE,U\n", "expected the columns"),
        ("enterprise,unit,month,sector,coal_t\nE,U,2026-01-01,power,much\n", "unit_month"),
        ("enterprise,unit,month,sector\nE,U,2026-01-02,power\n", "first day of each month"),
        ("enterprise,unit,month,sector\n,U,2026-01-01,power\n", "row 1: expected a value of ent"),
        (
            "enterprise,unit,month,sector\nE,U,2026-01-01,power\nE,U,2026-01-01,power\n",
            "row 1: expected each unit_month once",
        ),
        ("enterprise,unit,month,sector,coal_t\nE,U,2026-01-01,power,inf\n", "finite numbers"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        invoke("run", path)


@pytest.mark.parametrize("name", ["a.xlsx", "missing.csv", "missing.parquet"])
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=name):
        invoke("run", tmp_path / name)


def test_rules_are_listed_and_read_out() -> None:
    assert "CEM-E-001" in invoke("list", "--sector", "cement").output
    assert "PWR-E-001" not in invoke("list", "--sector", "cement").output
    assert "不大于" in invoke("explain", "pwr-e-001").output
    with pytest.raises(BadInput, match="--class: expected one of"):
        invoke("list", "--class", "feeling")
