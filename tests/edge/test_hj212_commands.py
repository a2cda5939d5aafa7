"""`tanzheng hj212 decode`, as a person and as a script call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.hj212_world import CASES, SAMPLES, sample_frames
from tanzheng.hardware.hj212.codec import Upload, build

TANZHENG = Path(sys.executable).parent / "tanzheng"
KEYS = [
    "valid_crc", "crc_mode", "length_ok", "qn", "st", "cn", "mn", "flag", "values", "deviations",
]  # fmt: skip


def decode(*arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = [str(TANZHENG), "hj212", "decode", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def test_the_samples_file() -> None:
    done = decode(str(CASES / "public_samples/capture.txt"), "--json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert len(records) == len(sample_frames())
    assert all(list(record) == KEYS for record in records)
    assert records[0]["values"] == {"RtdInterval": 30}
    assert records[2]["values"]["a01014-Avg"] == 3.2
    assert "bytes outside of frames" in done.stderr.decode()


def test_an_encrypted_frame_from_standard_input() -> None:
    upload = Upload("2011", b"DataTime=20260901120000;a05001-Rtd=12.0,a05001-Flag=N", "2" * 17)
    done = decode("-", "--json", "--sm4-key", "30" * 16, stdin=build(upload, key=b"0" * 16))
    (line,) = done.stdout.splitlines()
    record = json.loads(line)
    assert record["valid_crc"] is True
    assert record["flag"] == 4
    assert record["values"] == {
        "DataTime": "20260901120000",
        "a05001-Rtd": 12.0,
        "a05001-Flag": "N",
    }
    assert record["deviations"] == ["encrypted_block"]


def test_lines_of_hex_digits() -> None:
    frames = sample_frames()[:3]
    text = b"# from a serial debugger\n" + b"".join(
        raw.hex(" ").encode() + b"\n" if number else raw.rstrip().hex().upper().encode() + b"\n"
        for number, raw in enumerate(frames)
    )
    done = decode("-", "--json", stdin=text)
    assert done.stdout == decode("-", "--json", stdin=b"".join(frames)).stdout
    assert done.stderr == b""


def test_for_a_person_without_the_password_or_a_steered_terminal() -> None:
    content = b"DataTime=20260901120000;a21026-Rtd=1.0,a21026-Flag=C;Info=\x1b[2J"
    done = decode("-", stdin=build(Upload("2011", content, "2" * 17, pw="SECRET")))
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "二氧化硫 SO2" in text
    assert "C calibration" in text
    assert "not_text" in text
    assert "SECRET" not in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (("-", "--json"), b"", "got none"),
        (("-", "--json"), b"\x00\xff" * 3000, "got none"),
        (("/nonexistent/file",), b"", "expected a readable file"),
        (("/",), b"", "expected a readable file"),
        (("-", "--sm4-key", "31"), SAMPLES, "expected 32 hex digits"),
        (("-", "--sm4-key", "no hex"), SAMPLES, "expected 32 hex digits"),
    ],
)
def test_what_cannot_be_read_ends_with_2(
    arguments: tuple[str, ...], stdin: bytes, message: str
) -> None:
    done = decode(*arguments, stdin=stdin)
    assert done.returncode == 2
    assert done.stdout == b""
    assert message in " ".join(done.stderr.decode().split())
