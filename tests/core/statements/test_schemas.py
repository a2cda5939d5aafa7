"""Every kind's bytes against its CDDL, by a validator that knows nothing of our reader."""

from collections.abc import Iterator
from typing import Any

import cbor2
import pytest

from core.statements.samples import NEW, ROTATION, SAMPLES
from core.statements.schemas import FOLDER, fits, schema_path, validator
from evidence import OPERATOR
from tanzheng.core import cose
from tanzheng.core.errors import BadInput
from tanzheng.core.statements.envelope import CONTENT_TYPE, Envelope
from tanzheng.core.statements.key_event import to_be_possessed
from tanzheng.core.statements.kinds import KINDS, open_signed

names = pytest.mark.parametrize("name", SAMPLES)
WRONG: list[Any] = [..., None, True, -1, 1.5, "", "a b", b"", bytes(31), [], {}, [None], {"a": 1}]
"""In place of a field, or of an item within one; `...` leaves it out."""


def test_each_kind_has_a_schema_and_there_is_no_other() -> None:
    expected = {schema_path(kind) for kind in KINDS} | {FOLDER / "envelope.cddl"}
    assert set(FOLDER.iterdir()) == expected


@pytest.mark.parametrize("key", [OPERATOR, NEW], ids=["EdDSA", "ES256"])
@names
def test_signed_bytes_fit_the_schema(name: str, key: Any) -> None:
    stated = SAMPLES[name]
    raw = stated.sign(key).raw
    assert fits(stated.TYPE, raw)
    assert not any(fits(kind, raw) for kind in KINDS if kind != stated.TYPE)


def signed(stated: Envelope, payload: dict[str, Any]) -> bytes:
    claims = {15: {1: stated.issuer, 2: str(stated.subject)}}
    return cose.sign1(cbor2.dumps(payload, canonical=True), OPERATOR, CONTENT_TYPE, claims)


def mutants(value: Any) -> Iterator[Any]:
    """`value` with one field or item, at any depth, replaced by each wrong one, or one more."""
    if isinstance(value, dict):
        yield {**value, "note": ""}
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            replaced = [*WRONG, *mutants(value[key])]
            for wrong in replaced:
                copy = value.copy()
                copy[key] = wrong
                if wrong is ...:
                    del copy[key]
                if copy != value:
                    yield copy


@names
def test_what_the_schema_refuses_is_refused_by_the_reader(name: str) -> None:
    """And what the reader takes, the schema takes: a wrong value at every place of the payload."""
    stated = SAMPLES[name]
    refused = 0
    for payload in mutants(cbor2.loads(stated.encode())):
        raw = signed(stated, payload)
        in_form = fits(stated.TYPE, raw)
        refused += not in_form
        try:
            open_signed(raw)
        except BadInput:
            continue
        assert in_form, payload
    assert refused > 100


HEADERS: dict[str, dict[int, Any]] = {
    "another algorithm": {1: -35},
    "another content type": {3: "text/plain"},
    "a short key id": {4: bytes(15)},
    "no claims": {15: {}},
    "a further claim": {15: {1: "a", 2: "a/b/c/d", 3: "e"}},
    "a further label": {33: b""},
}


@pytest.mark.parametrize("flaw", HEADERS)
def test_another_header_does_not_fit(flaw: str) -> None:
    raw = cbor2.loads(SAMPLES["migration"].sign(OPERATOR).raw)
    protected = cbor2.dumps({**cbor2.loads(raw.value[0]), **HEADERS[flaw]})
    changed = cbor2.dumps(cbor2.CBORTag(18, [protected, *raw.value[1:]]))
    assert not fits("tanzheng.migration", changed)
    with pytest.raises(BadInput):
        open_signed(changed)


def test_what_a_new_key_signs_fits_the_schema() -> None:
    assert ROTATION.key is not None
    data = to_be_possessed("city-bureau", ROTATION.role, ROTATION.key)
    kind = validator("tanzheng.key_event")
    assert kind.validate(data, root_type="possessed").valid
    assert not kind.validate(data[:-1], root_type="possessed").valid
