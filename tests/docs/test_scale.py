"""The page of scale is true: its tables follow from the figures, the figures from the database."""

import pytest

from parts import REPOSITORY
from scale.__main__ import figures, page
from scale.load import measured
from scale.table import INTERVALS, PLANTS, POINTS, need

PAGE = (REPOSITORY / "docs/scale.md").read_text()


def test_the_tables_are_those_of_the_figures() -> None:
    assert page(PAGE) == PAGE


@pytest.mark.parametrize("name", ["1 min", "1 s"])
def test_bytes_are_still_what_they_were(name: str) -> None:
    """On a fifth of the readings; CPU differs from machine to machine and is not held here."""
    told = figures()[0][name]
    now = measured(INTERVALS[name], 200_000)
    assert now.row_b == pytest.approx(told.row_b, rel=0.05)
    assert now.raw_b == pytest.approx(told.raw_b, rel=0.05)
    assert now.index_b == pytest.approx(told.index_b, rel=0.4)
    assert now.readings_a_batch == told.readings_a_batch


def test_needs_are_sums() -> None:
    costs, broker = figures()
    each = need(10, costs["10 s"], broker["10 s"])
    assert each.rows_s == PLANTS * POINTS / 10 == 70_000
    assert each.row_gb_day == pytest.approx(70_000 * 86_400 * costs["10 s"].row_b / 1e9)
    assert each.workers >= each.ingest_cores
    assert each.nodes * 16 >= each.database_cores
