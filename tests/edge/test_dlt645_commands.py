"""`tanzheng dlt645 decode` as a process: one line a frame, and an answer to anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.dlt645_world import case_folders

FRAMES = next(folder for folder in case_folders() if folder.name == "published_frames")
REPLY = "6861010000000068910833333433593333338a16"


def run(*args: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = [Path(sys.executable).with_name("tanzheng"), "dlt645", "decode", *args]
    return subprocess.run(program, input=given, capture_output=True, check=False, timeout=30)


def records(given: bytes) -> list[dict[str, object]]:
    done = run("-", "--json", given=given)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_capture_is_shown_as_json_and_as_a_table() -> None:
    done = run(FRAMES / "capture.txt", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == json.loads(
        (FRAMES / "expected.json").read_text()
    )
    table = run(FRAMES / "capture.txt").stdout.decode()
    for text in ("正向有功", "0.26 kWh", "厂家自定义", "000000000161"):
        assert text in table


def test_forms_of_a_line() -> None:
    spaced = " ".join(REPLY[at : at + 2].upper() for at in range(0, len(REPLY), 2))
    glued = REPLY + "fefefefe" + REPLY
    given = f"\ufeff{REPLY}\r\n\n# note\n  {spaced}\t# a meter\n{glued}".encode()
    found = records(given)
    assert len(found) == 4
    assert all(
        record == {
            "valid_checksum": True, "address": "000000000161", "control": "91",
            "di": "00010000", "value": "0.26", "unit": "kWh",
        }
        for record in found
    )  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [b"\xff\xfe\x00", b"\x00" * 1000, b"zz\n" * 50, b"6" * 200_001 + b"\nff", b"[red]\n", b"\n\n"],
    ids=["utf16", "zeros", "letters", "endless", "markup", "empty"],
)
def test_any_input_is_answered(given: bytes) -> None:
    for record in records(given):
        assert record["valid_checksum"] is False
        assert record["error"]
    assert run("-", given=given).returncode == 0


def test_a_line_after_an_endless_one_is_read() -> None:
    given = b"68" * 100_000 + b"\n" + REPLY.encode()
    assert [item["valid_checksum"] for item in records(given)] == [False, True]


def test_bytes_outside_of_frames_are_told() -> None:
    done = run("-", "--json", given=REPLY.encode() + b"0d0a")
    assert "2 bytes outside of any frame" in done.stderr.decode()
    assert json.loads(done.stdout)["value"] == "0.26"


def test_a_missing_file_is_an_error_of_the_input(tmp_path: Path) -> None:
    done = run(tmp_path / "none")
    assert done.returncode == 2
    assert "expected a file that can be read" in done.stderr.decode()
    assert run(tmp_path).returncode == 2
