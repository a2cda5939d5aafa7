"""Frames out of any bytes: by length, resynchronised, each flaw by its name."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hj212_world import CASES, SAMPLES, SM4_KEY, decode, sample_frames, split
from tanzheng.edge.drivers.hj212.codec import data_time_ms, parse, value_of
from tanzheng.edge.drivers.hj212.deviations import NAMES
from tanzheng.edge.drivers.hj212.splitter import FRAME_BYTES_MAX, Splitter
from tanzheng.hardware.hj212.codec import (
    Upload,
    build,
    crc_text,
    frame,
    printed_form,
    sm4_encrypt,
)

FRAMES = sample_frames()
COMMENTS = [
    line
    for line in SAMPLES.decode().split("\n")
    if line.startswith(("# crc=VALID", "# crc=INVALID", "# crc=NOT"))
]
UPLOAD = Upload("2011", b"DataTime=20260901120000;a05001-Rtd=12.0,a05001-Flag=N", "2" * 17)


def test_every_sample_is_what_its_comment_says() -> None:
    decoded = decode(b"".join(FRAMES))
    assert len(decoded) == len(COMMENTS) == 23
    for got, comment in zip(decoded, COMMENTS, strict=True):
        valid = comment.startswith("# crc=VALID")
        modbus = comment.startswith("# crc=NOT_HJ212: CRC16/MODBUS")
        assert got.valid_crc is valid, comment
        assert got.crc_mode == ("hj212" if valid else "modbus_le" if modbus else None)
        assert got.length_ok is ("LENGTH MISMATCH" not in comment)
        assert ("length_mismatch" in got.deviations) is not got.length_ok
        assert ("crc_invalid" in got.deviations) is (not valid and not modbus)
        assert got.items or got.cn in ("1011", "9014")


def test_the_samples_file_itself_is_read_and_its_comments_are_not() -> None:
    pieces = split(SAMPLES, comments=True)
    assert [piece.raw + b"\r\n" for piece in pieces] == FRAMES
    assert not any(b"#" in piece.segment for piece in pieces)


@pytest.mark.parametrize("number", range(len(FRAMES)))
def test_split_at_every_byte(number: int) -> None:
    raw = FRAMES[number]
    (whole,) = split(raw)
    for at in range(1, len(raw)):
        splitter = Splitter()
        assert splitter.feed(raw[:at]) + splitter.feed(raw[at:]) + splitter.flush() == [whole]


def test_glued_in_pairs_and_byte_by_byte() -> None:
    for one, other in pairwise([*FRAMES, FRAMES[0]]):
        expected = split(one) + split(other)
        for data in (one + other, one.rstrip() + other):
            assert split(data) == expected
            splitter = Splitter()
            slowly = [piece for byte in data for piece in splitter.feed(bytes([byte]))]
            assert slowly + splitter.flush() == expected


def test_a_right_frame_is_there_with_its_last_byte() -> None:
    """Nothing waits for a CR LF that a sender may leave out."""
    for raw in (FRAMES[0], build(UPLOAD, key=SM4_KEY)):
        splitter = Splitter()
        assert not splitter.feed(raw[:-3])
        assert len(splitter.feed(raw[-3:-2])) == 1


@pytest.mark.parametrize("error", [-40, -3, -1, 1, 5, 40, 8000])
def test_a_wrong_length_costs_no_neighbour(error: int) -> None:
    segment = UPLOAD.segment()
    wrong = frame(segment, declared=len(segment) + error)
    got = decode(FRAMES[0] + wrong + FRAMES[1] + wrong)
    assert [one.length_ok for one in got] == [True, False, True, False]
    assert all(one.valid_crc for one in got)
    assert got[1].values()["a05001-Rtd"] == 12.0


def test_a_too_long_length_is_seen_at_once_where_the_check_sum_agrees() -> None:
    segment = UPLOAD.segment()
    splitter = Splitter()
    assert len(splitter.feed(frame(segment, declared=9999))) == 1


def test_a_too_long_length_is_seen_where_the_next_frame_begins() -> None:
    splitter = Splitter()
    pieces = splitter.feed(frame(UPLOAD.segment(), b"0000", 9999) + FRAMES[0])
    assert [piece.carried for piece in pieces] == [b"0000", b"1C80"]


def test_the_opening_of_cp_is_no_end_though_hex_digits_follow() -> None:
    segment = Upload("2011", b"a01011-Rtd=1.5,a01011-Flag=N", "2" * 17).segment()
    for declared in (segment.index(b"a01011"), 9999):
        (got,) = decode(frame(segment, b"0000", declared))
        assert dict(got.items)["a01011-Rtd"] == "1.5"


def test_long_frames_and_a_head_within() -> None:
    content = UPLOAD.content + b";Info=##0101QN=" + b"x" * 1460
    raw = build(Upload("2011", content, "2" * 17))
    assert len(raw) > 1623
    (got,) = decode(raw)
    assert (got.valid_crc, got.length_ok) == (True, True)
    assert got.deviations == ("over_1024",)


# -- encryption

BINARY = Upload("2011", UPLOAD.content * 4, "2" * 17, version=2025)


def with_line_end_in_ciphertext() -> Upload:
    for number in range(200_000):
        content = b"DataTime=20260901120000;a05001-Rtd=%d,a05001-Flag=N" % number
        if b"\r\n" in sm4_encrypt(content, SM4_KEY):
            return Upload("2011", content, "2" * 17, version=2025)
    raise AssertionError("no such ciphertext")


@pytest.mark.parametrize("key", [SM4_KEY, None])
def test_ciphertext_may_hold_anything(key: bytes | None) -> None:
    upload = with_line_end_in_ciphertext()
    raw = build(upload, key=SM4_KEY) + build(UPLOAD)
    first, second = decode(raw, key)
    assert second.valid_crc
    assert (first.length_ok, first.encrypted) == (True, True)
    assert first.valid_crc is (key is not None)
    assert ("sm4_key_missing" in first.deviations) is (key is None)
    if key:
        assert first.deviations == ("encrypted_block",)
        assert dict(first.items)["a05001-Flag"] == "N"


@pytest.mark.parametrize("declare_plain", [True, False])
def test_the_printed_form(declare_plain: bool) -> None:
    plain = BINARY.segment()
    sent = BINARY.segment(printed_form(sm4_encrypt(BINARY.content, SM4_KEY)))
    raw = frame(sent, crc_text(plain), len(plain) if declare_plain else len(sent))
    (got,) = decode(raw, SM4_KEY)
    assert (got.valid_crc, got.length_ok) == (True, True)
    assert got.items == decode(build(BINARY))[0].items
    assert {"encrypted_block", "printed_cipher_form"} <= set(got.deviations)


def test_other_habits_of_encryption() -> None:
    plain = BINARY.segment()
    padding = 16 - len(BINARY.content) % 16
    padded = sm4_encrypt(BINARY.content + bytes([padding]) * padding, SM4_KEY)
    for content, carried, name in (
        (padded, crc_text(plain), "sm4_padded"),
        (padded.hex().encode(), crc_text(plain), "hex_cipher_form"),
        (padded, crc_text(BINARY.segment(padded)), "crc_over_ciphertext"),
    ):
        (got,) = decode(frame(BINARY.segment(content), carried), SM4_KEY)
        assert name in got.deviations
        assert got.valid_crc
        assert got.items == decode(build(BINARY))[0].items
    (got,) = decode(frame(BINARY.segment(padded), crc_text(plain)), b"1" * 16)
    assert "sm4_key_wrong" in got.deviations
    assert (got.items, got.valid_crc) == ((), False)


# -- deviations

ODD = {
    "no_qn": b"ST=31;CN=2011;PW=123456;MN=%s;Flag=4;CP=&&&&",
    "no_st": b"QN=22222222222222222;CN=2011;PW=123456;MN=%s;Flag=4;CP=&&&&",
    "no_cn": b"QN=22222222222222222;ST=31;PW=123456;MN=%s;Flag=4;CP=&&&&",
    "no_pw": b"QN=22222222222222222;ST=31;CN=2011;MN=%s;Flag=4;CP=&&&&",
    "no_mn": b"QN=22222222222222222;ST=31;CN=2011;PW=123456;Flag=4;CP=&&&&",
    "no_flag": b"QN=22222222222222222;ST=31;CN=2011;PW=123456;MN=%s;CP=&&&&",
    "flag_upper_case": b"QN=22222222222222222;ST=31;CN=2011;PW=123456;MN=%s;FLAG=4;CP=&&&&",
    "flag_invalid": b"QN=22222222222222222;ST=31;CN=2011;PW=123456;MN=%s;Flag=A;CP=&&&&",
    "key_case": b"QN=22222222222222222;st=31;CN=2011;PW=123456;MN=%s;Flag=4;CP=&&&&",
    "key_unknown": b"QN=22222222222222222;ST=31;XX=1;CN=2011;PW=123456;MN=%s;Flag=4;CP=&&&&",
    "qn_not_17": b"QN=2;ST=31;CN=2011;PW=123456;MN=%s;Flag=4;CP=&&&&",
    "st_3_digits": b"QN=22222222222222222;ST=101;CN=2011;PW=123456;MN=%s;Flag=4;CP=&&&&",
    "st_not_2": b"QN=22222222222222222;ST=1;CN=2011;PW=123456;MN=%s;Flag=4;CP=&&&&",
    "cn_not_4": b"QN=22222222222222222;ST=31;CN=20;PW=123456;MN=%s;Flag=4;CP=&&&&",
    "pw_long": b"QN=22222222222222222;ST=31;CN=2011;PW=1234567;MN=%s;Flag=4;CP=&&&&",
    "pw_short": b"QN=22222222222222222;ST=31;CN=2011;PW=1;MN=%s;Flag=4;CP=&&&&",
    "mn_not_24": b"QN=22222222222222222;ST=31;CN=2011;PW=123456;MN=%s0;Flag=4;CP=&&&&",
    "mn_not_hex": b"QN=22222222222222222;ST=31;CN=2011;PW=123456;MN=Z%.23s;Flag=4;CP=&&&&",
    "packet_unflagged": b"QN=22222222222222222;ST=31;CN=2011;PW=123456;MN=%s;Flag=4;"
    b"PNUM=2;PNO=1;CP=&&&&",
    "packet_invalid": b"QN=22222222222222222;ST=31;CN=2011;PW=123456;MN=%s;Flag=6;"
    b"PNUM=2;PNO=3;CP=&&&&",
    "rf_invalid": b"QN=22222222222222222;ST=31;CN=2011;PW=123456;MN=%s;Flag=8;RF=0;CP=&&&&",
    "answer_with_content": b"QN=22222222222222222;ST=91;CN=9014;PW=123456;MN=%s;Flag=4;"
    b"CP=&&QnRtn=1&&",
}
CONTENTS = {
    "stray_comma": b"DataTime=20260901120000;a05001-Rtd=1,,a05001-Flag=N",
    "stray_semicolon": b"DataTime=20260901120000;;a05001-Rtd=1,a05001-Flag=N",
    "stray_space": b"DataTime=20260901120000;a05001-Rtd= 1,a05001-Flag=N",
    "item_without_value": b"DataTime=20260901120000;a05001-Rtd=1,a05001-Flag=N;a",
    "duplicate_key": b"DataTime=20260901120000;a05001-Rtd=1,a05001-Rtd=2,a05001-Flag=N",
    "not_text": b"DataTime=20260901120000;Info=\xc4\xe3;a05001-Rtd=1,a05001-Flag=N",
    "no_datatime": b"a05001-Rtd=1,a05001-Flag=N",
    "datatime_17_digits": b"DataTime=20260901120000123;a05001-Rtd=1,a05001-Flag=N",
    "datatime_invalid": b"DataTime=20261301120000;a05001-Rtd=1,a05001-Flag=N",
    "value_not_number": b"DataTime=20260901120000;a05001-Rtd=--,a05001-Flag=N",
    "sentinel_-999": b"DataTime=20260901120000;a05001-Rtd=-999.0,a05001-Flag=N",
    "bare_flag": b"DataTime=20260901120000;a05001-Rtd=1;Flag=N",
    "no_mark": b"DataTime=20260901120000;a05001-Rtd=1",
    "mark_lower_case": b"DataTime=20260901120000;a05001-Rtd=1,a05001-Flag=n",
    "mark_unknown": b"DataTime=20260901120000;a05001-Rtd=1,a05001-Flag=Z",
    "st_codes_disagree": b"DataTime=20260901120000;w01018-Rtd=1,w01018-Flag=N",
}


@pytest.mark.parametrize("name", [*ODD, *CONTENTS])
def test_each_deviation_has_one_name(name: str) -> None:
    if name in ODD:
        segment = ODD[name].replace(b"%.23s", b"10000A8900016F000169DC0")
        segment = segment.replace(b"%s", b"010000A8900016F000169DC0")
    else:
        segment = Upload("2011", CONTENTS[name], "2" * 17).segment()
    (got,) = decode(frame(segment))
    assert got.deviations == (name,)
    assert (got.valid_crc, got.length_ok) == (True, True)


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (b"##QN=1" + UPLOAD.segment()[4:], {"length_malformed"}),
        (b"##00%03d" % len(UPLOAD.segment()) + UPLOAD.segment(), {"length_malformed"}),
        (b"##%04d" % len(UPLOAD.segment()) + UPLOAD.segment() + b"\r\n", {"crc_not_hex"}),
        (b"##%04d" % len(UPLOAD.segment()) + UPLOAD.segment() + b"XYZW\r\n", {"crc_not_hex"}),
        (build(UPLOAD)[:60], {"truncated"}),
        (frame(b"ST=31;CN=9015;CP=&&abc=1"), {"cp_unclosed"}),
        (frame(b"ST=31;CN=9015&&"), {"no_cp"}),
        (build(UPLOAD, "modbus_le"), {"crc_modbus_le"}),
        (frame(UPLOAD.segment(), b"0000"), {"crc_invalid"}),
    ],
)
def test_broken_frames(raw: bytes, names: set[str]) -> None:
    got, *_ = decode(raw)
    assert names <= set(got.deviations)


def test_the_list_of_names_is_closed_and_every_name_is_documented() -> None:
    readme = (CASES.parent / "README.md").read_text()
    listed = readme.partition("## Deviations")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z0-9_-]+)` \|", listed, re.MULTILINE)
    assert rows == list(NAMES)


def test_numbers_times_and_texts() -> None:
    assert value_of("a05001-Rtd", "12") == 12
    assert value_of("a05001-Rtd", "-1.50") == -1.5
    assert value_of("a05001-Rtd", "1e999") == "1e999"
    assert value_of("a05001-Rtd", "nan") == "nan"
    assert value_of("DataTime", "20260901120000") == "20260901120000"
    assert value_of("a05001-Flag", "1") == "1"
    assert data_time_ms("20260901120000", 480) == 1_788_235_200_000
    assert data_time_ms("20260901120000123", 480) == 1_788_235_200_123
    assert data_time_ms("20260901120000", 0) == 1_788_264_000_000
    assert data_time_ms("20260230120000", 480) is None
    assert data_time_ms("0001010100000000", 840) is None


# -- anything at all

NEARLY = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"##", b"#", b"##0101", b"##9999QN=", b"##0020ST=31;CP=&&", b"&&", b"&&1C80", b"\r\n",
             b"&&1C80\r\n", b"CP=&&", b"a05001-Rtd=1,", b"{0x", b"0xE4,", b"}", b"\n# ",
             build(UPLOAD), build(UPLOAD)[:-1], build(BINARY, key=SM4_KEY), FRAMES[0]]
        ),
    ),
    max_size=25,
).map(b"".join)  # fmt: skip


@settings(max_examples=300)
@given(NEARLY, st.booleans(), st.lists(st.integers(1, 60), max_size=30))
def test_any_bytes_give_named_deviations_however_they_are_cut(
    data: bytes, comments: bool, cuts: list[int]
) -> None:
    expected = split(data, comments)
    splitter, got, rest = Splitter(comments), [], data
    for cut in cuts:
        got += splitter.feed(rest[:cut])
        rest = rest[cut:]
    got += splitter.feed(rest) + splitter.flush()
    assert got == expected
    for piece in got:
        for key in (None, SM4_KEY):
            decoded = parse(piece, key)
            assert set(decoded.deviations) <= NAMES.keys()
            for value in decoded.values().values():
                assert isinstance(value, str) or abs(value) < float("inf")


@pytest.mark.parametrize(
    "data",
    [
        # The check sum agrees, one byte before the declared end, after an end that looks right.
        frame(b"QN=1;CP=&&a&&AAAA\r\n" + b"x" * 20 + b"&&", declared=42),
        frame(UPLOAD.segment(), declared=len(UPLOAD.segment()) + 1),
        frame(b"QN=1&&AAAA\r\n" + UPLOAD.segment(), declared=len(UPLOAD.segment()) + 13),
        # The next frame begins beyond what one frame can hold.
        b"##9999QN=" + b"x" * 12_000 + build(UPLOAD),
        b"##9999QN=" + b"x" * 10_020 + build(UPLOAD),
    ],
)
def test_findings_of_the_fuzzer(data: bytes) -> None:
    splitter = Splitter()
    slowly = [piece for byte in data for piece in splitter.feed(bytes([byte]))]
    assert slowly + splitter.flush() == split(data)


@given(st.binary(max_size=2000))
def test_a_right_frame_after_any_bytes_is_found(noise: bytes) -> None:
    raws = [piece.raw for piece in split(noise + b"\r\n" + build(UPLOAD))]
    assert build(UPLOAD)[:-2] in raws or any(raw.endswith(build(UPLOAD)[-10:-2]) for raw in raws)


def test_memory_is_bounded_and_work_grows_with_the_bytes_only() -> None:
    splitter = Splitter()
    for block in (
        b"##9999QN=" + b"x" * 15_000,
        b"##9999QN=&&AAAA\r\nx" * 3000,
        b"##9999QN=" * 3000,
        b"##9999QN=1&&AAAAx" * 3000,
        b"#" * 50_000,
        b"##9999QN=" + b"&&AAAAx" * 5000,
    ):
        splitter.feed(block)
        assert splitter.pending <= FRAME_BYTES_MAX + 30
