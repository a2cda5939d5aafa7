"""Redacted packages: what is shown leads to the root, what is hidden stays hidden."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import statement
from tanzheng.core import canonical_json, parameter_tree
from tanzheng.core.disclosure import Disclosure, DisclosureForeign
from tanzheng.core.errors import BadInput, EncodingError
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.ids import Subject
from tanzheng.core.manifest import DataPack, Manifest, Parameter
from tanzheng.core.merkle import ProofInvalid

FIGURES = (
    ("co2_calculated_t", "72676.61", "t"),
    ("generation_mwh", "211345.000", "MWh"),
    ("load_factor_percent", "94.69", "%"),
)
SALTS = parameter_tree.salts(bytes(range(32)), len(FIGURES))
PACK = DataPack("p", "1", bytes(32))
RAW = Manifest(
    subject=Subject("E1", "CT1", "2018-07", "month"),
    start_ms=0,
    end_ms=1,
    plant_sha256=bytes(32),
    standard=PACK,
    rules=PACK,
    software="s",
    parameters=tuple(Parameter(*f, salt) for f, salt in zip(FIGURES, SALTS, strict=False)),
    padding=tuple(SALTS[len(FIGURES) :]),
    files=(),
    gateways=(),
).encode()
ROOT = parameter_tree.tree(Manifest.decode(RAW)).root()


@given(st.sets(st.sampled_from([name for name, _, _ in FIGURES]), min_size=1))
def test_any_choice_leads_to_the_root_and_comes_back(names: set[str]) -> None:
    made = Disclosure.of(RAW, sorted(names))
    made.check()
    assert Disclosure.decode(made.encode()) == made
    assert {each.name for each in made.figures} == names
    assert (made.parameters_root, made.leaves) == (ROOT, 64)


def test_nothing_of_the_others_is_in_it() -> None:
    raw = Disclosure.of(RAW, ["generation_mwh"]).encode()
    for name, value, _ in FIGURES:
        hidden = name != "generation_mwh"
        assert (name.encode() not in raw) is hidden
        assert (value.encode() not in raw) is hidden
    assert [salt for salt in SALTS if salt.hex().encode() in raw] == [SALTS[1]]
    assert len(raw) < 1200


@pytest.mark.parametrize("names", [[], ["no_such"], ["generation_mwh", "generation_mwh"]])
def test_only_figures_of_the_manifest_each_once(names: list[str]) -> None:
    with pytest.raises(BadInput, match="expected figures to disclose, each once, of co2_calc"):
        Disclosure.of(RAW, names)


def changed(**figure: Any) -> Disclosure:
    made = Disclosure.of(RAW, ["generation_mwh"])
    return replace(made, figures=(replace(made.figures[0], **figure),))


@pytest.mark.parametrize(
    "figure",
    [
        {"value": "211345.001"},
        {"value": "211345"},
        {"name": "co2_calculated_t", "unit": "t"},
        {"salt": SALTS[0]},
        {"index": 2},
        {"index": 64},
        {"path": ()},
        {"path": (bytes(32),) * 6},
        {"path": (bytes(32),) * 7},
    ],
    ids=str,
)
def test_what_does_not_lead_to_the_root_is_named(figure: dict[str, Any]) -> None:
    with pytest.raises(ProofInvalid, match=r"generation_mwh|co2_calculated_t"):
        changed(**figure).check()


def test_a_unit_follows_from_the_name() -> None:
    """No leaf holds a unit: tonnes shown as kilotonnes would lead to the root as well."""
    with pytest.raises(DisclosureForeign, match="generation_mwh: expected the unit MWh, got GWh"):
        changed(unit="GWh").check()


def test_it_is_held_against_a_statement() -> None:
    made = Disclosure.of(RAW, ["generation_mwh"])
    stated = statement(
        made.subject, parameters_root=ROOT, manifest_sha256=sha256(RAW), manifest_sm3=sm3(RAW)
    )
    made.check_named_by(stated)
    lies: dict[str, dict[str, Any]] = {
        "subject": {"subject": Subject("E1", "CT2", "2018-07", "month")},
        "parameter root": {"parameters_root": bytes(32)},
        "manifest sha-256": {"manifest_sha256": bytes(32)},
        "manifest sm3": {"manifest_sm3": bytes(32)},
    }
    for what, lie in lies.items():
        with pytest.raises(DisclosureForeign, match=what):
            made.check_named_by(replace(stated, **lie))


def zoo() -> dict[str, Any]:
    plain = json.loads(Disclosure.of(RAW, ["co2_calculated_t", "generation_mwh"]).encode())
    first, second = plain["figures"]
    return {
        "another type": {**plain, "type": "x"},
        "another version": {**plain, "version": 2},
        "a key more": {**plain, "note": ""},
        "a key less": {key: value for key, value in plain.items() if key != "leaves"},
        "no figure": {**plain, "figures": []},
        "figures out of order": {**plain, "figures": [second, first]},
        "one figure twice": {**plain, "figures": [first, first]},
        "one name twice": {**plain, "figures": [first, {**second, "name": first["name"]}]},
        "a short root": {**plain, "parameters_root": "00"},
        "no leaves": {**plain, "leaves": 0},
        "a value with an exponent": {**plain, "figures": [{**first, "value": "1e3"}]},
        "a short salt": {**plain, "figures": [{**first, "salt": "00"}]},
        "a short node": {**plain, "figures": [{**first, "path": ["00"]}]},
        "a long path": {**plain, "figures": [{**first, "path": ["00" * 32] * 66}]},
    }


@pytest.mark.parametrize("flaw", zoo())
def test_any_other_form_is_refused(flaw: str) -> None:
    with pytest.raises(EncodingError, match="disclosure"):
        Disclosure.decode(canonical_json.dumps(zoo()[flaw]))


@given(st.binary(max_size=64))
def test_garbage_is_bad_input(data: bytes) -> None:
    with pytest.raises(BadInput):
        Disclosure.decode(data)
