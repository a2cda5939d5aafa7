"""The Modbus TCP codec: right answers are taken, anything else is refused by name."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.errors import BadInput
from tanzheng.edge.drivers.modbus_tcp.codec import (
    BadFrame,
    DeviceException,
    Frame,
    ModbusError,
    ReadRequest,
    WrongReply,
    decode_frame,
    encode_request,
    values_of,
)

REQUESTS = st.builds(
    ReadRequest,
    unit=st.integers(0, 255),
    function=st.sampled_from([3, 4]),
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
    values = data.draw(st.binary(min_size=2 * request.count, max_size=2 * request.count))
    raw = answer(transaction, request, values)
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
    assert encode_request(0x1501, request).hex() == "150100000006" + "11" + "03006b0003"


@given(st.binary(max_size=300), TRANSACTIONS, REQUESTS)
def test_garbage_is_parsed_or_refused_by_name(
    data: bytes, transaction: int, request: ReadRequest
) -> None:
    with contextlib.suppress(ModbusError):
        decoded = decode_frame(data)
        if decoded is not None:
            assert len(values_of(decoded[0], transaction, request)) == 2 * request.count


@given(TRANSACTIONS, REQUESTS, st.data())
def test_one_wrong_byte_is_never_taken(
    transaction: int, request: ReadRequest, data: st.DataObject
) -> None:
    """Every byte before the values is checked: header, unit, function, byte count."""
    raw = bytearray(answer(transaction, request, bytes(2 * request.count)))
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
    [(1, 5, 0, 1), (1, 3, 0, 0), (1, 3, 0, 126), (1, 3, 65_535, 2), (1, 3, -1, 1), (256, 3, 0, 1)],
)
def test_requests_outside_the_protocol(fields: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInput, match="expected"):
        ReadRequest(*fields)
