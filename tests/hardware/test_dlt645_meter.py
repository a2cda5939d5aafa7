"""The simulated meter: frames as published, values round trip, faults as set."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.errors import BadInput
from tanzheng.hardware.dlt645.codec import (
    Request,
    encode_number,
    next_request,
    reply,
    shifted,
    unshifted,
)
from tanzheng.hardware.dlt645.identifiers import Form, identifier
from tanzheng.hardware.dlt645.meter import Meter

METER = "000000000161"
ASK = bytes.fromhex("68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16")
ANSWER = bytes.fromhex("68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16")
WHO = bytes.fromhex("FE FE FE FE 68 AA AA AA AA AA AA 68 13 00 DF 16")


def meter() -> Meter:
    return Meter(METER, {"00010000": Decimal("0.26"), "04000501": "80A1"})


def asked(data: bytes) -> Request:
    found = next_request(bytearray(data))
    assert found is not None
    return found


def test_it_answers_as_published() -> None:
    assert meter().answer(asked(ASK)) == b"\xfe" * 4 + ANSWER


def test_it_tells_its_address_and_hears_wildcards() -> None:
    address = bytes.fromhex(METER)[::-1]
    assert meter().answer(asked(WHO)) == b"\xfe" * 4 + reply(METER, 0x13, address)
    wild = Request("AAAAAAAAAA61", 0x11, bytes.fromhex("00000100"))
    assert meter().answer(wild) == b"\xfe" * 4 + ANSWER


@pytest.mark.parametrize(
    "request_",
    [
        Request("000000000162", 0x11, bytes.fromhex("00000100")),
        Request(METER, 0x11, b"\x00"),
        Request(METER, 0x12, bytes.fromhex("0000010000")),
        Request(METER, 0x14, bytes.fromhex("00000100")),
        Request(METER, 0x13, b"\x01"),
    ],
)
def test_it_is_silent_about_what_it_does_not_know(request_: Request) -> None:
    assert meter().answer(request_) == b""


def test_it_says_what_it_does_not_have() -> None:
    none = meter().answer(Request(METER, 0x11, bytes.fromhex("00000200")))
    assert none.lstrip(b"\xfe") == reply(METER, 0x11, b"\x02", refused=True)
    assert meter().answer(Request(METER, 0x12, bytes.fromhex("0000010001")))[4:][8] == 0xD2


def test_long_data_is_cut_into_frames() -> None:
    cut = Meter(METER, {"0001FF00": (Decimal(1), Decimal(2))}, wake_bytes=0, data_max=5)
    body = bytes.fromhex("00FF0100")
    first = cut.answer(Request(METER, 0x11, body))
    second = cut.answer(Request(METER, 0x12, body + b"\x01"))
    assert (first[8], second[8]) == (0xB1, 0x92)
    data = unshifted(first[14:-2]) + unshifted(second[14:-3])
    assert data == bytes.fromhex("0001000000020000")
    assert unshifted(second[-3:-2]) == b"\x01"


@given(st.binary(max_size=300))
def test_shifting_is_undone(data: bytes) -> None:
    assert unshifted(shifted(data)) == data


@given(st.lists(st.one_of(st.just(ASK), st.just(WHO), st.binary(max_size=20))), st.binary())
def test_any_bytes_are_requests_or_nothing(parts: list[bytes], rest: bytes) -> None:
    buffer = bytearray(b"".join(parts) + rest)
    while next_request(buffer) is not None:
        pass
    assert len(buffer) <= 212


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        (Form(4, 2), "0.26", "26000000"),
        (Form(3, 4, signed=True), "-1.2345", "452381"),
        (Form(3, 4, signed=True), "79.9999", "999979"),
        (Form(2, 1), None, "FFFF"),
        (Form(3, 4, stamped=True), "3.5", "0050030000000000"),
    ],
)
def test_numbers_are_packed(form: Form, value: str | None, expected: str) -> None:
    assert encode_number(form, None if value is None else Decimal(value)).hex() == expected.lower()


@pytest.mark.parametrize(
    ("form", "value"),
    [(Form(2, 1), "1000"), (Form(2, 1), "-1"), (Form(3, 4, signed=True), "80")],
)
def test_what_does_not_fit_is_refused(form: Form, value: str) -> None:
    with pytest.raises(BadInput):
        encode_number(form, Decimal(value))


def test_every_identifier_has_a_sound_form() -> None:
    """All of groups 00 to 05, as far as DI2 to DI0 are used."""
    known = 0
    for di3 in range(6):
        for di2 in (*range(0x0C), 0x15, 0x3D, 0x46, 0x80):
            for di1 in (*range(8), 0x3F, 0x40, 0xFF):
                for di0 in (*range(0x0E), 0x15, 0xFF):
                    meaning = identifier(f"{di3:02X}{di2:02X}{di1:02X}{di0:02X}")
                    if meaning is None:
                        continue
                    known += 1
                    assert 1 <= meaning.form.span <= 32
                    assert meaning.block == (0xFF in (di1, di0) or (di3 == 5 and di1 > 0))
                    assert meaning.name
                    assert meaning.name_zh
    assert known > 1500
