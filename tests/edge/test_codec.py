"""The Modbus codec: right answers are taken, anything else is refused by name."""

import contextlib
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import fuzz_modbus
from tanzheng.core.errors import BadInput
from tanzheng.edge.drivers.modbus.codec import (
    BadFrame,
    DeviceException,
    Frame,
    ModbusError,
    ReadRequest,
    WrongReply,
    crc16,
    decode_frame,
    find_rtu,
    values_of,
    with_crc,
)

REQUESTS = st.builds(
    ReadRequest,
    unit=st.integers(0, 255),
    function=st.sampled_from([1, 2, 3, 4]),
    address=st.integers(0, 65_000),
    count=st.integers(1, 125),
)
TRANSACTIONS = st.integers(0, 0xFFFF)


def answer(transaction: int, request: ReadRequest, values: bytes) -> bytes:
    """What a right device sends; written from the standard, not with the codec."""
    pdu = bytes([request.function, len(values)]) + values
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, request.unit) + pdu


@given(TRANSACTIONS, REQUESTS, st.data())
def test_a_right_answer_gives_its_registers(
    transaction: int, request: ReadRequest, data: st.DataObject
) -> None:
    size = request.value_bytes
    values = data.draw(st.binary(min_size=size, max_size=size))
    raw = answer(transaction, request, values)
    assert raw[2:9] == request.tcp_reply
    assert len(raw) == request.tcp_size
    decoded = decode_frame(raw + b"rest")
    assert decoded is not None
    frame, used = decoded
    assert used == len(raw)
    assert values_of(frame, transaction, request) == values
    for end in range(len(raw)):
        assert decode_frame(raw[:end]) is None


def test_a_request_is_the_standards_example() -> None:
    """Application Protocol V1.1b3 §6.3: read holding registers 108 to 110."""
    request = ReadRequest(unit=17, function=3, address=107, count=3)
    assert request.tcp.hex() == "00000006" + "11" + "03006b0003"
    assert request.rtu.hex() == "11" + "03006b0003" + "7687"


@given(st.binary(max_size=300), TRANSACTIONS, REQUESTS)
def test_garbage_is_parsed_or_refused_by_name(
    data: bytes, transaction: int, request: ReadRequest
) -> None:
    with contextlib.suppress(ModbusError):
        decoded = decode_frame(data)
        if decoded is not None:
            assert len(values_of(decoded[0], transaction, request)) == request.value_bytes


@given(TRANSACTIONS, REQUESTS, st.data())
def test_one_wrong_byte_is_never_taken(
    transaction: int, request: ReadRequest, data: st.DataObject
) -> None:
    """Every byte before the values is checked: header, unit, function, byte count."""
    raw = bytearray(answer(transaction, request, bytes(request.value_bytes)))
    at = data.draw(st.integers(0, 8))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_frame(raw)
    except BadFrame:
        return
    if decoded is None:
        return
    with pytest.raises(ModbusError):
        values_of(decoded[0], transaction, request)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 8, 10, 11])
def test_exceptions_keep_their_code(code: int) -> None:
    request = ReadRequest(1, 4, 0, 2)
    with pytest.raises(DeviceException, match=f"got exception {code}") as caught:
        values_of(Frame(7, 1, bytes([0x84, code])), 7, request)
    assert caught.value.reason == f"exception_{code}"


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (Frame(8, 1, b"\x03\x02\0\0"), "expected transaction 7, got 8"),
        (Frame(7, 2, b"\x03\x02\0\0"), "expected unit 1, got 2"),
        (Frame(7, 1, b"\x04\x02\0\0"), "expected function 3, got 4"),
        (Frame(7, 1, b"\x84\x02"), "expected function 3, got 132"),
        (Frame(7, 1, b"\x03\x04\0\0\0\0"), "expected 2 value bytes, got 4"),
        (Frame(7, 1, b"\x03\x02\0"), "expected 2 value bytes, got 1"),
    ],
)
def test_answers_to_something_else(frame: Frame, message: str) -> None:
    with pytest.raises(WrongReply, match=message):
        values_of(frame, 7, ReadRequest(1, 3, 0, 1))


@pytest.mark.parametrize(
    "fields",
    [
        (1, 5, 0, 1),
        (1, 3, 0, 0),
        (1, 3, 0, 126),
        (1, 1, 0, 2001),
        (1, 3, 65_535, 2),
        (1, 3, -1, 1),
        (256, 3, 0, 1),
    ],
)
def test_requests_outside_the_protocol(fields: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInput, match="expected"):
        ReadRequest(*fields)


def test_the_crc_is_the_catalogues() -> None:
    """CRC-16/MODBUS: check value of "123456789"."""
    assert crc16(b"123456789") == 0x4B37
    assert crc16(with_crc(b"123456789")) == 0


@given(REQUESTS, st.data())
def test_an_rtu_answer_is_found_behind_noise(request: ReadRequest, data: st.DataObject) -> None:
    size = request.value_bytes
    values = data.draw(st.binary(min_size=size, max_size=size))
    frame = with_crc(bytes([request.unit, request.function, size]) + values)
    noise = data.draw(st.binary(max_size=20))
    whole = noise + frame
    start = 0
    for end in range(len(whole)):
        found, start = find_rtu(whole[:end], request, start)
        assert found is None
    assert find_rtu(whole, request, start) == (values, len(whole))
    assert find_rtu(whole, request) == (values, len(whole))


@given(REQUESTS, st.data())
def test_a_damaged_rtu_answer_is_never_taken(request: ReadRequest, data: st.DataObject) -> None:
    """Any one to three flipped bits: what CRC-16 is sure to find in a frame of this length."""
    size = request.value_bytes
    frame = bytearray(with_crc(bytes([request.unit, request.function, size]) + bytes(size)))
    for bit in data.draw(st.sets(st.integers(0, 8 * len(frame) - 1), min_size=1, max_size=3)):
        frame[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(DeviceException):
        assert find_rtu(frame, request)[0] is None


def test_an_rtu_exception_keeps_its_code() -> None:
    with pytest.raises(DeviceException, match="got exception 2"):
        find_rtu(b"\xff" + with_crc(b"\x01\x83\x02"), ReadRequest(1, 3, 0, 2))


def test_the_echo_of_a_request_is_no_answer() -> None:
    """A request for 19 inputs from address 0x0300 has the form of its own answer."""
    request = ReadRequest(1, 2, 0x0300, 19)
    assert request.value_bytes == 3
    assert find_rtu(request.rtu, request)[0] is None


@given(
    st.integers(0, 255),
    st.integers(0, 255),
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(["echo", "rtu", "tcp", "refusal", "tcp refusal", "half"]),
        ),
        max_size=5,
    ),
)
def test_whatever_comes_there_is_at_most_one_right_answer(
    choice: int, cut: int, parts: list[bytes | str]
) -> None:
    request = fuzz_modbus.REQUESTS[choice % len(fuzz_modbus.REQUESTS)]
    unit, function, size = request.unit, request.function, request.value_bytes
    rtu = with_crc(bytes([unit, function, size]) + b"\x5a" * size)
    known = {
        "echo": request.rtu,
        "rtu": rtu,
        "half": rtu[: len(rtu) // 2],
        "tcp": answer(fuzz_modbus.TRANSACTION, request, b"\x5a" * size),
        "refusal": with_crc(bytes([unit, function | 0x80, 2])),
        "tcp refusal": struct.pack(">HHHBBB", 1, 0, 3, unit, function | 0x80, 2),
    }
    stream = b"".join(known[part] if isinstance(part, str) else part for part in parts)
    fuzz_modbus.TestOneInput(bytes([choice, cut]) + stream)


def test_a_hundred_thousand_random_strings() -> None:
    """Values of the right length or a named error, whatever comes."""
    draw = random.Random(20261120)
    requests = [ReadRequest(1, fc, 0, count) for fc in (1, 2, 3, 4) for count in (1, 2, 17)]
    for _ in range(100_000):
        request = draw.choice(requests)
        data = bytearray(draw.randbytes(draw.randrange(24)))
        if len(data) > 9 and draw.random() < 0.5:  # so that half of them get beyond the first check
            data[:9] = b"\0\7" + request.tcp_reply
        with contextlib.suppress(ModbusError):
            decoded = decode_frame(data)
            if decoded is not None:
                assert decoded[1] <= len(data)
                assert len(values_of(decoded[0], 7, request)) == request.value_bytes
        with contextlib.suppress(ModbusError):
            values, end = find_rtu(data, request)
            assert 0 <= end <= len(data)
            assert values is None or len(values) == request.value_bytes
