"""`tanzheng redact` and the check of what it makes, with and without receipt and trust file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from verifier.month import answer, chain, package, rebuilt, seal, write_files

FILES = package(chain())
SEALED = seal(FILES)


def tanzheng(*arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [Path(sys.executable).with_name("tanzheng"), *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "140"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def redacted(tmp_path: Path) -> Path:
    """A file that discloses one figure; receipt and trust file lie beside it."""
    SEALED.write(tmp_path)
    out = tmp_path / "redacted.json"
    code, text = tanzheng("redact", tmp_path / "bag", "--keep", "co2_calculated_t", "--out", out)
    assert code == 0, text
    assert "1 项" in text
    return out


def test_its_path_alone_then_with_receipt_and_trust(redacted: Path) -> None:
    code, text = tanzheng("recompute", redacted, "--json")
    asked = {name: verdict for name, verdict in answer(text).items() if verdict != "not asked"}
    assert (code, asked) == (0, {"disclosed": "ok"})
    receipt = ("--receipt", redacted.with_name("receipt.cbor"))
    code, text = tanzheng("recompute", redacted, *receipt, "--json")
    assert (code, answer(text)["named"], answer(text)["signer"]) == (0, "ok", "not asked")
    trust = ("--trust", redacted.with_name("TRUST.json"))
    code, text = tanzheng("recompute", redacted, *receipt, *trust, "--json")
    verdicts = answer(text)
    assert verdicts.pop("consistent") == "not asked"
    assert (code, set(verdicts.values())) == (0, {"ok"})
    code, text = tanzheng("recompute", redacted, *receipt, *trust)
    assert code == 0
    assert "co2_calculated_t 65469.74 t" in text
    assert "核验通过" in text


def test_a_changed_value_is_named(redacted: Path) -> None:
    redacted.write_bytes(redacted.read_bytes().replace(b"65469.74", b"65469.73"))
    code, text = tanzheng("recompute", redacted, "--json")
    (detail,) = [p["detail"] for p in json.loads(text)["points"] if p["verdict"] == "failed"]
    assert code == 3
    assert detail.startswith("co2_calculated_t: expected to lead to the parameter root")


def test_another_package_s_receipt_does_not_name_it(redacted: Path) -> None:
    other = redacted.with_name("other.cbor")
    other.write_bytes(seal(package(chain(), secret=b"\x01" * 32)).receipt)
    code, text = tanzheng("recompute", redacted, "--receipt", other, "--json")
    assert (code, answer(text)["named"], answer(text)["disclosed"]) == (3, "failed", "ok")


def test_a_damaged_package_is_not_redacted(tmp_path: Path) -> None:
    good = rebuilt(FILES)
    hours = good["data/hours.json"].replace(b"100.000000", b"100.000001", 1)
    write_files({**good, "data/hours.json": hours}, tmp_path / "bag")
    out = tmp_path / "out.json"
    code, text = tanzheng("redact", tmp_path / "bag", "--keep", "co2_calculated_t", "--out", out)
    assert code == 3
    assert "hours.json" in text
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["redact", "bag", "--keep", "cost", "--out", "x"], "expected figures to disclose"),
        (["redact", "bag", "--keep", "co2_calculated_t", "--out", "redacted.json"], "free place"),
        (["recompute", "redacted.json", "--out", "x"], "expected a whole package"),
        (["recompute", "redacted.json", "--trust", "TRUST.json"], "expected --receipt as well"),
        (["recompute", "bag", "--receipt", "receipt.cbor"], "tanzheng verify"),
        (["recompute", "TRUST.json"], "disclosure: expected"),
        (["recompute", "nothing"], "expected a folder"),
    ],
)
def test_what_does_not_go_together_is_said(redacted: Path, arguments: list[str], said: str) -> None:
    folder = redacted.parent
    places = [str(folder / word) if (folder / word).exists() else word for word in arguments]
    code, text = tanzheng(*places)
    assert code == 2
    assert said in text
