"""Every benchmark still runs on this state, at a size that says nothing about speed."""

import pytest

import bench_gas
import bench_ingest
import bench_log
import bench_spool
from log import gas, tree, year


def test_the_tree_of_bench_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "LEAVES", 1000)
    monkeypatch.setattr(tree, "HASHES", 2000)
    assert [row.limit for row in tree.measure(1).rows()] == [1.5, 3.0]


def test_the_year_of_bench_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(year, "STATEMENTS", 400)
    monkeypatch.setattr(year, "CHECKS", 1)
    assert all(row.figure > 0 for row in year.rows())


def test_the_gas_of_a_batch_is_within_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gas is no clock: the figure is the same on every machine."""
    monkeypatch.setattr(bench_gas, "CALLS", 3)
    monkeypatch.setattr(bench_gas, "LOG_LEAVES", 16)
    monkeypatch.setattr(bench_gas, "LOG_INDEX", 9)
    batch, slot, *eas = gas.rows()
    assert batch.kept
    assert slot.figure < 1.25
    assert len(eas) == 2
    assert all(row.figure < 0.4 for row in eas)


@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        (bench_log, {"LEAVES": 1000, "PROOFS": 10, "ROUNDS": 1}),
        (bench_spool, {"BATCHES": 2}),
        (bench_ingest, {"BATCHES": 3, "ROUNDS": 1}),
    ],
)
def test_the_small_benchmarks(
    monkeypatch: pytest.MonkeyPatch, module: object, sizes: dict[str, int]
) -> None:
    for name, size in sizes.items():
        monkeypatch.setattr(module, name, size)
    assert all(row.value > 0 for row in module.run())  # type: ignore[attr-defined]
