"""The published vectors are what the script makes, and what the verifier says."""

import json
from pathlib import Path

import pytest

from vectors import make

FILES = make.files()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_published_file_is_fresh(name: str) -> None:
    assert (make.FOLDER / name).read_bytes() == FILES[name], "run: cd tests; python -m vectors.make"


def test_no_file_is_left_over_and_two_runs_are_equal() -> None:
    assert {path.name for path in make.FOLDER.glob("*.json")} == set(FILES)
    assert make.files() == FILES


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_has_what_holds_and_what_does_not(name: str) -> None:
    told = json.loads((make.FOLDER / Path(name)).read_text())
    if name == "parts.json":
        for part in ("cbor", "rlp", "json", "inclusion", "consistency"):
            assert {row["holds"] for row in told[part]} == {True, False}, part
        return
    codes = {case["exit_code"] for case in told["cases"]}
    assert 3 in codes or 2 in codes
    assert len(told["cases"]) >= 10


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("label 394 as a float", 2), ("unknown envelope key", 2), ("number longer than needed", 2),
        ("inclusion at another size", 3), ("block not observed", 3), ("text beyond ASCII", 0),
    ],
)  # fmt: skip
def test_what_the_damaged_ones_come_to(name: str, code: int) -> None:
    (case,) = [case for case in json.loads(FILES["damaged.json"])["cases"] if case["name"] == name]
    assert case["exit_code"] == code
