"""The filed plan and the records beside the books: each flaw by its field."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.months import DATA, files, replaced
from tanzheng.analytics.parameters.flaws import PlanInvalid, RecordInvalid
from tanzheng.analytics.parameters.plan import FiledPlan, parse_plan
from tanzheng.analytics.parameters.records import parse_records
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

PLAN = files()["plan.toml"].decode()
RECORDS = files()["records.toml"].decode()
SECOND = """
[[version]]
id = "later"
filed_on = 2025-05-20
valid_from = {day}
[version.sources]
coal_t = "as_fired"
coal_ncv_gj_per_t = "as_fired"
coal_carbon_tc_per_t = "{carbon}"
generation_mwh = "metered"
operating_hours_h = "document"
boiler_heat_gj = "document"
"""
HEAT = 'heat_supplied_gj = "document"\n'


def plan_with(day: str, carbon: str, more: str = HEAT) -> FiledPlan:
    return parse_plan((PLAN + SECOND.format(day=day, carbon=carbon) + more).encode(), DATA)


def test_a_version_may_not_lower_a_source_in_the_year() -> None:
    said = (
        r"plan\.toml, version later, sources\.coal_carbon_tc_per_t: expected monthly_composite or "
        r"better \(version 2025-1, valid from 2025-01-01\), got default: .*年度内不得降低"
    )
    with pytest.raises(PlanInvalid, match=said):
        plan_with("2025-06-01", "default")
    with pytest.raises(
        PlanInvalid, match=r"sources\.heat_supplied_gj: expected document or better"
    ):
        plan_with("2025-06-01", "batch", more="")


def test_a_source_may_rise_in_the_year_and_fall_with_the_next() -> None:
    assert plan_with("2025-06-01", "batch").at(Month(2025, 6)).id == "later"
    assert plan_with("2025-06-02", "batch").at(Month(2025, 6)).id == "2025-1"
    assert plan_with("2026-01-01", "default").at(Month(2026, 1)).id == "later"
    with pytest.raises(PlanInvalid, match="lowered in the year"):
        plan_with("2026-01-02", "default")  # the better one held on New Year's Day


def test_a_source_may_not_rise_and_fall_back_in_the_year() -> None:
    third = SECOND.format(day="2025-09-01", carbon="monthly_composite").replace("later", "third")
    text = PLAN + SECOND.format(day="2025-06-01", carbon="daily") + HEAT + third + HEAT
    with pytest.raises(PlanInvalid, match=r"version third.*expected daily or better"):
        parse_plan(text.encode(), DATA)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('sector = "power"', 'sector = "glass"', "sector: expected one of power"),
        ('sector = "power"\n', "", "expected the key 'sector'"),
        ('coal_t = "as_fired"', 'coal_t = "best"', "sources.coal_t: expected one of as_fired"),
        ('coal_t = "as_fired"', 'coke_t = "as_fired"', "sources.coke_t: expected one of coal_t"),
        ('coal_t = "belt-scale-1"', 'coal_t = "scale-9"', "meters.coal_t: expected"),
        ("valid_from = 2025-01-01", 'valid_from = "soon"', "valid_from: expected a date"),
        ("valid_from = 2025-01-01", "valid_from = 2025-01-01T00:00:00", "valid_from: expected"),
        ('accuracy_class = "0.5"', 'accuracy_class = "good"', "accuracy_class: expected a class"),
        ('id = "2025-1"', 'id = "2025/1"', "version.id: expected an identifier"),
        ("[[version]]", "[version]", "expected the form of a plan"),
        ('enterprise = "', "enterprise = ", "expected TOML"),
    ],
)
def test_a_plan_with_a_flaw(before: str, after: str, said: str) -> None:
    with pytest.raises(BadInput) as raised:
        parse_plan(replaced(PLAN, (before, after)), DATA)
    assert said in str(raised.value)


def test_versions_stand_in_order() -> None:
    with pytest.raises(PlanInvalid, match="valid_from: expected a day after 2025-01-01"):
        plan_with("2025-01-01", "batch")
    with pytest.raises(PlanInvalid, match="at least one"):
        parse_plan(b'enterprise="a"\nunit="b"\nsector="power"\nversion=[]', DATA)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('unit = "MWh"', 'unit = "kWh"', "generator-2025-03, unit: expected MWh, got 'kWh'"),
        ('"512804.160"', "512804.16", "value: expected a decimal number of at least 0 in quotes"),
        ('"512804.160"', '"512,804.160"', "generator-2025-03, value: expected a decimal"),
        ('"512804.160"', '"-1"', "value: expected a decimal number of at least 0"),
        ('"generation_mwh"', '"luck"', "parameter: expected a name of the field dictionary"),
        ("last = 2025-03-31", "last = 2025-02-28", "last: expected 2025-03-01 or later"),
        ("covered_hours = 744", "covered_hours = 7.5", "covered_hours: expected whole hours"),
        ('"INV-0321"', '"INV-0307"', "expected each id once, got INV-0307 again"),
        ('kind = "verification"', 'kind = "promise"', "kind: expected verification or"),
        ('"books/2025-03.xlsx"', '"../2025-03.xlsx"', "expected a file below the month's folder"),
        ('"attachments/INV-0307.txt"', '"/etc/passwd"', "attachment: expected a file below"),
        ("[[book]]", "[[buch]]", "expected no other tables, got ['buch']"),
        ('id = "INV-0307"\n', "", "expected the key 'id'"),
    ],
)
def test_a_record_with_a_flaw(before: str, after: str, said: str) -> None:
    with pytest.raises(RecordInvalid) as raised:
        parse_records(replaced(RECORDS, (before, after)))
    assert said in str(raised.value)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(PLAN)), st.text(max_size=8), st.integers(0, 8))
def test_a_damaged_plan_is_read_or_a_named_error(at: int, put: str, cut: int) -> None:
    text = PLAN[:at] + put + PLAN[at + cut :]
    try:
        plan = parse_plan(text.encode("utf-8", "replace"), DATA)
    except BadInput:
        return
    assert plan.versions


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(RECORDS)), st.text(max_size=8), st.integers(0, 8))
def test_damaged_records_are_read_or_a_named_error(at: int, put: str, cut: int) -> None:
    text = RECORDS[:at] + put + RECORDS[at + cut :]
    try:
        records = parse_records(text.encode("utf-8", "replace"))
    except BadInput:
        return
    assert records.certificates
