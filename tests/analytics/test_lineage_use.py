"""Lineage in use: one hour back to its very batches, a year of months, the command."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from analytics.lineages import (
    CERTIFIED,
    STANDARD,
    TWO_GATEWAYS,
    broken_month,
    built,
    ids,
    two_gateways,
)
from analytics.plants import (
    MONTH,
    PLANT,
    START_MS,
    hours_from_start,
)
from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.lineage.graph import Graph, Kind, Node
from tanzheng.analytics.lineage.hour import hour_trace
from tanzheng.analytics.lineage.package import Lineage, annual
from tanzheng.analytics.lineage.render import KINDS, line
from tanzheng.analytics.series import from_batches
from tanzheng.analytics.unit_hours import month_hours
from tanzheng.core import manifest
from tanzheng.core.bag import bag_files
from tanzheng.core.batch import SignedBatch
from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.errors import BadInput
from tanzheng.core.ids import Subject
from tanzheng.core.manifest import Manifest, PackageFile, PackageInvalid
from tanzheng.core.plant import Plant


@pytest.fixture(scope="module")
def broken() -> Lineage:
    return Lineage.of(broken_month()[1])


# ------------------------------------------------------------------ one hour


HOURS = (0, 1, 2, 3, 49, 50, 51, 52, 53, 199, 200, 201, 202, 399, 400, 401, 423, 424, 671)


@pytest.mark.parametrize("number", HOURS)
def test_an_hour_comes_from_its_batches_and_no_others(number: int) -> None:
    """From these batches alone (and the ends, for the counters) the hour is the same; without one
    that holds a reading of it, it is another."""
    chain, files = broken_month()
    start_ms = hours_from_start(number)
    name = f"{PLANT.zone.datetime(start_ms):%Y-%m-%dT%H}"
    trace = hour_trace(files, name)
    held = trace.batches["gw1"]
    assert 1 <= len(held) <= 2
    whole = hour_of(chain, start_ms)
    ends = [chain[0], chain[-1]]
    assert hour_of([*held, *ends], start_ms) == whole
    for each in held:
        fewer = [other for other in held if other.raw != each.raw]
        if each.raw not in {end.raw for end in ends} and readings(
            each, start_ms, start_ms + HOUR_MS
        ):
            assert hour_of([*fewer, *ends], start_ms) != whole
    recorded = json.loads(files[manifest.HOURS_PATH])["hours"][number]
    assert trace.record == recorded
    assert trace.stretch.facts["method"] == recorded["method"]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 671])
def test_an_hour_of_two_gateways_with_grids_of_their_own(number: int) -> None:
    chains, files = two_gateways()
    plant, start_ms = Plant.parse(TWO_GATEWAYS), hours_from_start(number)
    trace = hour_trace(files, f"{plant.zone.datetime(start_ms):%Y-%m-%dT%H}")
    ends = [chain[end] for chain in chains.values() for end in (0, -1)]
    held = [each for batches in trace.batches.values() for each in batches]
    every = [each for chain in chains.values() for each in chain]
    whole = hour_of(every, start_ms, plant)
    assert hour_of([*held, *ends], start_ms, plant) == whole
    at_an_end = number in (2, 3, 671)
    sizes = {gw: len(batches) for gw, batches in trace.batches.items()}
    assert sizes == ({"gw1": 2, "gw2": 2} if at_an_end else {"gw1": 1, "gw2": 1})


def hour_of(
    batches: Sequence[SignedBatch], start_ms: int, plant: Plant = PLANT
) -> dict[str, object]:
    """The hour as computed from these batches, before anything is substituted."""
    once = {signed.raw: signed.batch for signed in batches}
    recorded = from_batches(once.values(), plant)
    inputs = MonthInputs.of(plant, "G1", MONTH, recorded.series, recorded.gaps)
    hours = month_hours(inputs, STANDARD.pack)
    return hours[(start_ms - START_MS) // HOUR_MS].unfilled().to_json()


def readings(signed: SignedBatch, first_ms: int, last_ms: int) -> int:
    times = np.frombuffer(signed.batch.columns[0].t_ms, dtype=np.int64)
    return int(np.count_nonzero((times >= first_ms) & (times <= last_ms)))


def test_an_hour_shows_its_readings_one_by_one() -> None:
    chain, files = broken_month()
    trace = hour_trace(files, "2018-02-03T02")
    told = trace.to_json()
    points = {each["point"]: each["readings"] for each in told["points"]}  # type: ignore[attr-defined]
    assert len(points["cems/run_state"]) == 61
    assert points["cems/run_state"][0] == [hours_from_start(50), "1.0", 0]
    assert points["cems/co2_dry_percent"] == []
    assert {gap["reason"] for gap in told["gaps"]} == {"comms_timeout"}  # type: ignore[attr-defined]
    digests = {signed.batch.seq: signed.digest.hex() for signed in chain}
    for each in told["batches"]:  # type: ignore[attr-defined]
        assert each["sha256"] == digests[each["seq"]]


@pytest.mark.parametrize(
    "hour", ["2018-03-01T00", "2018-02-30T00", "2018-02-01T24", "2018-02-01", ""]
)
def test_another_hour_is_refused(hour: str) -> None:
    with pytest.raises(BadInput, match="--hour: expected an hour of 2018-02"):
        hour_trace(broken_month()[1], hour)


def test_an_hour_of_a_package_that_has_no_hours_is_named() -> None:
    files = broken_month()[1]
    payload = {path: data for path, data in files.items() if path not in manifest.TAG_PATHS}
    described = Manifest.decode(payload.pop(manifest.MANIFEST_PATH))
    for hours in (None, b"[]", b'{"hours":7}', b'{"hours":[7]}'):
        payload[manifest.HOURS_PATH] = hours or b""
        if hours is None:
            del payload[manifest.HOURS_PATH]
        listed = tuple(PackageFile.of(path, payload[path]) for path in sorted(payload))
        raw = replace(described, files=listed).encode()
        with pytest.raises(PackageInvalid, match=r"hours\.json"):
            hour_trace(bag_files({**payload, manifest.MANIFEST_PATH: raw}), "2018-02-03T02")


# ------------------------------------------------------------------ a year


def another(of: Lineage, **changes: str) -> Lineage:
    """The same month under another name."""
    subject = replace(of.described.subject, **changes)
    described = replace(of.described, subject=subject)
    root = of.graph.nodes[of.root]
    nodes = {
        **of.graph.nodes,
        f"month:{subject.period}": replace(root, id=f"month:{subject.period}"),
    }
    sources = {**of.graph.sources, f"month:{subject.period}": of.graph.sources[of.root]}
    return Lineage(described, Graph(nodes, sources))


def test_a_year_is_the_sum_of_its_months(broken: Lineage) -> None:
    months = [broken, another(broken, period="2018-03"), another(broken, unit="G2")]
    graph, root = annual(months)
    top = graph.nodes[root]
    assert Decimal(top.value or "") == 3 * Decimal(broken.described.values()["co2_calculated_t"])
    assert (top.unit, top.facts["months_missing"]) == ("t", 21)
    assert {"G1/2018-02/month:2018-02", "G2/2018-02/month:2018-02"} <= ids(graph.below(root))
    (only,) = graph.below("G1/2018-03/month:2018-03")
    assert only.id == "G1/2018-03/parameter:co2_calculated_t"
    assert Graph.decode(graph.encode()) == graph


def test_what_makes_no_year_is_refused(broken: Lineage) -> None:
    later = another(broken, period="2019-02")
    with pytest.raises(BadInput, match="one enterprise and year"):
        annual([broken, later])
    with pytest.raises(BadInput, match="each month once"):
        annual([broken, broken])
    with pytest.raises(BadInput, match="add up"):
        annual([broken, another(broken, period="2018-03")], "load_factor_percent")
    with pytest.raises(BadInput, match="field dictionary"):
        annual([broken, another(broken, period="2018-03")], "no_such_t")
    with pytest.raises(BadInput, match="expected the figure coal_t"):
        annual([broken, another(broken, period="2018-03")], "coal_t")
    assert broken.described.subject == Subject("TEST-1", "G1", "2018-02", "month")


# ------------------------------------------------------------------ the command


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(broken_month()[1], tmp_path_factory.mktemp("lineage") / "bag")


def written(files: Mapping[str, bytes], folder: Path) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def run(*arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [Path(sys.executable).with_name("tanzheng"), "lineage", *map(str, arguments)],
        capture_output=True, text=True, check=False, env={"COLUMNS": "200", "PYTHONUTF8": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_tree_is_in_two_languages(bag: Path) -> None:
    code, text = run(bag, "co2_cems_t")
    assert code == 0, text
    assert "CO2 measured by CEMS 二氧化碳排放量（CEMS）" in text
    assert "前180个有效小时最大值替代" in text
    assert "taken from 取自 2018-02-01T00" in text
    assert "↑ above 见上" in text
    code, text = run(bag, "device:meter")
    assert code == 0
    assert "检定证书 JD-2017-9" in text


def test_a_node_with_other_facts_is_shown_as_well() -> None:
    """A package of another version, or a hostile one, may leave facts out."""
    for kind in Kind:
        shown = line(Node("a", kind, "e", "z", "-0.5", "t", {"head": 7, "sha256": 7}))
        assert shown.plain.startswith(KINDS[kind][1])
        assert "-0.5 t" in shown.plain


def test_json_and_mermaid_hold_the_graph(bag: Path, broken: Lineage) -> None:
    code, text = run(bag, "--json")
    assert (code, json.loads(text)) == (0, json.loads(broken.graph.encode()))
    code, text = run(bag, "generation_mwh", "--mermaid")
    reached = broken.graph.reached(["parameter:generation_mwh"])
    assert code == 0
    assert text.startswith("flowchart LR\n")
    assert text.count(" --> ") == len(list(reached.edges()))
    assert text.count('["') == len(reached.nodes)


def test_a_year_of_packages(bag: Path, tmp_path: Path) -> None:
    chain = broken_month()[0]
    other = written(built(chain, CERTIFIED.replace(b'"G1"', b'"G2"')), tmp_path / "other")
    code, text = run(bag, other)
    assert code == 0, text
    assert "年度 CO2 by calculation, TEST-1, 2018 二氧化碳排放量（核算法） TEST-1 2018 年" in text
    assert "126,263.06 t  units G1 G2, months 2, missing 22" in text
    code, text = run(bag, other, "generation_mwh", "--json")
    assert code == 0
    assert json.loads(text)["nodes"][0]["value"] == "311040.000"
    code, text = run(bag, bag)
    assert code == 2
    assert "expected each month once" in text


def test_an_hour_in_words(bag: Path) -> None:
    code, text = run(bag, "--hour", "2018-02-09T09")
    assert code == 0, text
    assert "gap 缺失 cems/run_state: agent_down" in text
    code, text = run(bag, "--hour", "2018-02-09T09", "--json")
    assert (code, json.loads(text)["hour"]) == (0, "2018-02-09T09")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no_such_figure"], "expected a figure"),
        (["--json", "--mermaid"], "got both"),
        (["co2_cems_t", "--hour", "2018-02-01T00"], "--hour: expected one package"),
        (["--hour", "2018-04-01T00"], "--hour: expected an hour"),
    ],
)
def test_what_does_not_go_together_is_said(bag: Path, arguments: list[str], said: str) -> None:
    code, text = run(bag, *arguments)
    assert code == 2
    assert said in text
