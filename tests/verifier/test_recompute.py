"""A package computes again to the last byte; whatever was changed in it is named."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tanzheng.core import manifest as shape
from tanzheng.core.errors import BadInput
from tanzheng.core.manifest import Manifest, PackageInvalid
from tanzheng.verifier.difference import first_difference
from tanzheng.verifier.errors import StandardNotInstalled
from tanzheng.verifier.recompute import Recomputation, recompute
from tanzheng.verifier.recompute_report import show
from verifier.month import chain, edited, package, rebuilt, write_files
from wheels import closure, environment

CHAIN = chain()
FILES = package(CHAIN)
BATCHES = shape.batches_path("gw1")
MEMBERS = ("core", "cli", "files", "analytics", "verifier")


def differing(found: Recomputation) -> set[str]:
    return {row.name for row in found.rows if not row.equal}


def said(found: Recomputation) -> str:
    return "\n".join([*found.problems, *(f"{row.name}: {row.difference}" for row in found.rows)])


def test_an_honest_package_comes_out_byte_for_byte() -> None:
    found = recompute(FILES)
    assert found.equal
    assert found.files == FILES
    assert {row.name for row in found.rows if row.copied} == {shape.PLANT_PATH, BATCHES}
    names = {row.name for row in found.rows}
    assert {"co2_calculated_t", "parameter root", "manifest sm3", "chain gw1"} <= names
    assert names >= set(FILES)


@pytest.mark.parametrize("path", sorted(FILES))
@pytest.mark.parametrize("place", [0, 0.3, 0.7, 1])
def test_a_changed_byte_in_any_file_is_found(path: str, place: float) -> None:
    data = bytearray(FILES[path])
    data[int(place * (len(data) - 1))] ^= 1
    changed = {**FILES, path: bytes(data)}
    if path == shape.MANIFEST_PATH and not readable(changed[path]):
        with pytest.raises(BadInput, match="manifest"):
            recompute(changed)
    else:
        found = recompute(changed)
        assert not found.equal
        assert Path(path).name in said(found)


def readable(manifest: bytes) -> bool:
    try:
        Manifest.decode(manifest)
    except BadInput:
        return False
    return True


def test_a_changed_batch_is_named_by_its_place() -> None:
    data = bytearray(FILES[BATCHES])
    thirteenth = sum(len(signed.raw) for signed in CHAIN[:12])
    data[thirteenth + len(CHAIN[12].raw) - 1] ^= 1  # the end of its signature
    found = recompute({**FILES, BATCHES: bytes(data)})
    assert "gw1 epoch 1 seq 14: expected prev" in said(found)
    assert BATCHES in found.problems[0]


def test_a_changed_hour_is_named_with_both_values() -> None:
    raised = FILES[shape.HOURS_PATH].replace(b'"100.000000"', b'"100.000001"', 1)
    found = recompute(rebuilt(FILES, hours=raised))
    assert found.problems == ()
    assert 'hours[0, start_ms 1517414400000].co2_cems_t: expected "100.000000"' in said(found)
    assert {shape.HOURS_PATH, shape.MANIFEST_PATH, "manifest sha-256"} <= differing(found)
    assert "parameter root" not in differing(found)


def test_a_changed_figure_is_named_with_its_root() -> None:
    def lowered(described: Manifest) -> Manifest:
        first = replace(described.parameters[1], value="161279.000")
        others = described.parameters[:1], described.parameters[2:]
        return replace(described, parameters=(*others[0], first, *others[1]))

    found = recompute(edited(FILES, lowered))
    assert found.problems == ()
    assert {"generation_mwh", "parameter root", "manifest sm3"} <= differing(found)
    row = next(row for row in found.rows if row.name == "generation_mwh")
    assert (row.reported, row.recomputed) == ("161279.000 MWh", "161280.000 MWh")


def test_a_figure_left_out_and_one_too_many_are_named() -> None:
    def other(described: Manifest) -> Manifest:
        named = replace(described.parameters[0], name="cost")
        return replace(described, parameters=(named, *described.parameters[1:]))

    rows = {row.name: row for row in recompute(edited(FILES, other)).rows}
    assert rows["cost"].recomputed is None
    assert rows["rated_capacity_mw"].reported is None


def test_what_nothing_leads_to_is_named() -> None:
    found = recompute(rebuilt(FILES, **{"data__note.txt": b"x"}))
    assert "data/note.txt" in differing(found)


@pytest.mark.parametrize("path", [shape.PLANT_PATH, shape.FINDINGS_PATH, BATCHES])
def test_a_missing_file_is_named_even_where_no_manifest_names_it(path: str) -> None:
    found = recompute(rebuilt(FILES, **{path.replace("/", "__"): None}))
    assert found.files is None
    assert path in said(found)


def test_without_a_manifest_there_is_nothing_to_compare() -> None:
    with pytest.raises(PackageInvalid, match=r"manifest\.json"):
        recompute({})


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("standard", {"sha256": bytes(32)}),
        ("standard", {"version": "7"}),
        ("standard", {"name": "cets_power/2031"}),
        ("rules", {"version": "7"}),
        ("rules", {"name": "homemade"}),
    ],
)
def test_another_standard_is_asked_for_by_name_and_version(
    part: str, change: dict[str, str]
) -> None:
    def foreign(described: Manifest) -> Manifest:
        wanted = replace(getattr(described, part), **change)
        return replace(described, **{part: wanted})

    with pytest.raises(StandardNotInstalled, match="made by tanzheng-analytics 0") as error:
        recompute(edited(FILES, foreign))
    assert str(next(iter(change.values()))) in str(error.value) or "sha-256 0000" in str(
        error.value
    )
    assert error.value.exit_code == 2
    assert "tanzheng-analytics" in error.value.diagnostics()


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        (b'{"a":[1,{"name":"x","v":"1"}]}', b'{"a":[1,{"name":"x","v":"2"}]}',
         'a[1, name x].v: expected "1", got "2"'),
        (b'{"a":1}', b'{"b":1}', "a: expected 1, got nothing"),
        (b'{"b":1}', b'{"a":1,"b":1}', "a: expected nothing, got 1"),
        (b'{"a":[1]}', b'{"a":[1,2]}', "a: expected 1 items, got 2"),
        (b'{"a":1}', b'{"a": 1}', "byte 5: expected 0x31, got 0x20"),
        (b"abc", b"ab", "byte 2: expected 0x63, got the end"),
    ],
)  # fmt: skip
def test_the_first_difference_in_words(expected: bytes, got: bytes, said: str) -> None:
    assert first_difference(expected, got) == said


# ------------------------------------------------------------------ the command, on a machine alone


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the five wheels and what they require, nothing of a server."""
    assert not closure("tanzheng-verifier") & {"psycopg", "web3", "tanzheng-anchor"}
    return environment(MEMBERS, "tanzheng-verifier", tmp_path_factory.mktemp("stranger"))


OFF_LINE = """
import socket, sys
def refuse(*a, **k): raise SystemExit("a socket was opened")
socket.socket.__init__ = refuse
from tanzheng.cli.main import main
sys.argv[0] = "tanzheng"
main()
"""


def run(stranger: Path, *arguments: str) -> tuple[int, str]:
    """`tanzheng …` of the stranger, in an empty environment in which no socket opens."""
    done = subprocess.run(
        [str(stranger / "bin/python"), "-I", "-c", OFF_LINE, *arguments],
        capture_output=True, text=True, check=False, timeout=60, cwd=stranger,
        env={"COLUMNS": "160", "PYTHONUTF8": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(240)
def test_a_machine_with_the_wheels_and_the_package_only(stranger: Path, tmp_path: Path) -> None:
    write_files(FILES, tmp_path / "bag")
    again = tmp_path / "again"
    code, text = run(stranger, "recompute", str(tmp_path / "bag"), "--out", str(again), "--json")
    assert code == 0, text
    answer = json.loads(text)
    assert answer["ok"]
    assert {row["name"] for row in answer["rows"] if row["kind"] == "file"} == set(FILES)
    compared = subprocess.run(
        ["diff", "-r", tmp_path / "bag", again], capture_output=True, check=False
    )
    assert (compared.returncode, compared.stdout) == (0, b"")
    code, text = run(stranger, "recompute", str(tmp_path / "bag"))
    assert code == 0
    assert "重算一致" in text
    assert "✗" not in text
    code, text = run(stranger, "lineage", str(tmp_path / "bag"), "co2_calculated_t")
    assert code == 0
    assert "天然气消耗量" in text


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (BATCHES, "gw1.cborseq with sha-256"),
        (shape.HOURS_PATH, "hours.json with sha-256"),
        (shape.MANIFEST_PATH, "generation_mwh: expected 161280.000 MWh, got 161280.001 MWh"),
    ],
)
def test_one_changed_byte_on_that_machine(
    stranger: Path, tmp_path: Path, path: str, expected: str
) -> None:
    changed = FILES[path].replace(b"161280.000", b"161280.001")
    if changed == FILES[path]:
        data = bytearray(changed)
        data[len(data) // 2] ^= 1
        changed = bytes(data)
    write_files({**FILES, path: changed}, tmp_path / "bag")
    code, text = run(stranger, "recompute", str(tmp_path / "bag"))
    assert code == 3
    assert expected in " ".join(text.replace("│", " ").split())
    assert "重算不一致" in text


def test_a_package_of_another_version_says_so() -> None:
    newer = edited(FILES, lambda described: replace(described, software="tanzheng-analytics 9.9"))
    assert recompute(newer).equal
    for files, expected in ((newer, True), (FILES, False)):
        out = StringIO()
        show(recompute(files), Console(file=out, width=160))
        assert ("Made by 制作版本: tanzheng-analytics 9.9" in out.getvalue()) is expected


def test_a_taken_place_is_refused(tmp_path: Path) -> None:
    write_files(FILES, tmp_path / "bag")
    bag = str(tmp_path / "bag")
    done = subprocess.run(
        [Path(sys.executable).with_name("tanzheng"), "recompute", bag, "--out", bag],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "expected a free place" in done.stderr
