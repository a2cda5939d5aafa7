"""Rules: the language, the shipped set with a passing and a failing case each, damaged sets."""

import hashlib
from decimal import Decimal
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.rule_cases import passes_and_fails, speaks_both_languages
from tanzheng.analytics.errors import PackInvalid
from tanzheng.analytics.rules.expression import Expression
from tanzheng.analytics.rules.ruleset import CLASSES, Rule, load_rules, parse_rules

RULES = load_rules()
GOOD = {
    name: Decimal(value)
    for name, value in {
        "hours_of_month": "744",
        "operating_hours_h": "744.00",
        "load_factor_percent": "94.69",
        "generation_mwh": "211345.000",
        "rated_capacity_mw": "300.000",
        "heat_supplied_gj": "0.00",
        "fuel_gas_1e4nm3": "3356.88",
        "gas_ncv_gj_per_1e4nm3": "389.310",
        "gas_carbon_tc_per_gj": "0.01532",
        "gas_carbon_tc_per_1e4nm3": "5.9642",
        "oxidation_percent": "99",
        "co2_calculated_t": "72676.61",
        "co2_cems_t": "74018.84",
        "co2_intensity_t_per_mwh": "0.3439",
        "coverage_percent": "75.00",
        "counter_decreases": "0",
        "slots_unexplained": "0",
        "metered_with_power_mwh": "211345.000",
        "power_integral_mwh": "213458.450",
        "transition_energy_mwh": "0",
        "generation_standing_mwh": "5",
        "months_since_standard": "0",
        "days_after_month_end": "40",
        "deposit_days": "40",
    }.items()
}
FAILING = {
    "GAS-E01": {"operating_hours_h": "744.01"},
    "GAS-E02": {"load_factor_percent": "105.01"},
    "GAS-E03": {"generation_mwh": "234365.001"},
    "GAS-E04": {"generation_mwh": "363020"},
    "GAS-T01": {"gas_ncv_gj_per_1e4nm3": "319.999"},
    "GAS-T02": {"gas_carbon_tc_per_gj": "0.01561"},
    "GAS-T03": {"co2_intensity_t_per_mwh": "0.4501"},
    "GAS-T04": {"coverage_percent": "74.99"},
    "GAS-S01": {"oxidation_percent": "98"},
    "GAS-S02": {"gas_carbon_tc_per_gj": "0.01531"},
    "GAS-S03": {"months_since_standard": "-1"},
    "GAS-L01": {"co2_calculated_t": "72676.62"},
    "GAS-L02": {"co2_cems_t": "79944.28"},
    "GAS-L03": {"counter_decreases": "1"},
    "GAS-L04": {"power_integral_mwh": "213458.451"},
    "GAS-L05": {"generation_standing_mwh": "5.001"},
    "GAS-L06": {"slots_unexplained": "1"},
    "GAS-L07": {"days_after_month_end": "0"},
    "GAS-L08": {"days_after_month_end": "41"},
}


def rule_id(rule: Rule) -> str:
    return rule.id


@pytest.mark.parametrize("rule", RULES.rules, ids=rule_id)
def test_each_rule_passes_and_fails(rule: Rule) -> None:
    passes_and_fails(rule, GOOD, FAILING[rule.id])


@pytest.mark.parametrize("rule", RULES.rules, ids=rule_id)
def test_each_rule_speaks_both_languages_with_its_values(rule: Rule) -> None:
    speaks_both_languages(rule, GOOD)


def test_all_four_classes_are_there() -> None:
    assert {rule.kind for rule in RULES.rules} == set(CLASSES)
    assert len(RULES.rules) == len(FAILING) >= 12


def test_a_rule_without_its_values_is_not_applicable() -> None:
    few = {"generation_mwh": Decimal(1)}
    outcomes = {rule.check(few).outcome for rule in RULES.rules}
    assert outcomes == {"not_applicable"}


def test_scopes_are_apart() -> None:
    assert [item.id for item in RULES.check("deposit", GOOD)] == ["GAS-L07", "GAS-L08"]
    assert len(RULES.check("month", GOOD)) == len(RULES.rules) - 2


def raw_rules() -> bytes:
    return (resources.files("tanzheng.analytics.rules") / "gas_unit.toml").read_bytes()


def test_the_digest_is_over_the_raw_file() -> None:
    assert RULES.sha256 == hashlib.sha256(raw_rules()).digest()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'class = "threshold"', b'class = "feeling"', "rule GAS-T01: expected class one of"),
        (b'severity = "explain"', b'severity = "mild"', "expected severity one of"),
        (b'scope = "deposit"', b'scope = "year"', "expected scope one of"),
        (b'id = "GAS-E02"', b'id = "GAS-E01"', "each id once"),
        (b'{ high = "105" }', b'{ high = "tall" }', "rule GAS-E02: expected decimal strings"),
        (b'condition = "counter_', b'condition = "import os; counter_', "GAS-L03"),
        (b'condition = "counter_decreases == 0"', b"", "rule GAS-L03: expected the key"),
        (b'version = "1"', b"", "expected the key 'version'"),
        (b'name = "gas_unit"', b"name = ", "expected TOML"),
    ],
)
def test_a_damaged_rule_set_is_refused(old: bytes, new: bytes, message: str) -> None:
    raw = raw_rules()
    assert old in raw
    with pytest.raises(PackInvalid, match=message):
        parse_rules(raw.replace(old, new))


def test_an_unknown_rule_set_is_refused() -> None:
    with pytest.raises(PackInvalid, match="name of a rule set"):
        load_rules("wind_unit")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 < 2 <= 2", True),
        ("0.1 + 0.2 == 0.3", True),
        ("not a > b", True),
        ("a * 2 == b or a / 0 == 1", True),
        ("a / 0 == 1 or a == 1", True),
        ("a / 0 == 1 and a == 1", False),
        ("not a / 0 == 1", False),
        ("abs(a - b) <= 1 and min(a, b) == 1 and max(a, b, 7) == 7", True),
        ("-a < 0", True),
        ("a != b", True),
    ],
)
def test_the_language(text: str, expected: bool) -> None:
    assert Expression.parse(text).holds({"a": Decimal(1), "b": Decimal(2)}) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a + b",
        "a <",
        "a.b == 1",
        "a[0] == 1",
        "__import__('os') == 1",
        "open(a) == 1",
        "(lambda: 1)() == 1",
        "a == 'text'",
        "a == True",
        "a == None",
        "a ** 9 == 1",
        "a if b else c",
        "(a < b) + 1 == 2",
        "a and b < 1",
        "abs(a, b) == 1",
        "min(a) == 1",
        "a in b",
        "a == 1e999",
        "[x for x in a] == 1",
        "f'{a}' == 1",
        "(a := 1) == 1",
        "a" * 501,
        "-" * 400 + "(" * 50 + "a",
    ],
)
def test_anything_else_is_refused_when_read(text: str) -> None:
    with pytest.raises(PackInvalid):
        Expression.parse(text)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_garbage_is_a_condition_or_a_named_error(text: str) -> None:
    try:
        condition = Expression.parse(text)
    except PackInvalid:
        return
    condition.holds(dict.fromkeys(condition.names, Decimal(1)))
