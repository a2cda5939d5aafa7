"""The labelled set: the same seed gives the same bytes, the physics closes, faults stay local."""

import numpy as np
import polars as pl
import pytest

from anomaly.booking import book
from anomaly.coal import lower_heating_value
from anomaly.faults import KINDS, SHARE_OF_PLANT_MONTHS, inject
from anomaly.fleet import load_correction, make_plants
from anomaly.frames import LabelledSet, generate
from anomaly.hours import APPLY, FILE_SHA256, RUN_ONCE, WINDOW_H, WINDOWS, real_windows, windows
from parts import REPOSITORY

KEYS = ["unit", "month"]


@pytest.fixture(scope="module")
def labelled() -> LabelledSet:
    return generate(11)


def test_a_seed_is_a_set() -> None:
    one, two, other = generate(3, 60), generate(3, 60), generate(4, 60)
    for name in ("unit_month", "lab_report", "point_month", "labels"):
        assert getattr(one, name).equals(getattr(two, name))
    assert not one.unit_month.equals(other.unit_month)


def test_the_share_of_faulty_months_and_their_effects(labelled: LabelledSet) -> None:
    labels = labelled.labels
    wanted = SHARE_OF_PLANT_MONTHS * len(labelled.unit_month)
    assert wanted <= len(labels) <= wanted + 8
    assert not labels.select(pl.struct(KEYS).is_duplicated().any()).item()
    assert labels["effect"].abs().is_between(0.01, 0.20 + 1e-9).all()
    assert set(labels["kind"]) == set(KINDS)


def test_the_tonnes_are_the_product_of_what_is_booked(labelled: LabelledSet) -> None:
    rest = labelled.unit_month.filter(pl.col("unit_class") != "gas").select(
        (
            pl.col("coal_t") * pl.col("coal_carbon_tc_per_t") * 0.99 * 44 / 12
            - pl.col("co2_calculated_t")
        ).abs()
    )
    assert rest.max().item() <= 0.011


def test_the_honest_energy_balance_closes() -> None:
    """Fuel heat = power at the corrected rate + heat, within the noise that was put in."""
    rng = np.random.default_rng(5)
    plants = make_plants(rng, 200)
    books = book(rng, plants, 24)
    heat = books["fuel"] * books["ncv"]
    condensing = ~plants.chp & ~plants.gas
    rate = heat / books["generation"] / load_correction(books["load"])
    off = rate[condensing] / plants.rate_gj_per_mwh[condensing, None] - 1
    assert abs(float(np.median(off))) < 0.004
    assert 0.006 < float(off.std()) < 0.02


def test_graphite_and_water_bound_the_heating_value() -> None:
    zero = np.zeros(1)
    pure = {"carbon_d": np.array([100.0]), "hydrogen_d": zero, "oxygen_d": zero}
    pure |= {"sulphur_d": zero, "moisture": zero}
    assert lower_heating_value(pure)[0] == pytest.approx(33.83)
    assert lower_heating_value({**pure, "moisture": np.array([50.0])})[0] == pytest.approx(15.765)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (pl.col("coal_carbon_tc_per_t") / pl.col("coal_ncv_gj_per_t"), 0.0230, 0.0310),
        (pl.col("coal_ncv_gj_per_t"), 3, 30),
        (pl.col("coal_carbon_tc_per_t"), 0.10, 0.80),
        (pl.col("load_factor_percent"), 20, 100),
        (pl.col("auxiliary_electricity_mwh") / pl.col("generation_mwh") * 100, 1, 15),
        (pl.col("gas_ncv_gj_per_1e4nm3"), 320, 400),
        (pl.col("co2_cems_t") / pl.col("co2_calculated_t"), 0.70, 1.20),
    ],
)
def test_the_months_lie_in_the_ranges_of_the_standard(
    labelled: LabelledSet, value: pl.Expr, low: float, high: float
) -> None:
    """Alarm limits of standards f.2 (CEMS: Quick 2014); a fault may leave them, few months do."""
    inside = labelled.unit_month.select(value.drop_nulls().is_between(low, high).mean()).item()
    assert inside > 0.99


def test_a_fault_stays_in_its_months_and_leaves_cross_sources_alone() -> None:
    rng = np.random.default_rng(8)
    plants = make_plants(rng, 200)
    books = book(rng, plants, 24)
    before = {name: values.copy() for name, values in books.items()}
    labels = inject(rng, plants, books)
    faulty = {(label.plant, label.month) for label in labels}
    for name, values in books.items():
        same = np.isclose(values, before[name], rtol=0, atol=0, equal_nan=True)
        assert {(int(p), int(m)) for p, m in np.argwhere(~same)} <= faulty
    for name in ("boiler_heat", "settled", "opening", "closing"):
        np.testing.assert_array_equal(books[name], before[name])
    cems = ~np.isclose(books["cems"], before["cems"])
    moved = {label.kind for label in labels if cems[label.plant, label.month]}
    assert moved <= {"cems_flow_bias", "stuck_sensor"}


def test_a_window_is_consecutive_hours_that_may_begin_at_any_hour() -> None:
    hours = np.column_stack([np.ones(744), np.arange(744.0)])
    drawn = windows(np.random.default_rng(1), hours)
    assert (drawn[..., 0] == WINDOWS * WINDOW_H).all()
    # Σ over ten windows of 72 b + (0 + … + 71): the beginnings b are whole numbers up to 672.
    begins = (drawn[..., 1] - WINDOWS * WINDOW_H * (WINDOW_H - 1) / 2) / WINDOW_H
    assert (begins == begins.round()).all()
    assert 0 < begins.min() < begins.max() < WINDOWS * (744 - WINDOW_H)
    assert abs(begins.mean() / WINDOWS - (744 - WINDOW_H) / 2) < 10
    assert len(set((begins % 24).ravel().tolist())) == 24


def test_the_set_that_is_run_once_is_as_its_protocol_says() -> None:
    """Seeds, hours and size; no detector runs here, and the seed is none of the ten."""
    protocol = (REPOSITORY / "docs/decisions/0025-a-set-that-is-run-once.md").read_text()
    assert f"seeds | {RUN_ONCE[0]} to {RUN_ONCE[-1]}, used" in protocol
    assert len(RUN_ONCE) == 10
    assert FILE_SHA256 in protocol
    made = real_windows(5)
    assert len(made.unit_month) == 60 * 24
    assert not made.unit_month.equals(real_windows(6).unit_month)
    assert 15 < made.labels["episode"].n_unique() <= 30
    assert set(made.labels["kind"]) <= set(APPLY)
    assert made.labels["effect"].abs().is_between(0.01, 0.20 + 1e-9).all()
