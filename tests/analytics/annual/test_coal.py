"""Packages of a coal unit as months of the year, and what their account of the same says."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from analytics.coal_plants import OUTPUTS, ROWS, built, computed, folder
from tanzheng.analytics import folder as packages
from tanzheng.analytics.accounting.engine import account_document
from tanzheng.analytics.annual.accounts import read_accounts
from tanzheng.analytics.annual.figures import Figure, Line
from tanzheng.analytics.annual.packages import read_package
from tanzheng.analytics.evidence.arguments import evidence
from tanzheng.analytics.parameters.accountable import input_document
from tanzheng.analytics.parameters.bookfiles import needed

LINE = 'heat_supplied_gj = "document"'
BOOKS = folder(
    plan=(LINE, f'{LINE}\nboiler_heat_gj = "document"'),
    rows={
        OUTPUTS: [
            {**ROWS[OUTPUTS][0], "heat_supplied_gj": "294000.00", "boiler_heat_gj": "2646000.00"}
        ]
    },
)
METERED = {"co2_cems_t", "coverage_percent", "rated_capacity_mw", "boiler_heat_gj"}
"""What an account says nothing of."""


def by_name(figures: tuple[Figure, ...]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def shape(line: Line) -> tuple[str, dict[str, tuple[Decimal, object]]]:
    return line.of, {item.name: (item.value, item.ratio) for item in line.figures}


def test_a_package_is_the_month_that_its_account_is() -> None:
    """Lines, ratios and what they are weighed by agree: a year may hold both."""
    month = read_package(built(needed(BOOKS)), "package").month
    filed = computed(BOOKS).filed
    assert filed is not None
    document = json.dumps(input_document(filed.month)).encode()
    raw = json.dumps(account_document(document, "input").to_json()).encode()
    (account,) = read_accounts(raw, "account")
    mine, theirs = by_name(month.figures), by_name(account.month.figures)
    assert {name: mine[name] for name in theirs} == theirs
    assert mine.keys() - theirs.keys() == METERED
    assert list(map(shape, month.lines)) == list(map(shape, account.month.lines))


def test_the_evidence_month_takes_a_coal_package(tmp_path: Path) -> None:
    packages.write(tmp_path / "bag", built(needed(BOOKS)), None, lambda _: None)
    found = evidence(tmp_path / "bag")
    assert (str(found.subject), str(found.deposit)) == ("TEST-1/G1/2023-02/month", "ready")
    changed = tmp_path / "bag/data/books/book-1.csv"
    changed.write_bytes(changed.read_bytes().replace(b"5000", b"4000", 1))
    with pytest.raises(Exception, match=r"book-1\.csv"):
        evidence(tmp_path / "bag")
