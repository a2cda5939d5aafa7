"""The rules of a coal unit: a passing and a failing case each, at the edge."""

from decimal import Decimal

import pytest

from analytics.rule_cases import passes_and_fails, speaks_both_languages
from tanzheng.analytics.rules.ruleset import CLASSES, Rule, load_rules

RULES = load_rules("coal_unit")
GOOD = {
    name: Decimal(value)
    for name, value in {
        "hours_of_month": "672",
        "operating_hours_h": "672.00",
        "operating_hours_metered_h": "671.00",
        "load_factor_percent": "83.33",
        "generation_mwh": "336000.000",
        "generation_metered_mwh": "336000.000",
        "rated_capacity_mw": "600.000",
        "heat_supplied_gj": "0.00",
        "coal_t": "140000.00",
        "coal_ncv_gj_per_t": "21.000",
        "coal_carbon_tc_per_t": "0.5600",
        "coal_carbon_tc_per_gj": "0.02667",
        "coal_stock_ledger_t": "142800.00",
        "oxidation_percent": "99",
        "gross_coal_rate_tce_per_mwh": "0.2986",
        "co2_calculated_t": "284592.00",
        "co2_cems_t": "284928.00",
        "co2_intensity_t_per_mwh": "0.8470",
        "coverage_percent": "75.00",
        "counter_decreases": "0",
        "slots_unexplained": "0",
        "metered_with_power_mwh": "336000.000",
        "power_integral_mwh": "339360.000",
        "transition_energy_mwh": "0",
        "generation_standing_mwh": "10",
        "defaults_used": "0",
        "sources_lowered": "0",
        "standard_draft": "0",
        "standard_oxidation_percent": "99",
        "standard_carbon_tc_per_gj": "0.03085",
        "standard_coal_gj_per_tce": "29.3076",
        "relative_mass_co2": "44",
        "relative_mass_carbon": "12",
        "days_after_month_end": "40",
        "deposit_days": "40",
    }.items()
}
FAILING = {
    "COAL-E01": {"operating_hours_h": "672.01"},
    "COAL-E02": {"load_factor_percent": "105.01"},
    "COAL-E03": {"generation_mwh": "423370.001"},
    "COAL-E04": {"heat_supplied_gj": "1730400.01"},
    "COAL-E05": {"coal_carbon_tc_per_t": "1.0001"},
    "COAL-E06": {"coal_ncv_gj_per_t": "32.801"},
    "COAL-E07": {"gross_coal_rate_tce_per_mwh": "0.1228"},
    "COAL-T01": {"coal_ncv_gj_per_t": "30.001"},
    "COAL-T02": {"coal_carbon_tc_per_t": "0.8001"},
    "COAL-T03": {"coal_carbon_tc_per_gj": "0.02299"},
    "COAL-T04": {"gross_coal_rate_tce_per_mwh": "0.4501"},
    "COAL-T05": {"co2_intensity_t_per_mwh": "1.0501"},
    "COAL-T06": {"load_factor_percent": "19.99"},
    "COAL-T07": {"coverage_percent": "74.99"},
    "COAL-S01": {"oxidation_percent": "98"},
    "COAL-S02": {"defaults_used": "1"},
    "COAL-S03": {"coal_carbon_tc_per_gj": "0.03086"},
    "COAL-S04": {"standard_draft": "1"},
    "COAL-L01": {"co2_calculated_t": "284592.02"},
    "COAL-L02": {"co2_cems_t": "256132.79"},
    "COAL-L03": {"counter_decreases": "1"},
    "COAL-L04": {"power_integral_mwh": "339360.001"},
    "COAL-L05": {"generation_standing_mwh": "10.001"},
    "COAL-L06": {"slots_unexplained": "1"},
    "COAL-L07": {"sources_lowered": "1"},
    "COAL-L08": {"coal_stock_ledger_t": "142800.01"},
    "COAL-L09": {"generation_metered_mwh": "338000.000"},
    "COAL-L10": {"operating_hours_metered_h": "670.99"},
    "COAL-L11": {"days_after_month_end": "0"},
    "COAL-L12": {"days_after_month_end": "41"},
}


def rule_id(rule: Rule) -> str:
    return rule.id


@pytest.mark.parametrize("rule", RULES.rules, ids=rule_id)
def test_each_rule_passes_and_fails(rule: Rule) -> None:
    passes_and_fails(rule, GOOD, FAILING[rule.id])


@pytest.mark.parametrize("rule", RULES.rules, ids=rule_id)
def test_each_rule_speaks_both_languages_with_its_values(rule: Rule) -> None:
    speaks_both_languages(rule, GOOD)


def test_all_classes_are_there_and_every_rule_has_a_case() -> None:
    assert {rule.kind for rule in RULES.rules} == set(CLASSES)
    assert [rule.id for rule in RULES.rules] == list(FAILING)


def test_what_a_standard_sets_is_no_number_of_the_file() -> None:
    """Oxidation, default carbon, heat of standard coal, relative masses, days to deposit."""
    numbers = {str(value) for rule in RULES.rules for value in rule.parameters.values()}
    assert not numbers & {"99", "0.03085", "26.7", "29.3076", "44", "12", "40"}
