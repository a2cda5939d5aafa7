"""DL/T 645-2007: the forms of values, and lines of captures."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dlt645_world import METER, one, raw
from tanzheng.edge.drivers.dlt645.errors import BadBcd, WrongLength
from tanzheng.edge.drivers.dlt645.report import read_frame, read_line
from tanzheng.edge.drivers.dlt645.values import Value, decode_values
from tanzheng.hardware.dlt645.codec import reply
from tanzheng.hardware.dlt645.identifiers import identifier


def values_of(di: str, data: str) -> tuple[Value, ...]:
    """`data` as a meter means it, high byte first."""
    meaning = identifier(di)
    assert meaning is not None
    return decode_values(meaning, bytes.fromhex(data)[::-1])


# Values


@pytest.mark.parametrize(
    ("di", "data", "text", "unit"),
    [
        ("00010000", "00000026", "0.26", "kWh"),
        ("00010000", "99999999", "999999.99", "kWh"),
        ("00010000", "80000000", "800000.00", "kWh"),  # no sign: the top bit is a digit
        ("00000000", "80000126", "-1.26", "kWh"),
        ("00030000", "00010026", "100.26", "kvarh"),
        ("00090000", "00000100", "1.00", "kVAh"),
        ("00150003", "00000100", "1.00", "kWh"),
        ("02010100", "2201", "220.1", "V"),
        ("02020100", "812345", "-12.345", "A"),
        ("02030000", "812345", "-1.2345", "kW"),
        ("02030000", "800000", "0.0000", "kW"),
        ("02040100", "001000", "0.1000", "kvar"),
        ("02060000", "8980", "-0.980", None),
        ("02070100", "3599", "359.9", "°"),
        ("02800001", "000500", "0.500", "A"),
        ("02800002", "4998", "49.98", "Hz"),
        ("02800003", "001234", "0.1234", "kW"),
        ("02800007", "8125", "-12.5", "°C"),
        ("04000306", "000400", "400", None),
        ("04000409", "006400", "6400", "imp/kWh"),
        ("04000401", "000000000161", "000000000161", None),
        ("04000101", "26112006", "2026-11-20 6", None),
        ("04000102", "235959", "23:59:59", None),
        ("04000501", "80A1", "80A1", None),
        ("04000404", "323230560000", "220V", None),
        ("05060001", "2611202359", "2026-11-20 23:59", None),
    ],
)
def test_forms(di: str, data: str, text: str, unit: str | None) -> None:
    (value,) = values_of(di, data)
    assert value.text == text
    meaning = identifier(di)
    assert meaning is not None
    assert meaning.unit == unit
    record = read_frame(
        one(reply(METER, 0x11, bytes.fromhex(di)[::-1] + bytes.fromhex(data)[::-1]))
    )
    assert record.to_json() == {
        "valid_checksum": True, "address": METER, "control": "91", "di": di,
        "value": text, "unit": unit,
    }  # fmt: skip


def test_demand_has_its_minute() -> None:
    (value,) = values_of("01010000", "2611201345" + "012345")
    assert (value.text, value.number, value.stamp) == (
        "1.2345", Decimal("1.2345"), "2026-11-20 13:45",
    )  # fmt: skip
    for none in ("0000000000", "FFFFFFFFFF"):
        assert values_of("01010000", none + "000000")[0].stamp is None


def test_blocks_have_as_many_values_as_the_meter_sends() -> None:
    values = values_of("0001FF00", "00000400000003000000020000000100" + "00001000")
    assert [value.text for value in values] == ["10.00", "1.00", "2.00", "3.00", "4.00"]
    phases = values_of("0201FF00", "FFFF" + "FFFF" + "2201")
    assert [value.text for value in phases] == ["220.1", None, None]
    assert len(values_of("05060101", "00000001" * 5)) == 5


@pytest.mark.parametrize(
    ("di", "data", "error"),
    [
        ("00010000", "0000002A", BadBcd),
        ("02030000", "8A2345", BadBcd),
        ("00010000", "000026", WrongLength),
        ("00010000", "0000000026", WrongLength),
        ("0001FF00", "0000000026", WrongLength),
        ("0001FF00", "", WrongLength),
        ("01010000", "0000000000", WrongLength),
        ("01010000", "2613201345012345", BadBcd),
        ("04000101", "26130001", BadBcd),
        ("04000102", "246000", BadBcd),
        ("04000404", "FF0000000001", BadBcd),
    ],
)
def test_what_is_no_value_is_named(di: str, data: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        values_of(di, data)


def test_identifiers_of_the_maker_have_no_value() -> None:
    assert identifier("028022FF") is None
    assert identifier("0001FFFF") is None
    record = read_frame(one(raw(0x91, bytes.fromhex("FF228002") + b"\x12\x34")))
    assert (record.di, record.value, record.unit, record.error) == ("028022FF", None, None, "")


def test_chinese_names_are_those_of_the_standard() -> None:
    names = {
        di: meaning.name_zh
        for di in ("00010000", "00010200", "00000005", "02010100", "02030000", "0202FF00")
        if (meaning := identifier(di))
    }
    assert names == {
        "00010000": "正向有功总电能", "00010200": "正向有功费率2电能",
        "00000005": "(上5结算日)组合有功总电能", "02010100": "A相电压",
        "02030000": "瞬时总有功功率", "0202FF00": "电流数据块",
    }  # fmt: skip


# Lines of captures


def test_lines_that_are_no_frames_say_so() -> None:
    nothing = {"address": None, "control": None, "di": None, "value": None, "unit": None}
    for line in ("zz", "68 6", "6", "68", "00" * 300, "é", "68 11 04 | 33"):
        report = read_line(line)
        assert report is not None
        (record,) = report.records
        shown = record.to_json()
        assert shown.pop("error")
        assert shown == {"valid_checksum": False} | nothing
    for line in ("", "   ", "# comment", "  # 68 11"):
        assert read_line(line) is None


def test_a_damaged_frame_shows_its_outline_and_no_value() -> None:
    report = read_line("6861010000000068910833333433593333338B16  # one too many")
    assert report is not None
    (record,) = report.records
    assert (record.valid_checksum, record.address, record.control) == (False, METER, "91")
    assert (record.di, record.value) == ("00010000", None)
    assert record.error.startswith("bad_checksum")


def test_old_edition_and_refusals_are_errors_of_a_valid_frame() -> None:
    for frame, reason in ((raw(0x81, b"\x10\x90"), "dlt645_1997"), (raw(0xD1, b"\x02"), "no_such")):
        record = read_frame(one(frame))
        assert record.valid_checksum
        assert record.error.startswith(reason)
        assert (record.di, record.value) == (None, None)


@given(st.text(max_size=200))
def test_any_line_makes_json(line: str) -> None:
    if (report := read_line(line)) is not None:
        assert report.records
        for record in report.records:
            assert json.loads(json.dumps(record.to_json()))["value"] is None
