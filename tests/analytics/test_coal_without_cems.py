"""A coal unit without CEMS: the same figures less two, and nowhere a zero in their place."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import plants
from analytics.chains import sign_chain
from analytics.coal_plants import (
    BARE_PLANT,
    BARE_TOML,
    MONTH,
    PLANT_TOML,
    STANDARD,
    START_MS,
    bare_chain,
    built,
    computed,
    folder,
    readings,
)
from analytics.test_coal_package import repacked
from tanzheng.analytics import folder as packages
from tanzheng.analytics import package
from tanzheng.analytics.annual.assemble import annual_report
from tanzheng.analytics.annual.packages import read_package
from tanzheng.analytics.closing import Deposit, close
from tanzheng.analytics.errors import EvidenceMismatch, NothingRecorded, RoleMissing
from tanzheng.analytics.evidence.arguments import evidence
from tanzheng.analytics.hours import Hour, Method
from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.lineage.graph import Kind
from tanzheng.analytics.lineage.hour import hour_trace
from tanzheng.analytics.lineage.package import Lineage
from tanzheng.analytics.month import compute
from tanzheng.analytics.parameters.bookfiles import needed
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.series import Series, from_batches
from tanzheng.analytics.substitution import LookBack
from tanzheng.analytics.unit_hours import month_hours, recompute, touched
from tanzheng.core import canonical_json, manifest
from tanzheng.core.bag import bag_files, check_bag
from tanzheng.core.batch import SignedBatch
from tanzheng.core.calendar import DAY_MS, HOUR_MS
from tanzheng.core.errors import BadInput
from tanzheng.core.manifest import Absent, Manifest, Reason
from tanzheng.core.plant import Plant

BOOKS = folder()
FILES = built(needed(BOOKS), bare_chain(), BARE_TOML)
CEMS_FIGURES = ("co2_cems_t", "coverage_percent")
ABSENT = tuple(Absent(name, Reason.NO_CEMS) for name in CEMS_FIGURES)
OPERATING = f'[unit.operating]\npoint = "{plants.POWER}"\nabove = "600"\n'.encode()
RUN_STATE = b"""
[[device]]
id = "dcs"
gateway = "gw1"
unit = "G1"
profile = "dcs"
[[device.point]]
field = "run_state"
role = "run_state"
"""


def bare(series: Mapping[str, Series] | None = None, raw: bytes = BARE_TOML) -> MonthResult:
    """The month of the plant without CEMS from these readings."""
    told = series or {point: readings()[point] for point in (plants.ENERGY, plants.POWER)}
    return compute(
        Plant.parse(raw), "G1", MONTH, told, (), STANDARD.pack, STANDARD.rules, books=BOOKS
    )


def half_a_month(idle_kw: float) -> dict[str, Series]:
    """The unit runs for fourteen days; then its power reads `idle_kw`."""
    stop_ms = plants.START_MS + 14 * DAY_MS
    made = readings([plants.Run(plants.START_MS, stop_ms, mw=500.0)])
    power = made[plants.POWER]
    value = np.where(power.value > 0, power.value, idle_kw)
    idle = Series(power.t_ms, value, power.quality)
    return {plants.ENERGY: made[plants.ENERGY], plants.POWER: idle}


def outcomes(result: MonthResult) -> dict[str, str]:
    return {item.id: item.outcome for item in result.rule_results}


# ------------------------------------------------------------------ figures


def test_the_figures_are_those_of_the_unit_with_cems_less_two() -> None:
    result, with_cems = bare(), computed(BOOKS)
    assert with_cems.values().keys() - result.values().keys() == set(CEMS_FIGURES)
    assert result.values().items() <= with_cems.values().items()
    assert (result.absent, with_cems.absent) == (ABSENT, ())
    closing = close(result, STANDARD.pack, STANDARD.rules, MONTH.last_day.replace(month=3, day=20))
    assert closing.deposit is Deposit.READY


def test_every_place_says_no_cems_and_none_says_zero() -> None:
    described = check_bag(FILES)
    assert described.absent == ABSENT
    assert not {*CEMS_FIGURES} & described.values().keys()
    hours = canonical_json.loads(FILES[manifest.HOURS_PATH])
    assert hours["absent"] == dict.fromkeys(CEMS_FIGURES, "no_cems")
    keys = {"start_ms", "operating_min", "method", "generation_mwh", "fuel_gas_1e4nm3"}
    assert {frozenset(hour) for hour in hours["hours"]} == {frozenset(keys)}
    assert {hour["method"] for hour in hours["hours"]} == {"no_cems"}
    told = canonical_json.loads(FILES[manifest.FINDINGS_PATH])
    assert [item["code"] for item in told["findings"]] == ["no_cems", "operating_by_gauge"]
    month = Lineage.of(FILES).graph.nodes[f"month:{MONTH}"]
    assert month.facts["absent_co2_cems_t"] == "no_cems"


def test_rules_that_need_a_cems_do_not_apply_and_say_so() -> None:
    rules = canonical_json.loads(FILES[manifest.FINDINGS_PATH])["rules"]
    aside = {item["rule"]: item for item in rules if item["outcome"] == "not_applicable"}
    assert aside.keys() == {"COAL-T07", "COAL-L02"}
    assert {item["reason"] for item in aside.values()} == {"no_cems"}
    assert aside["COAL-L02"]["en"] == (
        "not applicable, no CEMS: this rule needs CO2 measured by CEMS"
    )
    assert aside["COAL-L02"]["zh"].startswith("不适用，无 CEMS：")
    assert all("reason" not in item for item in rules if item["rule"] not in aside)


# ------------------------------------------------------------------ when it runs


def test_operating_time_is_while_the_gauge_reads_more_than_filed() -> None:
    """14 × 24 h, half a slot of ten minutes less: the stop lies between its two samples."""
    for idle_kw in (0.0, 599.0, 600.0):
        result = bare(half_a_month(idle_kw))
        assert result.values()["operating_hours_h"] == Decimal("335.92")
        standing = {Method.NOT_OPERATING: 336, Method.NO_CEMS: 336}
        methods = [hour.method for hour in result.hours]
        assert {each: methods.count(each) for each in set(methods)} == standing
        assert {hour.co2_t for hour in result.hours} == {None}  # standing is not "0 t measured"


def test_the_limit_is_the_filed_one() -> None:
    noisy = half_a_month(idle_kw=601.0)
    assert bare(noisy).values()["operating_hours_h"] == Decimal("672.00")
    higher = BARE_TOML.replace(b'above = "600"', b'above = "601"')
    assert bare(noisy, higher).values()["operating_hours_h"] == Decimal("335.92")


def test_a_limit_that_hides_running_hours_is_found() -> None:
    """At 500 MW above a limit of 500 MW the unit would never run: the meter knows better."""
    blind = BARE_TOML.replace(b'above = "600"', b'above = "500000"')
    result = bare(raw=blind)
    assert result.values()["operating_hours_h"] == 0
    assert outcomes(result)["COAL-E03"] == outcomes(result)["COAL-L05"] == "failed"


def test_a_run_state_that_no_cems_tells_is_used_as_ever() -> None:
    raw = BARE_TOML.replace(OPERATING, b"") + RUN_STATE
    made = readings()
    series = {
        plants.ENERGY: made[plants.ENERGY],
        plants.POWER: made[plants.POWER],
        "dcs/run_state": made[plants.RUN],
    }
    result = bare(series, raw)
    assert result.values() == bare().values()
    assert [finding.code for finding in result.findings] == ["no_cems"]


def test_a_gauge_may_stand_beside_a_cems() -> None:
    run = b'[[device.point]]\nfield = "run_state"\nrole = "run_state"\n'
    raw = PLANT_TOML.replace(run, b"").replace(b"[[gateway]]", OPERATING + b"[[gateway]]")
    series = {point: each for point, each in readings().items() if point != plants.RUN}
    result = bare(series, raw)
    assert result.values() == computed(BOOKS).values()
    assert [finding.code for finding in result.findings] == ["operating_by_gauge"]


def test_without_a_reading_of_the_gauge_nothing_is_known() -> None:
    with pytest.raises(NothingRecorded, match="run state"):
        bare({plants.ENERGY: readings()[plants.ENERGY]})


# ------------------------------------------------------------------ plants that cannot be


def test_neither_run_state_nor_gauge_is_refused() -> None:
    with pytest.raises(RoleMissing, match=r"run_state \(or a filed gauge, \[unit.operating\]\)"):
        bare(raw=BARE_TOML.replace(OPERATING, b""))


@pytest.mark.parametrize("field", ["o2_dry_percent", "stack_flow_wet_m3_per_h"])
def test_part_of_a_cems_is_refused(field: str) -> None:
    """A CEMS without a CO2 analyser gives no CO2: its points are recorded without a role."""
    role = {"o2_dry_percent": "cems_o2"}.get(field, "cems_flow")
    point = f'[[device.point]]\nfield = "{field}"\n'
    device = b'\n[[device]]\nid = "stack"\ngateway = "gw1"\nunit = "G1"\nprofile = "cems"\n'
    recorded = BARE_TOML + device + point.encode()
    series = {p: readings()[p] for p in (plants.ENERGY, plants.POWER)}
    series[f"stack/{field}"] = series[plants.POWER]
    assert bare(series, recorded).absent == ABSENT
    with pytest.raises(RoleMissing, match="got none for cems_co2"):
        bare(series, recorded + f'role = "{role}"\n'.encode())


def test_a_gas_unit_needs_its_cems() -> None:
    at = plants.PLANT_TOML.index(b'[[device]]\nid = "cems"')
    with pytest.raises(RoleMissing, match=r"got none for cems_co2, .*run_state"):
        MonthInputs.of(Plant.parse(plants.PLANT_TOML[:at]), "G1", plants.MONTH, {}, ())


def test_nothing_can_be_declared_of_a_cems_that_is_not_there() -> None:
    series = {point: readings()[point] for point in (plants.ENERGY, plants.POWER)}
    inputs = MonthInputs.of(BARE_PLANT, "G1", MONTH, series, ())
    with pytest.raises(BadInput, match="expected nothing declared of a CEMS"):
        month_hours(inputs, STANDARD.pack, LookBack(default_rate=Decimal(1)))


# ------------------------------------------------------------------ the package


def test_the_package_gives_itself_again() -> None:
    package.check(FILES, STANDARD)
    described = check_bag(FILES)
    assert package.rebuild(FILES, described, {"gw1": list(bare_chain())}, STANDARD) == FILES


def described_as(absent: tuple[Absent, ...], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The package with another list of absent figures, its digests made anew."""
    payload = {name: body for name, body in files.items() if name not in manifest.TAG_PATHS}
    told = replace(Manifest.decode(files[manifest.MANIFEST_PATH]), absent=absent)
    return bag_files(payload | {manifest.MANIFEST_PATH: told.encode()})


def test_absence_is_part_of_what_must_follow() -> None:
    with pytest.raises(EvidenceMismatch, match=r"expected as absent co2_cems_t .no_cems., .* none"):
        package.check(described_as((), FILES), STANDARD)


def test_a_cems_cannot_be_left_out_of_the_evidence_alone() -> None:
    """The operator drops the CEMS from the plant file of the package: its figures do not follow."""
    full = built(needed(BOOKS))
    with pytest.raises((EvidenceMismatch, BadInput)):
        package.check(repacked(full, {manifest.PLANT_PATH: BARE_TOML}), STANDARD)
    with pytest.raises(EvidenceMismatch, match="absent"):
        package.check(described_as((Absent("another", Reason.NO_CEMS),), full), STANDARD)


def test_operating_hours_lead_to_the_gauge_and_its_batches() -> None:
    graph = Lineage.of(FILES).graph
    reached = graph.reached(["parameter:operating_hours_h"]).nodes
    assert {f"point:{plants.POWER}", "document:plant", "document:books/plan.toml"} <= reached.keys()
    assert {Kind.BATCHES, Kind.DEVICE} <= {node.kind for node in reached.values()}
    for name in check_bag(FILES).values():
        below = graph.reached([f"parameter:{name}"]).nodes.values()
        assert any(node.kind is Kind.DOCUMENT for node in below), name


def test_one_hour_leads_to_its_readings() -> None:
    trace = hour_trace(FILES, "2023-02-03T04")
    assert [each.point for each in trace.points] == [plants.POWER, plants.ENERGY]
    assert [each.role for each in trace.points] == ["power", "generation"]
    assert trace.record["method"] == "no_cems"
    assert trace.batches["gw1"]


def test_the_evidence_month_takes_it(tmp_path: Path) -> None:
    packages.write(tmp_path / "bag", FILES, None, lambda _: None)
    assert str(evidence(tmp_path / "bag").deposit) == "ready"


def test_the_year_says_no_cems() -> None:
    report = annual_report([read_package(FILES, "package")], partial=True)
    (note,) = [note for note in report.notes if note.code == "no_cems"]
    assert (note.where, note.words.zh[:7]) == ("G1", "无 CEMS，")
    assert "2023-02" in note.words.en
    assert not {*CEMS_FIGURES} & {figure.name for figure in report.figures}
    other = annual_report([read_package(built(needed(BOOKS)), "package")], partial=True)
    assert not [note for note in other.notes if note.code == "no_cems"]


# ------------------------------------------------------------------ late data


def holed(holes: Sequence[tuple[str, int, int]]) -> MonthInputs:
    series = half_a_month(0.0)
    for point, hour, length in holes:
        begin = START_MS + hour * HOUR_MS
        series[point] = plants.without(series[point], begin, begin + length * HOUR_MS)
    return MonthInputs.of(BARE_PLANT, "G1", MONTH, series, ())


def as_bytes(hours: Sequence[Hour]) -> list[bytes]:
    return [canonical_json.dumps(hour.to_json()) for hour in hours]


HOLES = st.lists(
    st.tuples(
        st.sampled_from([plants.ENERGY, plants.POWER]), st.integers(2, 640), st.integers(1, 30)
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=25)
@given(HOLES, HOLES)
def test_late_data_gives_the_bytes_of_a_full_computation(
    lost: list[tuple[str, int, int]], coming: list[tuple[str, int, int]]
) -> None:
    before, now = holed([*lost, *coming]), holed(lost)
    old, full = month_hours(before, STANDARD.pack), month_hours(now, STANDARD.pack)
    assert as_bytes(recompute(before, now, old, STANDARD.pack)) == as_bytes(full)
    starts = touched(before, now, old, STANDARD.pack)
    pairs = zip(as_bytes(old), as_bytes(full), strict=True)
    differing = {START_MS + at * HOUR_MS for at, (was, shall) in enumerate(pairs) if was != shall}
    assert starts >= differing


def test_hours_without_data_run_or_stand_as_their_neighbours() -> None:
    holes = [(plants.POWER, 100, 5), (plants.POWER, 500, 5)]
    hours = month_hours(holed(holes), STANDARD.pack)
    assert {hours[at].method for at in range(100, 105)} == {Method.NO_CEMS}
    assert Method.ASSUMED_STANDING in {hours[at].method for at in range(500, 505)}
    assert {hour.rate_t_per_h for hour in hours} == {None}


def chain_of(series: Mapping[str, Series]) -> list[SignedBatch]:
    return sign_chain(series, span_ms=DAY_MS, plant=BARE_PLANT)


def test_a_month_with_a_stop_goes_through_batches_as_well() -> None:
    chain = chain_of(half_a_month(12.0))
    files = built(needed(BOOKS), chain, BARE_TOML)
    package.check(files, STANDARD)
    recorded = from_batches((signed.batch for signed in chain), BARE_PLANT)
    assert recorded.series.keys() == {plants.ENERGY, plants.POWER}
    hours = json.loads(files[manifest.HOURS_PATH])["hours"]
    assert {hour["method"] for hour in hours} == {"no_cems", "not_operating"}
    assert all("co2_cems_t" not in hour for hour in hours)
