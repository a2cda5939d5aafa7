"""Strict CBOR, canonical JSON and COSE: one meaning, one encoding, one signature."""

import json
import subprocess
import sys
from contextlib import nullcontext

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanzheng.core import canonical_json, cbor, closed, cose
from tanzheng.core.errors import BadInput, EncodingError, SignatureInvalid
from tanzheng.core.keys import SigningKey, VerifyKey

KEY = SigningKey.from_seed(bytes(range(32)))
TYPE = "application/x-test"

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
cbor_values = json_values | st.binary(max_size=20) | st.floats(allow_nan=False)


@given(cbor_values)
def test_cbor_round_trip(value: object) -> None:
    assert cbor.loads(cbor.dumps(value)) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_cbor_or_a_named_error(data: bytes) -> None:
    try:
        value = cbor.loads(data)
    except EncodingError:
        return
    assert cbor.dumps(value) == data


tagged = st.recursive(
    cbor_values | st.binary(min_size=250, max_size=300),
    lambda inner: (
        st.builds(cbor.Tag, st.integers(40, 2**64 - 1), inner)
        | st.lists(inner, max_size=20)
        | st.dictionaries(st.text(max_size=3) | st.integers(-300, 300), inner, max_size=20)
    ),
    max_leaves=30,
)


@settings(max_examples=300)
@given(tagged, st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=2)), max_size=2))
def test_deterministic_is_what_encodes_to_the_same_bytes(
    value: object, changes: list[tuple[int, bytes]]
) -> None:
    """Found in place, without encoding it all again."""
    data = cbor.dumps(value)
    for at, piece in changes:
        data = data[:at] + piece + data[at + 1 :]
    try:
        read = cbor2.loads(data, object_hook=cbor._keys_checked)
        deterministic = cbor2.dumps(read, canonical=True) == data
    except Exception:  # noqa: BLE001 – the decoder raises nearly anything
        deterministic = False
    with nullcontext() if deterministic else pytest.raises(EncodingError):
        cbor.loads(data)


@pytest.mark.parametrize(
    ("flaw", "data"),
    [
        ("duplicate key", "a2616101616102"),
        ("unsorted keys", "a2616201616101"),
        ("non-minimal integer", "1801"),
        ("trailing byte", "0100"),
        ("indefinite length", "9f01ff"),
        ("long float", "fb3ff8000000000000"),
        ("truncated", "a26161"),
        ("deep nesting", "81" * 5000),
        ("endless length", "9b0000ffffffffffff"),
        ("a float for a key", "a1f93c0001"),
        ("true for a key", "a1f501"),
        ("a float for a key inside a tag", "d281a1f95e2801"),
    ],
)
def test_cbor_refuses(flaw: str, data: str) -> None:
    with pytest.raises(EncodingError, match=r"thing: expected (deterministic|the)"):
        cbor.loads(bytes.fromhex(data), "thing")


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 65_535, 65_536, 70_000])
def test_a_byte_string_joined_is_a_byte_string_encoded(size: int) -> None:
    assert cbor.bytes_head(size) + bytes(size) == cbor2.dumps(bytes(size), canonical=True)


@given(st.binary(max_size=300), st.booleans())
def test_cose_joined_is_cose_encoded(payload: bytes, detached: bool) -> None:
    key = SigningKey.from_seed(bytes(32))
    raw = cose.sign1(payload, key, "text/plain", detached=detached)
    protected, unprotected, carried, signature = cbor2.loads(raw).value
    assert carried == (None if detached else payload)
    parts = cbor2.CBORTag(18, [protected, unprotected, carried, signature])
    assert raw == cbor2.dumps(parts, canonical=True)
    signed = cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)
    key.public.verify(signature, signed)


def test_cbor_bounds_size_before_decoding() -> None:
    with pytest.raises(EncodingError, match="at most 3 bytes, got 4"):
        cbor.loads(b"\x43abc", "thing", bytes_max=3)


def test_a_closed_record_names_the_wrong_keys() -> None:
    keys = frozenset({"a", "b"})
    assert closed.record({"a": 1, "b": 2}, keys, "m") == {"a": 1, "b": 2}
    with pytest.raises(EncodingError, match=r"missing \['b'\]"):
        closed.record({"a": 1}, keys, "m")
    with pytest.raises(EncodingError, match=r"unknown \['c'\]"):
        closed.record({"a": 1, "b": 2, "c": 3}, keys, "m")
    with pytest.raises(EncodingError, match="expected a map, got list"):
        closed.record([], keys, "m")


def test_a_bool_is_no_number() -> None:
    with pytest.raises(EncodingError, match="expected int, got bool"):
        closed.typed(True, int, "n")


@given(json_values)
def test_json_round_trip_is_readable_json(value: object) -> None:
    data = canonical_json.dumps(value)
    assert canonical_json.loads(data) == value == json.loads(data)


def test_json_example_of_rfc_8785_sorting() -> None:
    keys = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    order = list(json.loads(canonical_json.dumps(keys)).values())
    assert order == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize(
    ("flaw", "data"),
    [
        ("duplicate key", b'{"a":1,"a":2}'),
        ("unsorted", b'{"b":1,"a":2}'),
        ("white space", b'{"a": 1}'),
        ("float", b'{"a":1.5}'),
        ("overflow", b"1E400"),
        ("constant", b"NaN"),
        ("large integer", b"9007199254740993"),
        ("needless escape", b'"\\u0041"'),
        ("not UTF-8", b'"\xff"'),
        ("deep nesting", b"[" * 100_000),
        ("deep nesting that closes", b"[" * 65 + b"]" * 65),
        ("deep nesting after a string of brackets", b'["[[[",' + b"[" * 100_000),
        ("deep nesting behind an open string", b"[" * 100_000 + b'"'),
        ("lone surrogate", b'"\\ud800"'),
    ],
)
def test_json_refuses(flaw: str, data: bytes) -> None:
    with pytest.raises(EncodingError):
        canonical_json.loads(data)


def test_json_refuses_floats_when_writing() -> None:
    with pytest.raises(EncodingError, match="got float"):
        canonical_json.dumps({"a": 1.0})


def test_sign_and_verify() -> None:
    raw = cose.sign1(b"body", KEY, TYPE)
    message = cose.decode1(raw, TYPE)
    message.verify(KEY.public)
    assert (message.payload, message.kid, message.content_type) == (b"body", KEY.public.kid, TYPE)


def test_every_flipped_bit_of_a_signed_message_is_refused() -> None:
    raw = cose.sign1(b"body", KEY, TYPE)
    for index in range(len(raw) * 8):
        damaged = bytearray(raw)
        damaged[index // 8] ^= 1 << index % 8
        with pytest.raises((EncodingError, SignatureInvalid)):
            cose.decode1(bytes(damaged), TYPE).verify(KEY.public)


def test_another_key_is_named() -> None:
    other = SigningKey.from_seed(bytes(32)).public
    message = cose.decode1(cose.sign1(b"body", KEY, TYPE), TYPE)
    with pytest.raises(SignatureInvalid, match=other.kid.hex()):
        message.verify(other)


def test_a_signature_for_one_kind_is_none_for_another() -> None:
    with pytest.raises(EncodingError, match="content type"):
        cose.decode1(cose.sign1(b"body", KEY, TYPE), "application/other")


def test_unprotected_header_must_be_empty() -> None:
    raw = cose.sign1(b"body", KEY, TYPE, unprotected={99: 1})
    with pytest.raises(EncodingError, match="empty unprotected"):
        cose.decode1(raw, TYPE)
    assert cose.decode1(raw, TYPE, unprotected_allowed=True).unprotected == {99: 1}


def test_detached_payload() -> None:
    raw = cose.sign1(b"body", KEY, TYPE, detached=True)
    cose.decode1(raw, TYPE, detached_payload=b"body").verify(KEY.public)
    with pytest.raises(SignatureInvalid):
        cose.decode1(raw, TYPE, detached_payload=b"bodY").verify(KEY.public)
    with pytest.raises(EncodingError):
        cose.decode1(raw, TYPE)
    with pytest.raises(EncodingError, match="got one inside"):
        cose.decode1(cose.sign1(b"body", KEY, TYPE), TYPE, detached_payload=b"body")


def test_cose_structure_agrees_with_the_rfc() -> None:
    tag = cbor2.loads(cose.sign1(b"body", KEY, TYPE))
    protected, unprotected, payload, signature = tag.value
    assert (tag.tag, payload, dict(unprotected)) == (18, b"body", {})
    assert cbor2.loads(protected) == {1: -8, 3: TYPE, 4: KEY.public.kid}
    KEY.public.verify(signature, cbor2.dumps(["Signature1", protected, b"", b"body"]))


def test_keys_survive_pem_and_hide_themselves() -> None:
    again = SigningKey.from_pem(KEY.to_pem())
    assert again.public == KEY.public == VerifyKey.from_pem(KEY.public.to_pem())
    assert KEY.public.kid.hex() in repr(KEY)
    assert KEY.to_pem().decode() not in repr(KEY)


@pytest.mark.parametrize("pem", [b"", b"garbage", KEY.public.to_pem()])
def test_bad_private_key_is_named_but_not_quoted(pem: bytes) -> None:
    with pytest.raises(BadInput, match=r"gw\.pem: expected an unencrypted PEM private key$"):
        SigningKey.from_pem(pem, "gw.pem")


def test_bad_public_key_is_named() -> None:
    with pytest.raises(BadInput, match=r"gw\.pub: expected a PEM public key"):
        VerifyKey.from_pem(b"garbage", "gw.pub")


def test_brackets_in_strings_are_no_depth() -> None:
    value = ["[{" * 100, '"[' * 100, "\\[" * 100]
    assert canonical_json.loads(canonical_json.dumps(value)) == value
    assert canonical_json.loads(b"[" * 64 + b"]" * 64)


def test_deep_text_is_refused_where_a_library_has_raised_the_recursion_limit() -> None:
    program = (
        "import sys; sys.setrecursionlimit(10**6)\n"
        "from tanzheng.core import strict_json\n"
        "from tanzheng.core.errors import EncodingError\n"
        "try: strict_json.loads(b'[' * 10**6)\n"
        "except EncodingError: sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 7
