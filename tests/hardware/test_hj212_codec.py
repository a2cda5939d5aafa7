"""Frames as the standard prints them: check sum, length, split packets, SM4."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.errors import BadInput
from tanzheng.hardware.hj212.codec import (
    Upload,
    build,
    crc,
    crc_modbus,
    crc_text,
    frame,
    printed_form,
    sm4_decrypt,
    sm4_encrypt,
    split_content,
)

KEY = b"0" * 16
# HJ 212-2025 Annex A.2, examples 3 (plain) and 4 (encrypted, 9 blocks and a rest of 3).
PLAIN = (
    b"DataTime=20240520210600;a01011-Min=1.35,a01011-Avg=1.35,a01011-Max=1.35,a01011-Flag=N;"
    b"a01014-Min=3.20,a01014-Avg=3.20,a01014-Max=3.20,a01014-Flag=N"
)
CIPHER = bytes.fromhex(
    "E43E159ACFAB242CB53155FB8B9281A1A242577ABFAED881BE88B72D69FC55ED1A80119FAAC8B3CD33D285CC76F5"
    "7F2CA7F88B9573C6647E0F07E24609BD6B63EB20C5B9784F28E71D2F4994FF61D9E13B391A1D2A454B65388D5D94"
    "35DBF021528C7BF9755EF16518710C0CAC0ADEF9C5156CD0A5A17674AC0ED2ABC40023E9EF70128554B82438E91A"
    "DCE98A0D03A4"
)


def crc_of_annex_a(data: bytes) -> int:
    """Bit by bit, as Annex A words it; the codec has a table."""
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register


@given(st.binary(max_size=300))
def test_the_check_sum_is_that_of_annex_a(data: bytes) -> None:
    assert crc(data) == crc_of_annex_a(data)


def test_the_worked_examples() -> None:
    example = Upload("1062", b"RtdInterval=30", "20160801085857223", "32", "100000", answer=True)
    assert build(example) == (
        b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
        b"CP=&&RtdInterval=30&&1C80\r\n"
    )
    assert crc_modbus(example.segment()) == 0x0759
    newest = Upload("1011", b"", "20240601085857223", "32", version=2025, answer=True)
    assert build(newest).endswith(b"Flag=9;CP=&&&&2200\r\n")
    assert crc_modbus(b"123456789") == 0x4B37  # the catalogue's check value of CRC-16/MODBUS
    assert crc_text(b"123456789", "modbus_le") == b"374B"


def test_the_encryption_of_annex_a2() -> None:
    assert sm4_encrypt(PLAIN, KEY) == CIPHER + b"g=N"
    assert sm4_decrypt(CIPHER + b"g=N", KEY) == PLAIN
    assert re.fullmatch(rb"\{0xE4,0x3E,.*,0xA4\}g=N", printed_form(CIPHER + b"g=N"))
    upload = Upload("2051", PLAIN, "20240520210700000", version=2025, answer=True)
    raw = build(upload, key=KEY)
    assert raw.startswith(b"##0234QN=")
    assert raw.endswith(CIPHER + b"g=N&&B541\r\n")
    with pytest.raises(BadInput, match="16 bytes, got 3"):
        sm4_encrypt(PLAIN, b"abc")


@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16))
def test_encryption_keeps_the_length_and_comes_back(content: bytes, key: bytes) -> None:
    assert len(sm4_encrypt(content, key)) == len(content)
    assert sm4_decrypt(sm4_encrypt(content, key), key) == content


@pytest.mark.parametrize(("version", "bits"), [(2005, 0), (2017, 4), (2025, 8)])
def test_flags(version: int, bits: int) -> None:
    for answer in (False, True):
        for packet in (None, (2, 1)):
            upload = Upload("2011", version=version, answer=answer, packet=packet)  # type: ignore[arg-type]
            assert upload.flag == bits + 2 * bool(packet) + answer
            assert (b"PNUM=2;PNO=1;" in upload.segment()) is bool(packet)


def test_factors_are_never_cut_by_packets() -> None:
    groups = [b"a%05d-Rtd=1.0,a%05d-Flag=N" % (number, number) for number in range(100)]
    packets = split_content("20260901120000", groups, 300)
    assert all(len(packet) <= 300 for packet in packets)
    assert all(packet.startswith(b"DataTime=20260901120000;") for packet in packets)
    assert [group for packet in packets for group in packet.split(b";")[1:]] == groups
    assert split_content("20260901120000", [b"x" * 400], 300) == [
        b"DataTime=20260901120000;" + b"x" * 400
    ]


def test_a_frame_has_a_length_of_four_digits() -> None:
    assert frame(b"x", b"ABCD", 9) == b"##0009xABCD\r\n"
    with pytest.raises(BadInput, match="up to 9999 bytes, got 10000"):
        frame(bytes(10_000))
