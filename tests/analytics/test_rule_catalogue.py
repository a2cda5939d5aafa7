"""The catalogue: each rule passes and fails its own rows, mutants are caught, the page is fresh."""

from collections import Counter
from importlib import resources

import pytest

from parts import REPOSITORY
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.errors import PackInvalid
from tanzheng.analytics.rules.catalogue import (
    FleetRule,
    load_catalogue,
    placeholders,
    read_constants,
    read_rules,
)
from tanzheng.analytics.rules.examples import faults, mutants, survives
from tanzheng.analytics.rules.markdown import document
from tanzheng.analytics.rules.ruleset import CLASSES
from tanzheng.analytics.rules.words import in_words
from tanzheng.core.calendar import Month

CATALOGUE = load_catalogue()
RULES = CATALOGUE.rules
DATA = resources.files("tanzheng.analytics.rules") / "data"
CONSTANTS = read_constants((DATA / "constants.toml").read_bytes())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_judges_its_own_rows_in_both_back_ends(rule: FleetRule) -> None:
    assert rule.passing
    assert rule.failing
    assert [str(fault) for fault in faults(rule)] == []


@pytest.mark.parametrize("kind", ["comparison", "conjunct", "threshold"])
def test_no_such_mutant_survives(kind: str) -> None:
    made = [
        (rule.id, what, mutant) for rule in RULES for k, what, mutant in mutants(rule) if k == kind
    ]
    assert len(made) > 100
    assert [(name, what) for name, what, mutant in made if survives(mutant)] == []


def test_one_per_cent_of_a_threshold_is_mostly_seen() -> None:
    """Tolerances of one last place cannot show it."""
    kept = [survives(mutant) for rule in RULES for k, _, mutant in mutants(rule) if "%" in k]
    assert sum(kept) / len(kept) < 0.15


def test_there_are_enough_rules_of_each_class_and_sector() -> None:
    assert len(RULES) >= 120
    classes = Counter(rule.kind for rule in RULES)
    assert set(classes) == set(CLASSES)
    assert min(classes.values()) >= 20
    for sector in ("power", "cement", "aluminium", "steel"):
        assert {rule.kind for rule in RULES if rule.sector == sector} == set(CLASSES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_speaks_both_languages(rule: FleetRule) -> None:
    for english, chinese in (rule.title, rule.message, rule.advice):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), chinese
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in english), english
    assert placeholders(rule.message[0])
    assert rule.source
    assert rule.confidence in {"D", "P", "S1", "S2"} or rule.confidence.startswith("M ")
    assert in_words(rule.condition.tree, "en", rule.parameters)
    assert in_words(rule.condition.tree, "zh", rule.parameters)


POWER, CEMENT, ALUMINIUM, STEEL = (
    "cets_power/2023-2024", "cets_cement/2024", "cets_aluminium/2024", "cets_steel/2024",
)  # fmt: skip
IN_PACKS = {
    "common.gj_per_tce": (POWER, "standard_coal.gj_per_tce"),
    "power.coal.oxidation_percent": (POWER, "coal_default.oxidation_percent"),
    "power.coal.default_carbon_tc_per_gj": (POWER, "coal_default.carbon_tc_per_gj"),
    "power.coal.default_ncv_gj_per_t": (POWER, "coal_default.ncv_gj_per_t"),
    "power.gas.oxidation_percent": (POWER, "fuel.natural_gas.oxidation_percent"),
    "power.gas.ncv_gj_per_1e4nm3": (POWER, "fuel.natural_gas.ncv_gj_per_1e4nm3"),
    "power.gas.carbon_tc_per_gj": (POWER, "fuel.natural_gas.carbon_tc_per_gj"),
    "power.diesel.carbon_tc_per_gj": (POWER, "fuel.diesel.carbon_tc_per_gj"),
    "power.diesel.ncv_gj_per_t": (POWER, "fuel.diesel.ncv_gj_per_t"),
    "power.diesel.oxidation_percent": (POWER, "fuel.diesel.oxidation_percent"),
    "power.fuel_oil.ncv_gj_per_t": (POWER, "fuel.fuel_oil.ncv_gj_per_t"),
    "cement.kiln.oxidation_percent": (CEMENT, "furnace.kiln.oxidation_percent"),
    "cement.clinker.tco2_per_t": (CEMENT, "clinker.portland.t_per_t"),
    "aluminium.anode.butts_percent": (ALUMINIUM, "anode.butt_percent"),
    "aluminium.anode.sulphur_percent": (ALUMINIUM, "anode.sulphur_percent"),
    "aluminium.anode.ash_percent": (ALUMINIUM, "anode.ash_percent"),
    "aluminium.pfc.cf4_kg_per_t": (ALUMINIUM, "pfc.cf4_kg_per_t"),
    "aluminium.pfc.c2f6_kg_per_t": (ALUMINIUM, "pfc.c2f6_kg_per_t"),
    "aluminium.gwp.cf4": (ALUMINIUM, "pfc.cf4_gwp"),
    "aluminium.gwp.c2f6": (ALUMINIUM, "pfc.c2f6_gwp"),
    "steel.solid.oxidation_percent": (STEEL, "fuel.coke.oxidation_percent"),
    "steel.coke.ncv_gj_per_t": (STEEL, "fuel.coke.ncv_gj_per_t"),
}


@pytest.mark.parametrize("own", IN_PACKS)
def test_constants_are_those_of_the_packs(own: str) -> None:
    pack, name = IN_PACKS[own]
    assert load_pack(pack).constant(name, Month(2024, 6)).value == CONSTANTS[own]


def test_days_are_those_of_the_pack() -> None:
    days = load_pack(POWER).deadline("monthly_evidence").days
    assert CONSTANTS["common.deposit_days"] == CONSTANTS["common.report_days"] == days


def test_every_constant_is_used() -> None:
    used = {name for rule in RULES for name in rule.references.values()}
    assert used == set(CONSTANTS)


def test_the_page_is_fresh() -> None:
    """Put right with: tanzheng rules list --markdown > docs/rules.md."""
    assert (REPOSITORY / "docs/rules.md").read_text() == document(RULES)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('class = "theoretical_extreme"', 'class = "feeling"', "expected class one of"),
        ('severity = "error"', 'severity = "mild"', "expected severity one of"),
        ('confidence = "D"', "", "expected the key 'confidence'"),
        ("{clinker_t} t is negative", "the clinker is negative", "same values in both languages"),
        ("{clinker_t}", "{clinker_tonnes}", "expected a column or a parameter"),
        ('condition = "clinker_t >= 0"', 'condition = "clinker_t >= coal_ncv_gj_per_t"', "mixes t"),
        ('table = "unit_month"', 'table = "unit_year"', "expected table one of"),
        ('"pack:cement.kiln.oxidation_percent"', '"pack:kiln"', "names of pack constants"),
        ('{ low = "0.70"', '{ low = "much"', "expected a decimal as text"),
        ('{ low = "0.70"', '{ coal_t = "1", low = "0.70"', "parameters that are no columns"),
        ('clinker_t = "-0.01"', 'clinker = "-0.01"', "example: expected a column"),
        ("[base.line]", "[base.line", "expected TOML"),
    ],
)
def test_damaged_data_are_refused(old: str, new: str, message: str) -> None:
    raw = (DATA / "cement.toml").read_text()
    assert old in raw
    with pytest.raises(PackInvalid, match=message):
        list(read_rules(raw.replace(old, new).encode(), "cement.toml", CONSTANTS))


def test_a_constant_says_where_it_comes_from() -> None:
    with pytest.raises(PackInvalid, match="x: expected value, source and confidence"):
        read_constants(b'[constant.x]\nvalue = "1"\nsource = "s"\n')


def test_an_unknown_rule_is_named() -> None:
    assert CATALOGUE.rule("pwr-e-001").id == "PWR-E-001"
    with pytest.raises(PackInvalid, match="got 'PWR-X-001'"):
        CATALOGUE.rule("PWR-X-001")
