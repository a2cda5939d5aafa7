"""DL/T 645-2007: published frames, any bytes, and that nothing but reads can be asked."""

import ast
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.fuzz_dlt645 import TestOneInput
from parts import REPOSITORY
from tanzheng.core.errors import BadInput
from tanzheng.edge.drivers.dlt645.codec import (
    Damage,
    Frame,
    Parser,
    Read,
    ReadAddress,
    ReadData,
    ReadFollowing,
    Request,
    answer,
    outgoing,
    reads_only,
)
from tanzheng.edge.drivers.dlt645.errors import (
    BadBcd,
    BadChecksum,
    BadEnd,
    CutFrame,
    MeterRefused,
    OldEdition,
    WriteRefused,
    WrongLength,
    WrongReply,
)
from tanzheng.edge.drivers.dlt645.report import read_frame, read_line
from tanzheng.edge.drivers.dlt645.values import Value, decode_values
from tanzheng.hardware.dlt645.codec import checksum, next_request, reply, shifted
from tanzheng.hardware.dlt645.identifiers import identifier

DRIVER = REPOSITORY / "edge-agent/src/tanzheng/edge/drivers/dlt645"
PUBLISHED = [
    bytes.fromhex(line)
    for line in (DRIVER / "cases/published_frames/capture.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
METER = "000000000161"


def raw(control: int, data: bytes = b"", address: str = METER) -> bytes:
    """Any frame whatever, which the packages cannot make."""
    head = bytes([0x68, *bytes.fromhex(address)[::-1], 0x68, control, len(data)]) + shifted(data)
    return head + bytes([checksum(head), 0x16])


def parsed(data: bytes) -> list[Frame | Damage]:
    parser = Parser()
    return [*parser.feed(data), *parser.finish()]


def one(data: bytes) -> Frame:
    (frame,) = parsed(data)
    assert isinstance(frame, Frame)
    return frame


def values_of(di: str, data: str) -> tuple[Value, ...]:
    """`data` as a meter means it, high byte first."""
    meaning = identifier(di)
    assert meaning is not None
    return decode_values(meaning, bytes.fromhex(data)[::-1])


def test_the_shared_samples_are_all_here() -> None:
    assert len(PUBLISHED) == 12


@pytest.mark.parametrize("data", PUBLISHED, ids=lambda data: data.hex())
def test_published_frames_split_at_every_byte(data: bytes) -> None:
    expected = one(data)
    for at in range(len(data) + 1):
        parser = Parser()
        assert [*parser.feed(data[:at]), *parser.feed(data[at:])] == [expected]
        assert (parser.held, parser.noise) == (0, 0)


def test_published_frames_glued_in_pairs() -> None:
    for first in PUBLISHED:
        for second in PUBLISHED:
            assert parsed(first + second) == [one(first), one(second)]


@pytest.mark.parametrize("data", PUBLISHED, ids=lambda data: data.hex())
def test_each_damaged_byte_is_seen(data: bytes) -> None:
    for at in range(data.index(0x68), len(data)):
        bad = data[:at] + bytes([data[at] ^ 0x04]) + data[at + 1 :]
        assert not any(isinstance(item, Frame) for item in parsed(bad))
        # … and the frame behind it is not lost
        assert [item for item in parsed(bad + data) if isinstance(item, Frame)] == [one(data)]


frames = st.builds(
    raw,
    st.sampled_from([0x11, 0x91, 0xB1, 0xD1, 0x12, 0x92, 0x93, 0x81]),
    st.binary(max_size=200),
    st.from_regex(r"[0-9]{12}", fullmatch=True),
)
noise = st.binary(max_size=30).map(lambda data: data.replace(b"\x68", b"\xfe"))


@given(st.lists(st.tuples(noise, frames), max_size=5), noise, st.data())
def test_frames_in_noise_cut_anyhow(
    parts: list[tuple[bytes, bytes]], end: bytes, data: st.DataObject
) -> None:
    stream = b"".join(before + frame for before, frame in parts) + end
    parser, found = Parser(), list[Frame | Damage]()
    rest = stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += parser.feed(rest[:size])
        rest = rest[size:]
    assert found == [one(frame) for _, frame in parts]
    noises = [before for before, _ in parts] + [end]
    assert parser.noise == sum(len(item) - item.count(0xFE) for item in noises)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=600), st.lists(st.one_of(frames, noise)).map(b"".join)))
def test_any_bytes_are_frames_or_named(data: bytes) -> None:
    TestOneInput(data)


def test_what_is_held_is_bounded() -> None:
    parser = Parser()
    for _ in range(100):
        parser.feed(b"\x68" * 997)
        assert parser.held <= 212


def test_a_false_start_holds_a_frame_back_only_until_the_end() -> None:
    false = bytes.fromhex("68 01 02 03 04 05 06 68 91 C8")
    parser = Parser()
    assert parser.feed(false + PUBLISHED[1]) == []
    found = parser.finish()
    assert isinstance(found[0], Damage)
    assert isinstance(found[0].error, CutFrame)
    assert found[1:] == [one(PUBLISHED[1])]


def test_damage_is_named() -> None:
    good = PUBLISHED[1]
    (end,) = parsed(good[:-1] + b"\x17")
    (wrong,) = parsed(good[:-2] + b"\x00\x16")
    assert isinstance(end, Damage)
    assert isinstance(end.error, BadEnd)
    assert isinstance(wrong, Damage)
    assert isinstance(wrong.error, BadChecksum)
    assert parsed(good[:9] + b"\xc9" + bytes(220)) == []  # longer than any frame


# Nothing but reads


addresses = st.from_regex(r"(?:[0-9]{2}|AA){6}", fullmatch=True)
identifiers = st.from_regex(r"[0-9A-F]{8}", fullmatch=True)
requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(ReadData, addresses, identifiers),
    st.builds(ReadFollowing, addresses, identifiers, st.integers(1, 255)),
    st.just(ReadAddress()),
)


@given(requests, st.integers(0, 16))
def test_whatever_is_asked_is_a_read(request: Request, wake_bytes: int) -> None:
    data = outgoing(request, wake_bytes)
    frame = one(data)
    assert frame.control in {0x11, 0x12, 0x13}
    assert data == b"\xfe" * wake_bytes + raw(frame.control, frame.data, frame.address)
    heard = next_request(bytearray(data))  # the meter's own reader agrees
    assert heard is not None
    assert (heard.address, heard.function, heard.data) == (
        frame.address, frame.control, frame.data,
    )  # fmt: skip


@given(st.text(), st.text(), st.integers())
def test_hostile_settings_make_no_frame(address: str, di: str, number: int) -> None:
    for request in (ReadData(address, di), ReadFollowing(address, di, number)):
        try:
            data = outgoing(request)
        except BadInput:
            continue
        assert one(data).control in {0x11, 0x12}


@pytest.mark.parametrize("control", sorted(set(range(256)) - {0x11, 0x12, 0x13}))
def test_no_other_control_code_leaves(control: int) -> None:
    for frame in (raw(control, bytes(8)), b"\xfe\xfe" + raw(control), PUBLISHED[0] + raw(control)):
        with pytest.raises(WriteRefused):
            reads_only(frame)
    assert control not in [read.value for read in Read]


def test_the_wire_writes_only_what_outgoing_made() -> None:
    """Every `.write(` of the driver has `data`, and `data` is `outgoing(…)`."""
    writes = [
        (path.name, ast.unparse(node))
        for path in DRIVER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"write", "writelines", "send", "sendall", "send_bytes"}
    ]
    assert writes == [("wire.py", "transport.write(data)")]
    assert "data = outgoing(self._request, wake_bytes)" in (DRIVER / "wire.py").read_text()


def test_replies_only_are_built_for_the_simulator() -> None:
    for function in range(256):
        assert reply(METER, function, b"")[8] & 0x80


# Answers


ASKED = ReadData(METER, "00010000")
BODY = bytes.fromhex("00000100")


def test_an_answer_is_what_was_asked_for() -> None:
    assert answer(one(PUBLISHED[1]), ASKED) == bytes.fromhex("26000000")
    following = raw(0x92, BODY + b"\x11\x22" + b"\x01")
    assert answer(one(following), ReadFollowing(METER, "00010000", 1)) == b"\x11\x22"
    named = raw(0x93, bytes.fromhex(METER)[::-1])
    assert answer(one(named), ReadAddress()) == bytes.fromhex(METER)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (raw(0x91, BODY + bytes(4), "000000000162"), WrongReply),
        (raw(0x91, b"\x00\x01\x01\x02" + bytes(2)), WrongReply),
        (raw(0x92, BODY + bytes(5)), WrongReply),
        (raw(0x11, BODY), WrongReply),  # an echo of the request
        (raw(0x91, b"\x00"), WrongReply),
        (raw(0xD1, b"\x02"), MeterRefused),
        (raw(0xD1, b""), WrongLength),
        (raw(0x81, b"\x10\x90" + bytes(4)), OldEdition),
        (raw(0xC1, b"\x02"), OldEdition),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else value.__name__,
)
def test_anything_else_is_named(frame: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        answer(one(frame), ASKED)


def test_refusals_say_why() -> None:
    with pytest.raises(MeterRefused, match="无请求数据") as caught:
        answer(one(raw(0xD1, b"\x02")), ASKED)
    assert caught.value.reason == "no_such_data"
    with pytest.raises(MeterRefused) as caught:
        answer(one(raw(0xD1, b"\x04")), ASKED)
    assert caught.value.reason == "meter_error_04"


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


def test_codec_values_and_report_are_pure() -> None:
    """`codec.py` is checked for all drivers; these belong to it."""
    for name in ("values.py", "report.py", "errors.py", "reads.py", "settings.py"):
        tree = ast.parse((DRIVER / name).read_text())
        names = {
            alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            (node.module or "").partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        }
        assert not names & {"asyncio", "os", "socket", "time", "random"}, name
