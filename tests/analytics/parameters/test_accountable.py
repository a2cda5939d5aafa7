"""The month's parameters as the input of the account: what it computes from them."""

import json
from decimal import Decimal

import pytest

from analytics.months import files, month, one
from tanzheng.analytics.accounting.engine import account_document
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.parameters.accountable import input_document
from tanzheng.analytics.parameters.flaws import PlanInvalid
from tanzheng.analytics.parameters.monthly import MonthParameters
from tanzheng.analytics.parameters.plan import parse_plan
from tanzheng.analytics.parameters.sources import source_data
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

DRAFT = "cets_power/2025-2026"
FACILITY = '[facility]\nunit_class = "coal_over_300mw"'


def accounted(result: MonthParameters) -> dict[str, Node]:
    raw = json.dumps(input_document(result, DRAFT)).encode()
    (found,) = account_document(raw, "month.json").months
    return {node.name: node for node in found.figures}


def test_the_example_by_hand() -> None:
    """252,741.40 × 0.5600 × 99 % × 44/12 = 513,772.72; 512,804.160 ÷ (1000 × 744) = 68.93 %."""
    figures = accounted(month())
    assert figures["co2_calculated_t"].value == Decimal("513772.72")
    assert figures["load_factor_percent"].value == Decimal("68.93")
    assert figures["generation_mwh"].value == one(month(), "generation_mwh").value


def test_a_default_is_that_of_the_pack_with_its_source() -> None:
    """Carbon without a report: both ways to the default agree to the last digit."""
    result = month({"lab": []})
    carbon = one(result, "coal_carbon_tc_per_t")
    assert carbon.source == "default"
    assert "coal_carbon_tc_per_t" not in json.dumps(input_document(result))
    leaf = accounted(result)["co2_calculated_t"].find("coal_carbon_tc_per_t")
    assert leaf.value == carbon.value


def test_a_parameter_without_a_value_is_refused() -> None:
    text = files()["records.toml"].decode()
    start = text.index("[[meter_total]]")
    end = text.index("[[invoice]]")
    result = month(records=(text[start:end], ""))
    with pytest.raises(BadInput, match="generation_mwh: expected a value, got none: metered"):
        input_document(result)


def test_what_unit_it_is_must_be_filed() -> None:
    text = files()["plan.toml"].decode()
    table = text[text.index("[facility]") : text.index("[[meter]]")]
    with pytest.raises(PlanInvalid, match=r"expected a table \[facility\].*缺少机组信息"):
        input_document(month(plan=(table, "")))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("coal_over_300mw", "coal", r"unit_class: expected one of coal_over_300mw, .*got 'coal'"),
        ('"1000.000"', "1000.0", r"rated_capacity_mw: expected MW above 0 in quotes"),
        ('"1000.000"', '"0"', r"rated_capacity_mw: expected MW above 0 in quotes.*got '0'"),
        ("unit_class", "class", r"facility: expected unit_class, rated_capacity_mw, got 'class'"),
    ],
)
def test_a_facility_out_of_form(before: str, after: str, said: str) -> None:
    text = files()["plan.toml"].decode()
    assert before in text
    with pytest.raises(PlanInvalid, match=said):
        parse_plan(text.replace(before, after).encode(), source_data())


def test_another_sector_says_what_to_do() -> None:
    plan = (
        'enterprise = "E"\nunit = "kiln-1"\nsector = "cement"\n[[version]]\nid = "a"\n'
        "filed_on = 2024-12-01\nvalid_from = 2025-01-01\n[version.sources]\n"
    )
    filed = parse_plan(plan.encode(), source_data())
    result = MonthParameters(filed, filed.at(Month(2025, 3)), Month(2025, 3), (), ())
    with pytest.raises(BadInput, match=r"expected power, got cement.*by hand"):
        input_document(result)
    with pytest.raises(PlanInvalid, match="of a power unit only"):
        parse_plan(plan.replace("[[version]]", f"{FACILITY}\n[[version]]").encode(), source_data())
