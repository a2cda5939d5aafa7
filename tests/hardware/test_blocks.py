"""Requests that are planned from a profile, and what their replies say."""

import math
import struct
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.modbus_client import decoded
from tanzheng.core.quality import Quality
from tanzheng.hardware.addresses import WORDS
from tanzheng.hardware.blocks import Memory, ReadBlock, compile_block, plan_blocks
from tanzheng.hardware.errors import ValueOutOfRange
from tanzheng.hardware.loader import load_profile
from tanzheng.hardware.profile import PointSpec, Profile, RegisterAt, ScaleRegister, Validity
from tanzheng.hardware.registers import data_of, decode_value

ORDERS = [("big", False), ("little", False), ("big", True), ("little", True)]


def at(addr: int, type_: str = "f32", **more: Any) -> RegisterAt:
    return RegisterAt(addr, type=type_, **more)


def point(name: str, place: RegisterAt, **more: Any) -> PointSpec:
    return PointSpec(name, "1", place, **more)


def device(*points: PointSpec, **more: Any) -> Profile:
    return Profile("x", "v", ("m",), "k", "modbus", ("tcp",), "ours", points, **more)


def spans(profile: Profile, *names: str, **more: Any) -> list[tuple[int, int, int]]:
    points = [profile.point(name) for name in names] if names else profile.points
    return [(each.fc, each.addr, each.count) for each in plan_blocks(profile, points, **more)]


def test_a_hole_splits_a_read() -> None:
    profile = load_profile("schneider_iem3000")
    wanted = [profile.field_point(f) for f in ("active_power_kw", "active_energy_export_kwh")]
    assert [(each.addr, each.count) for each in plan_blocks(profile, wanted)] == [
        (3059, 2),
        (3207, 4),
    ]


def test_known_registers_and_bridges_are_spanned_and_no_others() -> None:
    a, b, c, d = (point(name, at(addr)) for name, addr in (("a", 0), ("b", 2), ("c", 6), ("d", 10)))
    assert spans(device(a, b, c, d), "a", "b", "c", "d") == [(3, 0, 4), (3, 6, 2), (3, 10, 2)]
    assert spans(device(a, b, c, d, bridges=((4, 5),)), "a", "c") == [(3, 0, 8)]
    bridged = device(a, b, c, d, bridges=((0, 11),), no_bridge=((8, 8),))
    assert spans(bridged) == [(3, 0, 8), (3, 10, 2)]
    assert spans(device(a, b, c, d, no_bridge=((2, 3),)), "a", "b") == [(3, 0, 4)]


def test_limits_of_a_read_are_kept() -> None:
    profile = device(*(point(f"p{n}", at(2 * n)) for n in range(100)), registers_per_read_max=80)
    assert spans(profile) == [(3, 0, 80), (3, 80, 80), (3, 160, 40)]
    assert spans(profile, registers_per_read_max=125)[0] == (3, 0, 80)
    assert spans(profile, registers_per_read_max=7)[0] == (3, 0, 6)
    bits = device(*(point(f"b{n}", at(n, "bit", fc=2)) for n in range(2001)))
    assert spans(bits) == [(2, 0, 2000), (2, 2000, 1)]


def test_halves_have_all_points_until_one_is_left() -> None:
    profile = device(*(point(f"p{n}", at(2 * n)) for n in range(5)))
    (block,) = plan_blocks(profile, profile.points)
    seen: list[str] = []
    queue = [block]
    while queue:
        part = queue.pop()
        halves = part.halves()
        queue += halves
        if not halves:
            assert (part.count, len(part.points)) == (2, 1)
            seen.append(part.points[0].id)
    assert sorted(seen) == [f"p{n}" for n in range(5)]


def test_what_points_need_is_read_first() -> None:
    profile = load_profile("sick_marsic300")
    blocks = plan_blocks(profile, [profile.field_point("co2_wet_percent")])
    assert [(each.fc, each.addr, each.count) for each in blocks] == [
        (2, 1000, 5),
        (2, 1024, 3),
        (4, 1002, 2),
    ]
    live = {1000: 0, 1001: 1, 1002: 0, 1003: 0, 1004: 1, 1024: 0, 1025: 0, 1026: 0}
    for changed, quality in (
        ({}, Quality.GOOD),
        ({1004: 0}, Quality.FAULT),
        ({1003: 1}, Quality.OVER_RANGE),
        ({1003: 1, 1002: 1}, Quality.MAINTENANCE),
        ({1026: 1, 1002: 1}, Quality.CALIBRATION),
    ):
        assert marsic(blocks, live | changed) == {"co2": (12.5, quality)}


def marsic(blocks: tuple[ReadBlock, ...], bits: dict[int, int]) -> dict[str, Any]:
    memory: Memory = {}
    for block in blocks[:2]:
        packed = sum(bits.get(block.addr + n, 0) << n for n in range(block.count))
        assert decoded(block, packed.to_bytes(1, "little"), memory) == {}
    return decoded(blocks[2], struct.pack(">f", 12.5), memory)


def test_without_its_status_a_value_is_worth_nothing() -> None:
    profile = load_profile("sick_marsic300")
    blocks = plan_blocks(profile, [profile.field_point("co2_wet_percent")])
    assert decoded(blocks[2], struct.pack(">f", 12.5)) == {"co2": None}


def test_status_bits_and_values_and_the_gravest_of_them() -> None:
    status = at(4, "u16")
    bits = Validity("s", bits={0: Quality.OVER_RANGE, 7: Quality.FAULT})
    values = Validity("s", values={9: Quality.MAINTENANCE})
    value = point("v", at(0), validity=(bits, values))
    profile = device(value, point("s", status), bridges=((2, 3),))
    (block,) = plan_blocks(profile, [value])
    for raw, quality in ((0, 0), (1, 6), (0x81, 5), (2, 0), (9, 3)):
        data = struct.pack(">f2xxxH", 1.5, raw)
        assert decoded(block, data) == {"v": (1.5, quality)}, raw


def test_scale_held_in_a_register() -> None:
    profile = load_profile("sick_flowsic500")
    (block,) = plan_blocks(profile, [profile.field_point("gas_volume_nm3")])
    assert (block.addr, block.count) == (4101, 7)
    count = (719_043_314).to_bytes(4, "big")
    for exponent, value in ((b"\xff\xff", 71_904_331.4), (b"\x00\x00", 719_043_314.0)):
        assert decoded(block, exponent + bytes(8) + count) == {"counter_vb": (value, 0)}
    assert decoded(block, b"\x00\x63" + bytes(12)) == {"counter_vb": None}


def test_scale_register_far_from_its_point() -> None:
    profile = load_profile("schneider_ion6200")
    scale, value = plan_blocks(profile, [profile.field_point("voltage_l1n_v")])
    assert (scale.addr, scale.count, value.addr) == (4011, 1, 99)
    memory: Memory = {}
    assert decoded(value, b"\x09\x02", memory) == {"voltage_l1n": None}
    for code, volts in ((2, 230.6), (3, 2306.0), (6, 2_306_000.0), (7, None)):
        decoded(scale, code.to_bytes(2, "big"), memory)
        wanted = None if volts is None else (volts, 0)
        assert decoded(value, b"\x09\x02", memory) == {"voltage_l1n": wanted}


def test_ratios_from_registers() -> None:
    profile = load_profile("acrel_dtsd1352_adl3000")
    ratios, energy = plan_blocks(profile, [profile.field_point("active_energy_import_kwh")])
    assert (ratios.addr, ratios.count) == (141, 2)
    memory: Memory = {}
    for pt, ct, value in ((1, 1, 123.45), (100, 40, 493_800.0), (0, 40, None)):
        decoded(ratios, struct.pack(">HH", pt, ct), memory)
        wanted = None if value is None else (value, 0)
        assert decoded(energy, struct.pack(">I", 12345), memory) == {"active_energy_import": wanted}


def test_ratios_from_the_link() -> None:
    profile = load_profile("generic_meter_modbus")
    (block,) = plan_blocks(profile, [profile.field_point("active_power_kw")])
    given_ratios = {"ct": Fraction(400), "pt": Fraction(100)}
    assert [*compile_block(block, given_ratios).decode(struct.pack(">f", 0.25)).values] == [
        10_000.0
    ]
    assert [*compile_block(block).decode(struct.pack(">f", 0.25)).values] == [0.25]


def test_outside_its_expected_range_a_value_is_marked_and_kept() -> None:
    percent = point("p", at(0), expected=(Fraction(0), Fraction(25)), to_field=Fraction(1, 100))
    (block,) = plan_blocks(device(percent), [percent])
    for raw, value, quality in ((20.5, 0.205, 0), (25.0, 0.25, 0), (99.0, 0.99, 6), (-1, -0.01, 6)):
        assert decoded(block, struct.pack(">f", raw)) == {"p": (value, quality)}


def test_one_bad_value_takes_no_other_with_it() -> None:
    points = [point(f"p{n}", at(2 * n)) for n in range(4)]
    (block,) = plan_blocks(device(*points), points)
    data = struct.pack(">4f", 1.0, math.nan, math.inf, 4.0)
    assert decoded(block, data) == {"p0": (1.0, 0), "p1": None, "p2": None, "p3": (4.0, 0)}


def test_sentinels_of_one_point_are_values_of_another() -> None:
    a = point("a", at(0, "u16"), sentinels=frozenset({7}))
    b = point("b", at(1, "u16"))
    (block,) = plan_blocks(device(a, b), [a, b])
    assert decoded(block, b"\0\x07\0\x07") == {"a": None, "b": (7.0, 0)}
    assert decoded(block, b"\0\x08\0\x07") == {"a": (8.0, 0), "b": (7.0, 0)}


def test_a_text_is_no_number_and_bits_share_a_register() -> None:
    low, high = point("low", at(0, "bit", bit=0)), point("high", at(0, "bit", bit=15))
    text = point("text", at(1, "string", words=2))
    (block,) = plan_blocks(device(low, high, text), [low, high, text])
    assert decoded(block, b"\x80\x00SOCO") == {"low": (0.0, 0), "high": (1.0, 0), "text": None}


@pytest.mark.parametrize("size", [0, 3, 5, 8])
def test_a_reply_of_another_length_is_named(size: int) -> None:
    profile = device(point("p", at(0)))
    (block,) = plan_blocks(profile, profile.points)
    with pytest.raises(ValueOutOfRange, match=r"expected 4 bytes, got \d, at fc 3 address 0\+2"):
        compile_block(block).decode(bytes(size))


@given(data=st.data(), order=st.sampled_from(ORDERS))
def test_as_a_whole_and_point_by_point_say_the_same(
    data: st.DataObject, order: tuple[str, bool]
) -> None:
    """The fast way through a block against `decode_value` of each point, any bytes."""
    types = data.draw(st.lists(st.sampled_from(sorted(set(WORDS) - {"bit"})), min_size=1))
    scales = st.sampled_from([Fraction(1), Fraction(1, 1000), Fraction(10), Fraction(1, 3)])
    points, addr = [], 0
    for number, type_ in enumerate(types):
        place = at(addr, type_, order=order[0], byte_swap=order[1])
        sentinels = data.draw(st.frozensets(st.sampled_from([0, 1, 0xFFFF, -999]), max_size=2))
        points.append(point(f"p{number}", place, scale=data.draw(scales), sentinels=sentinels))
        addr = place.end + data.draw(st.integers(0, 1))
    profile = device(*points, bridges=((0, addr),))
    for block in plan_blocks(profile, points):
        reply = data.draw(st.binary(min_size=2 * block.count, max_size=2 * block.count))
        for name, reading in decoded(block, reply).items():
            spec = profile.point(name)
            first = 2 * (spec.register.addr - block.addr)
            own = reply[first : first + 2 * spec.register.words]
            assert (None if reading is None else reading[0]) == decode_value(spec, own), name


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=2, max_size=2))
def test_any_scale_register_and_status_give_a_value_or_none(value: bytes, raw: bytes) -> None:
    register = ScaleRegister(at(2, "i16"), {1: Fraction(1, 3)})
    spec = point("v", at(0), scale_register=register, validity=(Validity("s", {0: Quality.FAULT}),))
    profile = device(spec, point("s", at(2, "u16")))
    blocks = plan_blocks(profile, [spec])
    assert len(blocks) == 1
    for reading in decoded(blocks[0], value + raw).values():
        assert reading is None or math.isfinite(reading[0])


def test_bits_of_any_place_in_a_read() -> None:
    points = [point(f"b{n}", at(100 + n, "bit", fc=1)) for n in range(11)]
    (block,) = plan_blocks(device(*points), points)
    wanted = {f"b{n}": (float(n % 3 == 0), 0) for n in range(11)}
    packed = sum((n % 3 == 0) << n for n in range(11))
    assert decoded(block, packed.to_bytes(2, "little")) == wanted
    assert data_of(at(0, "bit", fc=1), 1) == b"\x01"


def test_a_ratio_that_became_unknown_is_not_the_last_one() -> None:
    energy = point("e", at(0, "u32"), times=("ct",))
    profile = device(energy, ratios={"ct": at(40)})
    ratio, block = plan_blocks(profile, [energy])
    memory: Memory = {}
    for shown, value in ((5.0, (15.0, 0)), (math.nan, None), (-1.0, None), (2.0, (6.0, 0))):
        decoded(ratio, struct.pack(">f", shown), memory)
        assert decoded(block, b"\0\0\0\3", memory) == {"e": value}
