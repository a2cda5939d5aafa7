"""Salts, padding and disclosure of single figures."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import cbor2
import pytest

from tanzheng.core import parameter_tree
from tanzheng.core.errors import EncodingError
from tanzheng.core.ids import Subject
from tanzheng.core.manifest import DataPack, Manifest, Parameter
from tanzheng.core.merkle import ProofInvalid

SECRET = bytes(range(32))
FIGURES = {
    "generation_mwh": "211345.000",
    "co2_calculated_t": "72676.61",
    "heat_supplied_gj": "0.00",
}


def manifest() -> Manifest:
    salts = parameter_tree.salts(SECRET, len(FIGURES))
    named = [Parameter(n, v, "u", s) for (n, v), s in zip(FIGURES.items(), salts, strict=False)]
    pack = DataPack("p", "1", bytes(32))
    return Manifest(
        subject=Subject("E1", "CT1", "2018-07", "month"),
        start_ms=0,
        end_ms=1,
        plant_sha256=bytes(32),
        standard=pack,
        rules=pack,
        software="s",
        parameters=tuple(named),
        padding=tuple(salts[len(named) :]),
        files=(),
        gateways=(),
    )


def test_salt_is_the_hmac_of_its_index() -> None:
    salts = parameter_tree.salts(SECRET, 3)
    expected = hmac.new(SECRET, b"salt/v1\x00\x00\x00\x02", hashlib.sha256).digest()[:16]
    assert salts[2] == expected
    assert len(salts) == len(set(salts)) == 64


@pytest.mark.parametrize(("count", "padded"), [(1, 64), (64, 64), (65, 128)])
def test_the_count_is_hidden_in_steps_of_64(count: int, padded: int) -> None:
    assert parameter_tree.padded_count(count) == padded


def test_leaf_is_cbor_of_salt_name_value() -> None:
    assert cbor2.loads(parameter_tree.leaf(bytes(16), "a", "1.0")) == [bytes(16), "a", "1.0"]


def test_one_figure_is_disclosed_with_its_path() -> None:
    source = manifest()
    tree = parameter_tree.tree(source)
    for index, figure in enumerate(source.parameters):
        path = tree.inclusion(index)
        root = parameter_tree.disclosed_root(
            figure.salt, figure.name, figure.value, index, tree.size, path
        )
        assert root == tree.root()
        changed = parameter_tree.disclosed_root(
            figure.salt, figure.name, "0.01", index, tree.size, path
        )
        assert changed != tree.root()
    with pytest.raises(ProofInvalid):
        parameter_tree.disclosed_root(bytes(16), "a", "1", 0, 1, tree.inclusion(0))


def test_another_secret_gives_another_root() -> None:
    source = manifest()
    other = replace(source.parameters[0], salt=bytes(16))
    changed = replace(source, parameters=(other, *source.parameters[1:]))
    assert parameter_tree.tree(changed).root() != parameter_tree.tree(source).root()


def test_missing_padding_and_short_secret_are_refused() -> None:
    with pytest.raises(EncodingError, match="64 leaves"):
        parameter_tree.tree(replace(manifest(), padding=()))
    with pytest.raises(EncodingError, match="32 bytes"):
        parameter_tree.salts(b"short", 1)
    with pytest.raises(EncodingError, match="expected 1 to"):
        parameter_tree.padded_count(0)
