"""Accounting: worked examples to the last digit, rounding, packs."""

import hashlib
from decimal import Decimal
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanzheng.analytics.accounting.combustion import gas_co2
from tanzheng.analytics.accounting.pack import Pack, load_pack
from tanzheng.analytics.accounting.packfile import parse_pack
from tanzheng.analytics.accounting.rounding import exact, ratio, rounded
from tanzheng.analytics.errors import PackInvalid

PACK = load_pack()
fuels = st.decimals(0, 10**6, places=4, allow_nan=False)


@pytest.mark.parametrize(
    ("fuel", "co2"),
    [
        # C_ar = 389.31 × 0.01532 = 5.9642292 → 5.9642;  5.9642 × 0.99 × 44/12 = 21.650046
        ("3356.88", "72676.61"),  # 3356.88 × 21.650046 = 72676.6064…
        ("1", "21.65"),
        ("0.005", "0.22"),  # fuel first: 0.01
        ("0.0049", "0.00"),
        ("0", "0.00"),
    ],
)
def test_worked_examples(fuel: str, co2: str) -> None:
    assert gas_co2(Decimal(fuel), PACK).value == Decimal(co2)


def test_the_tree_explains_the_figure() -> None:
    node = gas_co2(Decimal("3356.8812"), PACK)
    assert node.find("fuel_1e4nm3").value == Decimal("3356.88")
    assert node.find("fuel_carbon_tc_per_1e4nm3").value == Decimal("5.9642")
    leaves = [item for item in node.walk() if item.source]
    assert len(leaves) == 5
    shown = node.to_json()
    assert shown["value"] == "72676.61"
    assert shown["formula"] == "FC × C × OF/100 × 44/12"
    with pytest.raises(KeyError):
        node.find("steam")


@settings(deadline=None)
@given(fuels, fuels)
def test_more_fuel_never_means_less_co2(a: Decimal, b: Decimal) -> None:
    low, high = sorted((a, b))
    assert 0 <= gas_co2(low, PACK).value <= gas_co2(high, PACK).value


@settings(deadline=None)
@given(fuels)
def test_rounding_is_stable(fuel: Decimal) -> None:
    assert gas_co2(rounded(fuel, 2), PACK) == gas_co2(fuel, PACK)


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [("0.125", 2, "0.13"), ("0.135", 2, "0.14"), ("-0.125", 2, "-0.13"), ("2.5", 0, "3")],
)
def test_half_goes_up(value: str, decimals: int, expected: str) -> None:
    assert rounded(Decimal(value), decimals) == Decimal(expected)


@settings(deadline=None)
@given(st.integers(-(10**20), 10**20), st.integers(1, 10**15), st.integers(0, 6))
def test_a_ratio_is_off_by_at_most_half_a_unit(top: int, bottom: int, decimals: int) -> None:
    value = ratio(top, bottom, decimals)
    assert abs(int(value.scaleb(decimals)) * bottom - top * 10**decimals) * 2 <= bottom


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_exact_reads_back(value: float) -> None:
    assert float(exact(value)) == value


def test_the_digest_is_over_the_raw_file() -> None:
    file = resources.files("tanzheng.analytics") / "packs" / "cets_power/2023-2024.toml"
    raw = file.read_bytes()
    assert PACK.sha256 == hashlib.sha256(raw).digest()
    assert parse_pack(raw + b"# one more byte\n").sha256 != PACK.sha256


def test_each_constant_names_its_source() -> None:
    for name, node in ((name, item.node) for name, v in PACK.values.items() for item in v):
        assert node.source is not None, name
        assert node.source.document
        assert node.source.section
        assert node.source.confidence
        assert node.unit


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\xff", "expected TOML"),
        (b"name = ", "expected TOML"),
        (b'name = "x"', "expected the key 'document'"),
    ],
)
def test_a_damaged_pack_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(PackInvalid, match=message):
        parse_pack(raw)


def test_unknown_names_are_refused() -> None:
    for action in (
        lambda: load_pack("nowhere"),
        lambda: PACK.constant("coal"),
        lambda: PACK.decimals("coal"),
    ):
        with pytest.raises(PackInvalid):
            action()


def test_a_constant_that_is_no_number_is_refused() -> None:
    file = resources.files("tanzheng.analytics") / "packs" / "cets_power/2023-2024.toml"
    with pytest.raises(PackInvalid, match="decimal string"):
        parse_pack(file.read_bytes().replace(b'value = "83.74"', b'value = "much"'))
    assert isinstance(PACK, Pack)
