"""DL/T 645-2007: published frames, any bytes, and that nothing but reads can be asked."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dlt645_world import DRIVER, METER, one, parsed, raw
from fuzz.fuzz_dlt645 import TestOneInput
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
    BadChecksum,
    BadEnd,
    CutFrame,
    MeterRefused,
    OldEdition,
    WriteRefused,
    WrongLength,
    WrongReply,
)
from tanzheng.hardware.dlt645.codec import next_request, reply

PUBLISHED = [
    bytes.fromhex(line)
    for line in (DRIVER / "cases/published_frames/capture.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


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
