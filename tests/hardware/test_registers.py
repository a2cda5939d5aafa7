"""Register bytes and values: exactness, round trips, word order, sentinels, roll-over."""

import math
import struct
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.hardware.blocks import decode_block, plan_blocks
from tanzheng.hardware.errors import ValueOutOfRange
from tanzheng.hardware.loader import load_profile
from tanzheng.hardware.profile import WORDS, PointSpec
from tanzheng.hardware.registers import counter_limit, decode_value, encode_value, no_value

INTEGERS = [name for name in WORDS if not name.startswith("f")]


def point(type_: str, order: str = "big", scale: str = "1", **more: Any) -> PointSpec:
    return PointSpec(
        id="p", addr=0, fc=3, type=type_, order=order, scale=Fraction(scale), unit="1", **more
    )


def limits(type_: str) -> tuple[int, int]:
    bits = 16 * WORDS[type_]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if type_[0] == "i" else (0, (1 << bits) - 1)


@given(
    data=st.data(),
    type_=st.sampled_from(INTEGERS),
    order=st.sampled_from(["big", "little"]),
    scale=st.sampled_from(["1", "0.1", "0.001", "1/3", "50"]),
)
def test_integers_come_back_exactly_rounded(
    data: st.DataObject, type_: str, order: str, scale: str
) -> None:
    spec = point(type_, order, scale)
    raw = data.draw(st.integers(*limits(type_)))
    encoded = encode_value(spec, raw * spec.scale)
    assert decode_value(spec, encoded) == float(raw * spec.scale)


@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(["big", "little"])
)
def test_floats_come_back(value: float, order: str) -> None:
    spec = point("f32", order)
    assert decode_value(spec, encode_value(spec, value)) == value


def test_word_order_moves_words_and_not_bytes() -> None:
    assert encode_value(point("u32"), 0x01020304) == bytes([1, 2, 3, 4])
    assert encode_value(point("u32", "little"), 0x01020304) == bytes([3, 4, 1, 2])


def test_suto_manual_float_in_little_order() -> None:
    """SUTO S430 manual §10: registers 0A11 42C5 are the float 42C50A11."""
    (expected,) = struct.unpack(">f", bytes.fromhex("42c50a11"))
    assert decode_value(point("f32", "little"), bytes.fromhex("0a1142c5")) == expected


def test_a_thousandth_is_not_a_float() -> None:
    """211,345,000.001 kWh: the nearest float64, which raw × 0.001 is not for every raw."""
    spec = point("i64", scale="0.001")
    for raw in (211_345_000_001, 259_558_906_253, 3):
        assert decode_value(spec, raw.to_bytes(8, "big")) == float(Fraction(raw, 1000))


@pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf])
def test_no_number_is_no_value(raw: float) -> None:
    assert decode_value(point("f32"), struct.pack(">f", raw)) is None


def test_sentinel_is_no_value() -> None:
    spec = point("u16", sentinels=frozenset({0xFFFF}))
    assert decode_value(spec, b"\xff\xff") is None
    assert decode_value(spec, b"\xff\xfe") == 0xFFFE
    assert no_value(spec) == b"\xff\xff"


def test_counter_wraps_at_its_roll_over() -> None:
    spec = point("u32", scale="0.01", counter=True, rollover=100_000_000)
    assert decode_value(spec, encode_value(spec, Fraction("1000000.25"))) == 0.25
    assert counter_limit(point("u32", counter=True)) == 2**32
    assert counter_limit(point("i64", counter=True)) == 2**63


@pytest.mark.parametrize(("type_", "value"), [("u16", 65_536), ("i16", -32_769), ("f32", 1e39)])
def test_a_register_that_cannot_hold_a_value_says_so(type_: str, value: float) -> None:
    with pytest.raises(ValueOutOfRange, match="expected a value"):
        encode_value(point(type_), value)


def test_wrong_number_of_bytes_is_named() -> None:
    with pytest.raises(ValueOutOfRange, match="expected 4 bytes"):
        decode_value(point("u32"), b"\0\0")


def test_scale_held_in_a_register() -> None:
    profile = load_profile("sick_flowsic500")
    (block,) = plan_blocks(profile, [profile.field_point("gas_volume_nm3")])
    assert (block.addr, block.count) == (4101, 7)
    count = (719_043_314).to_bytes(4, "big")
    for exponent, value in ((b"\xff\xff", 71_904_331.4), (b"\x00\x00", 719_043_314.0)):
        assert decode_block(block, exponent + bytes(8) + count) == (value,)


def test_unknown_scale_code_gives_no_value() -> None:
    profile = load_profile("sick_flowsic500")
    (block,) = plan_blocks(profile, [profile.field_point("gas_volume_nm3")])
    assert decode_block(block, b"\x00\x63" + bytes(12)) == (None,)
