"""Register bytes and values: exactness, round trips, word and byte order, sentinels, roll-over."""

import math
import struct
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.hardware.addresses import STRING, WORDS
from tanzheng.hardware.errors import ProfileError, ValueOutOfRange
from tanzheng.hardware.profile import PointSpec, RegisterAt
from tanzheng.hardware.registers import (
    counter_limit,
    data_of,
    decode_value,
    encode_value,
    no_value,
    raw_of,
    text_of,
    value_of,
)

INTEGERS = [name for name in WORDS if name[0] in "ui"]
SCALES = ["1", "0.1", "0.001", "1/3", "50", "1e-9"]
ORDERS = [("big", False), ("little", False), ("big", True), ("little", True)]
KEYS = {"order", "byte_swap", "bit", "words", "fc"}


def point(type_: str, scale: str = "1", **more: Any) -> PointSpec:
    address = {key: more.pop(key) for key in KEYS & set(more)}
    at = RegisterAt(0, type=type_, **address)
    return PointSpec(id="p", unit="1", at=at, scale=Fraction(scale), **more)


def limits(type_: str) -> tuple[int, int]:
    bits = 16 * WORDS[type_]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if type_[0] == "i" else (0, (1 << bits) - 1)


@given(
    data=st.data(),
    type_=st.sampled_from(INTEGERS),
    order=st.sampled_from(ORDERS),
    scale=st.sampled_from(SCALES),
)
def test_integers_come_back_exactly_rounded(
    data: st.DataObject, type_: str, order: tuple[str, bool], scale: str
) -> None:
    spec = point(type_, scale, order=order[0], byte_swap=order[1])
    raw = data.draw(st.integers(*limits(type_)))
    encoded = encode_value(spec, raw * spec.scale)
    assert raw_of(spec.register, encoded) == raw
    assert decode_value(spec, encoded) == float(raw * spec.scale)


@given(data=st.data(), type_=st.sampled_from(["f32", "f64"]), order=st.sampled_from(ORDERS))
def test_floats_come_back(data: st.DataObject, type_: str, order: tuple[str, bool]) -> None:
    doubles = st.floats(allow_nan=False, allow_infinity=False)
    singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
    value = data.draw(singles if type_ == "f32" else doubles)
    spec = point(type_, order=order[0], byte_swap=order[1])
    assert decode_value(spec, encode_value(spec, value)) == value


@given(
    data=st.data(),
    type_=st.sampled_from(["bcd16", "bcd32", "bcd48"]),
    order=st.sampled_from(ORDERS),
)
def test_bcd_comes_back(data: st.DataObject, type_: str, order: tuple[str, bool]) -> None:
    raw = data.draw(st.integers(0, 10 ** (4 * WORDS[type_]) - 1))
    spec = point(type_, order=order[0], byte_swap=order[1])
    assert raw_of(spec.register, data_of(spec.register, raw)) == raw


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8), st.booleans())
def test_text_comes_back(text: str, swap: bool) -> None:
    at = RegisterAt(0, type=STRING, words=4, byte_swap=swap)
    assert text_of(at, data_of(at, text)) == text


@given(st.integers(0, 15), st.booleans(), st.integers(0, 0xFFFF))
def test_a_bit_is_found_at_its_place(place: int, swap: bool, word: int) -> None:
    at = RegisterAt(0, type="bit", bit=place, byte_swap=swap)
    data = word.to_bytes(2, "little" if swap else "big")
    assert raw_of(at, data) == word >> place & 1
    assert raw_of(at, data_of(at, 1)) == 1


@pytest.mark.parametrize(
    ("order", "wire"),
    [*zip(ORDERS, ("01020304", "03040102", "02010403", "04030201"), strict=True)],
)
def test_the_four_orders(order: tuple[str, bool], wire: str) -> None:
    spec = point("u32", order=order[0], byte_swap=order[1])
    assert encode_value(spec, 0x01020304).hex() == wire
    letters = {1: "A", 2: "B", 3: "C", 4: "D"}
    assert spec.register.letters == "".join(letters[byte] for byte in bytes.fromhex(wire))


def test_suto_manual_float_in_little_order() -> None:
    """SUTO S430 manual §10: registers 0A11 42C5 are the float 42C50A11."""
    (expected,) = struct.unpack(">f", bytes.fromhex("42c50a11"))
    assert decode_value(point("f32", order="little"), bytes.fromhex("0a1142c5")) == expected


def test_low_word_first_of_64_bits() -> None:
    """Xylem MagFlux: cubic millimetres, least significant word first."""
    spec = point("u64", "1e-9", order="little")
    assert decode_value(spec, bytes.fromhex("e240 0001 0000 0001".replace(" ", ""))) == (
        (1 << 48 | 0x1E240) / 1e9
    )


def test_a_thousandth_is_not_a_float() -> None:
    """211,345,000.001 kWh: the nearest float64, which raw × 0.001 is not for every raw."""
    spec = point("i64", "0.001")
    for raw in (211_345_000_001, 259_558_906_253, 3):
        assert decode_value(spec, raw.to_bytes(8, "big")) == float(Fraction(raw, 1000))


@given(st.integers(-(1 << 63), (1 << 64) - 1), st.fractions(), st.fractions())
def test_an_integer_is_rounded_once(raw: int, factor: Fraction, shift: Fraction) -> None:
    assert value_of(raw, factor, shift) == float(raw * factor + shift)


def test_offset_comes_before_the_field_unit() -> None:
    kelvin = point("f32", offset=Fraction("-273.15"), to_field=Fraction(1))
    assert decode_value(kelvin, struct.pack(">f", 300.0)) == pytest.approx(26.85)
    tenths = point("u16", "0.1", offset=Fraction(-40), to_field=Fraction(1000))
    assert decode_value(tenths, b"\x02\x00") == 11_200.0
    assert encode_value(tenths, 11_200) == b"\x02\x00"


@pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf])
def test_no_number_is_no_value(raw: float) -> None:
    assert decode_value(point("f32"), struct.pack(">f", raw)) is None


def test_a_value_beyond_all_floats_is_no_value() -> None:
    assert decode_value(point("f64", "1e30"), struct.pack(">d", 1e300)) is None


def test_a_register_shows_the_nearest_of_its_steps() -> None:
    spec = point("u16", "0.1")
    for value, raw in ((Fraction("2.55"), 26), (Fraction("2.549"), 25), (Fraction("2.45"), 25)):
        assert encode_value(spec, value) == bytes([0, raw])


def test_sentinels_are_no_value() -> None:
    spec = point("u16", sentinels=frozenset({0xFFFF}))
    assert decode_value(spec, b"\xff\xff") is None
    assert decode_value(spec, b"\xff\xfe") == 0xFFFE
    assert no_value(spec) == b"\xff\xff"
    single = point("f32", sentinels=frozenset({-999, -999.9}))
    assert decode_value(single, struct.pack(">f", -999.0)) is None
    assert decode_value(single, struct.pack(">f", -999.9)) is None
    assert decode_value(single, struct.pack(">f", -999.5)) == -999.5


def test_bcd_without_digits_is_no_value() -> None:
    assert decode_value(point("bcd32"), bytes.fromhex("12345678")) == 12_345_678
    assert decode_value(point("bcd32"), bytes.fromhex("1234567a")) is None
    assert decode_value(point("bcd32"), no_value(point("bcd32"))) is None


def test_one_character_a_register_or_two() -> None:
    at = RegisterAt(0, type=STRING, words=4)
    assert text_of(at, b"\0S\0O\0C\0O") == text_of(at, b"SOCO\0\0\0\0") == "SOCO"
    assert text_of(RegisterAt(0, type="u32"), bytes(4)) == "0"


def test_counter_wraps_at_its_roll_over() -> None:
    spec = point("u32", "0.01", counter=True, rollover=Fraction(100_000_000))
    assert decode_value(spec, encode_value(spec, Fraction("1000000.25"))) == 0.25
    assert counter_limit(point("u32", counter=True)) == 2**32
    assert counter_limit(point("i64", counter=True)) == 2**63
    assert counter_limit(point("bcd32", counter=True)) == 10**8
    assert counter_limit(point("f32", counter=True)) is None
    wh = point("f64", "0.001", counter=True, rollover=Fraction(10**12))
    assert decode_value(wh, encode_value(wh, 10**9 + 5)) == 5.0


@pytest.mark.parametrize(
    ("type_", "value"),
    [("u16", 65_536), ("i16", -32_769), ("f32", 1e39), ("u48", 1 << 48), ("bcd16", 10_000)],
)
def test_a_register_that_cannot_hold_a_value_says_so(type_: str, value: float) -> None:
    with pytest.raises(ValueOutOfRange, match="point p: expected a value"):
        encode_value(point(type_), value)


def test_wrong_number_of_bytes_is_named() -> None:
    with pytest.raises(ValueOutOfRange, match="expected 4 bytes"):
        decode_value(point("u32"), b"\0\0")


@pytest.mark.parametrize(
    "address",
    [
        {"type": "bit"},
        {"type": "bit", "bit": 16},
        {"type": "u16", "bit": 1},
        {"type": "u16", "fc": 2},
        {"type": "bit", "fc": 1, "bit": 1},
        {"type": STRING},
        {"type": "u16", "fc": 5},
        {"type": "f16"},
        {"type": "u16", "order": "middle"},
    ],
)
def test_an_address_that_cannot_be_read_is_refused(address: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match="expected"):
        RegisterAt(0, **address)
    with pytest.raises(ProfileError, match="65535"):
        RegisterAt(0xFFFF, type="u32")
