"""What holds of each rule of a month's rule set, whatever the kind of unit."""

from collections.abc import Mapping
from decimal import Decimal

from tanzheng.analytics.rules.ruleset import Rule

Values = Mapping[str, Decimal]


def passes_and_fails(rule: Rule, good: Values, wrong: Mapping[str, str]) -> None:
    """The rule holds of `good`, and not where the values of `wrong` stand in it."""
    assert rule.check(good).outcome == "passed"
    values = {name: Decimal(value) for name, value in wrong.items()}
    result = rule.check({**good, **values})
    assert result.outcome == "failed"
    assert result.compared.items() >= values.items()
    assert result.blocks_deposit == (rule.severity == "error")


def speaks_both_languages(rule: Rule, good: Values) -> None:
    """Its messages are filled in, one is Chinese, and it says where it is from."""
    result = rule.check(good)
    assert not set("{?}") & set(result.en + result.zh)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in result.zh)
    assert rule.source
    assert rule.confidence
