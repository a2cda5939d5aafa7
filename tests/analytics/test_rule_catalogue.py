"""The catalogue: each rule passes and fails its own rows, mutants are caught, the page is fresh."""

from collections import Counter
from decimal import Decimal
from importlib import resources

import pytest

from parts import REPOSITORY
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("power.coal.oxidation_percent", "99"),
        ("power.coal.default_carbon_tc_per_gj", "0.03085"),
        ("power.diesel.ncv_gj_per_t", "42.652"),
        ("cement.clinker.tco2_per_t", "0.535"),
        ("aluminium.gwp.c2f6", "11100"),
        ("steel.coke.ncv_gj_per_t", "28.435"),
        ("common.deposit_days", "40"),
        ("cement.substitute.most_tco2_per_t", "0.600"),
    ],
)
def test_constants_are_those_of_standards_md(name: str, value: str) -> None:
    assert CONSTANTS[name] == Decimal(value)


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
    for row in (
        'value = "1"\nsource = "s"',
        'pack = "cets_steel/2024"',
        'pack = "cets_power/2023-2024"\ndeadline = "monthly_evidence"\nvalue = "41"',
    ):
        with pytest.raises(PackInvalid, match="x: expected pack and constant, pack and deadline"):
            read_constants(f"[constant.x]\n{row}\n".encode())
    with pytest.raises(PackInvalid, match="x: expected a deadline in days, got a date"):
        read_constants(b'[constant.x]\npack = "cets_power/2023-2024"\ndeadline = "annual_report"\n')


def test_an_unknown_rule_is_named() -> None:
    assert CATALOGUE.rule("pwr-e-001").id == "PWR-E-001"
    with pytest.raises(PackInvalid, match="got 'PWR-X-001'"):
        CATALOGUE.rule("PWR-X-001")
