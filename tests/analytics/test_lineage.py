"""Lineage: every figure leads to documents; a graph has one form and follows from batches."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from analytics.chains import sign_chain, step_event
from analytics.lineages import DIGEST, STANDARD, broken_month, built, ids
from analytics.plants import (
    END_MS,
    START_MS,
    rolled_over,
)
from tanzheng.analytics import package
from tanzheng.analytics.errors import EvidenceMismatch
from tanzheng.analytics.lineage.graph import Graph, Kind
from tanzheng.analytics.lineage.package import Lineage
from tanzheng.core import canonical_json, manifest
from tanzheng.core.bag import bag_files
from tanzheng.core.errors import EncodingError
from tanzheng.core.manifest import Manifest, PackageFile, PackageInvalid


@pytest.fixture(scope="module")
def broken() -> Lineage:
    return Lineage.of(broken_month()[1])


# ------------------------------------------------------------------ the graph of a month


def test_every_figure_leads_to_documents_only(broken: Lineage) -> None:
    for item in broken.described.parameters:
        reached = broken.graph.reached([f"parameter:{item.name}"])
        node = reached.nodes[f"parameter:{item.name}"]
        assert (node.value, node.unit) == (item.value, item.unit)
        ends = {name for name in reached.nodes if not reached.below(name)}
        assert ends, item.name
        assert {reached.nodes[name].kind for name in ends} == {Kind.DOCUMENT}, item.name


def test_the_way_of_the_issue_is_whole(broken: Lineage) -> None:
    """month → parameter → hours → point → batches, device → certificate → document."""
    way = [
        "month:2018-02",
        "parameter:generation_mwh",
        f"reading:meter/active_energy_export_kwh@{START_MS}",
        "point:meter/active_energy_export_kwh",
        "device:meter",
        "certificate:meter/JD-2017-9",
        "document:verification/meter/JD-2017-9",
    ]
    for derived, source in pairwise(way):
        assert source in ids(broken.graph.below(derived)), derived
    hours = ids(broken.graph.below("parameter:co2_cems_t"))
    assert len([name for name in hours if name.startswith("hours:")]) == 7
    measured = broken.graph.below("hours:measured:2018-02-01T00/2018-02-03T01")
    assert {"point:cems/run_state", "point:cems/co2_dry_percent", "batches:gw1:1:1-17"} <= ids(
        measured
    )


def test_devices_show_what_is_filed(broken: Lineage) -> None:
    meter = broken.graph.nodes["device:meter"]
    assert (meter.facts["serial"], meter.facts["certificates"]) == ("DTSD-7", 2)
    first, second = (
        broken.graph.nodes[f"certificate:meter/{name}"].facts for name in ("JD-2017-9", "XZ-1")
    )
    assert (first["covers_month"], second["covers_month"]) == ("yes", "no")
    document = broken.graph.nodes["document:verification/meter/JD-2017-9"]
    assert document.facts == {"title": "JD-2017-9", "sha256": DIGEST}
    assert broken.graph.nodes["device:cems"].en == "device, serial not filed"


def test_stretches_hold_every_hour_once(broken: Lineage) -> None:
    hours = [node for node in broken.graph.nodes.values() if node.kind is Kind.HOURS]
    spans = sorted((int(n.facts["start_ms"]), int(n.facts["end_ms"])) for n in hours)
    assert spans[0][0] == START_MS
    assert spans[-1][1] == END_MS
    assert all(end == begin for (_, end), (begin, _) in pairwise(spans))
    total = sum((Decimal(node.value or "nan") for node in hours), Decimal(0))
    assert f"{total:.2f}" == broken.described.values()["co2_cems_t"]


def test_a_substituted_stretch_names_the_hour_it_was_taken_from(broken: Lineage) -> None:
    own = "hours:substituted_max_180:2018-02-03T02/2018-02-03T04"
    facts = broken.graph.nodes[own].facts
    assert facts["taken_from"] == "2018-02-01T00"
    assert (facts["looked_at_first"], facts["looked_at_last"]) == ("2018-02-01T00", "2018-02-03T01")
    donors = [node.id for node in broken.graph.below(own) if node.kind is Kind.HOURS]
    assert donors == ["hours:measured:2018-02-01T00/2018-02-03T01"]


def test_rules_and_findings_lead_to_what_they_speak_of(broken: Lineage) -> None:
    assert {"parameter:co2_cems_t", "parameter:co2_calculated_t", "document:rules"} <= ids(
        broken.graph.below("rule:GAS-L02")
    )
    found = broken.graph.below("finding:hours_substituted_max_180")
    assert [stretch.facts["hours"] for stretch in found] == [3, 2]


def test_a_step_of_a_counter_leads_to_the_batch_that_tells_it() -> None:
    series, step = rolled_over()
    chain = sign_chain(series, events=[step_event(step)])
    graph = Lineage.of(built(chain)).graph
    (own,) = [name for name, node in graph.nodes.items() if node.kind is Kind.STEP]
    assert own in ids(graph.below("parameter:generation_mwh"))
    assert graph.nodes[own].value == "1000000000.0"
    telling = next(s.batch.seq for s in chain if s.batch.events)
    assert f"batches:gw1:1:{telling}-{telling}" in ids(graph.below(own))


# ------------------------------------------------------------------ in the package


def test_a_lineage_that_does_not_follow_is_refused() -> None:
    files = broken_month()[1]
    package.check(files, STANDARD)
    told = canonical_json.loads(files[manifest.LINEAGE_PATH])
    told["nodes"][0]["facts"]["unit"] = "G2"
    payload = {path: data for path, data in files.items() if path not in manifest.TAG_PATHS}
    payload[manifest.LINEAGE_PATH] = canonical_json.dumps(told)
    described = Manifest.decode(payload.pop(manifest.MANIFEST_PATH))
    again = tuple(PackageFile.of(path, payload[path]) for path in sorted(payload))
    raw = replace(described, files=again).encode()
    with pytest.raises(EvidenceMismatch, match=r"lineage\.json"):
        package.check(bag_files({**payload, manifest.MANIFEST_PATH: raw}), STANDARD)


def test_a_package_without_lineage_is_named() -> None:
    files = broken_month()[1]
    described = Manifest.decode(files[manifest.MANIFEST_PATH])
    fewer = replace(
        described, files=tuple(f for f in described.files if f.path != manifest.LINEAGE_PATH)
    )
    payload = {each.path: files[each.path] for each in fewer.files}
    with pytest.raises(PackageInvalid, match=r"lineage\.json"):
        Lineage.of(bag_files({**payload, manifest.MANIFEST_PATH: fewer.encode()}))


def test_a_graph_has_one_form(broken: Lineage) -> None:
    raw = broken_month()[1][manifest.LINEAGE_PATH]
    assert Graph.decode(raw) == broken.graph
    assert broken.graph.encode() == raw
    assert len(raw) < 40_000


def node(name: str, **changes: object) -> dict[str, object]:
    plain = {"id": name, "kind": "document", "en": "e", "zh": "z", "value": None, "unit": None}
    return {**plain, "facts": {}, **changes}


A, B = node("a"), node("b")
ZOO: dict[str, dict[str, object]] = {
    "another version": {"version": 2, "nodes": [], "edges": []},
    "a key more": {"version": 1, "nodes": [], "edges": [], "note": ""},
    "an edge to nowhere": {"version": 1, "nodes": [A], "edges": [["a", "b"]]},
    "a node of itself": {"version": 1, "nodes": [A], "edges": [["a", "a"]]},
    "a way round": {"version": 1, "nodes": [A, B], "edges": [["a", "b"], ["b", "a"]]},
    "too long a way": {
        "version": 1,
        "nodes": [node(f"n{i:03}") for i in range(65)],
        "edges": [[f"n{i:03}", f"n{i + 1:03}"] for i in range(64)],
    },
    "an edge of three": {"version": 1, "nodes": [A, B], "edges": [["a", "b", "a"]]},
    "an edge twice": {"version": 1, "nodes": [A, B], "edges": [["a", "b"], ["a", "b"]]},
    "nodes out of order": {"version": 1, "nodes": [B, A], "edges": []},
    "a node twice": {"version": 1, "nodes": [A, A], "edges": []},
    "two nodes of one id": {"version": 1, "nodes": [A, node("a", en="x")], "edges": []},
    "an unknown kind": {"version": 1, "nodes": [node("a", kind="guess")], "edges": []},
    "a value that is no number": {"version": 1, "nodes": [node("a", value="much")], "edges": []},
    "a fact that is a list": {"version": 1, "nodes": [node("a", facts={"x": []})], "edges": []},
}


@pytest.mark.parametrize("flaw", ZOO)
def test_any_other_form_is_refused(flaw: str) -> None:
    with pytest.raises(EncodingError, match="lineage"):
        Graph.decode(canonical_json.dumps(ZOO[flaw]))
