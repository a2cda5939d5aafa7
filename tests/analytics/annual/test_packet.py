"""The packet: whole, the same each time, and nothing in it can be changed unseen."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics.years import (
    YEAR,
    accepted,
    accounts,
    coal_input,
    coal_year,
    gas_figures,
    gas_package,
    gas_year,
)
from tanzheng.analytics.annual import packet, record
from tanzheng.analytics.annual.assemble import annual_report
from tanzheng.analytics.annual.commands import app
from tanzheng.analytics.annual.files import AcceptanceList, read_evidence
from tanzheng.analytics.annual.held import EvidenceDiffers, hold_against
from tanzheng.analytics.annual.packages import read_package
from tanzheng.analytics.annual.packet import PacketInvalid
from tanzheng.analytics.errors import PackageExists
from tanzheng.core import canonical_json
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput, CheckFailed
from tanzheng.core.hashing import sha256, sm3

FINAL = annual_report(gas_year(), accepted(gas_year()))
FILES = packet.packet(FINAL)


def test_a_packet_holds_and_is_the_same_each_time() -> None:
    again = packet.packet(annual_report(gas_year()[::-1], accepted(gas_year())))
    assert again == FILES
    checked = packet.check(FILES)
    assert checked.made_again
    assert checked.report == FINAL


def test_the_sums_are_those_of_the_files() -> None:
    for line in FILES[packet.SUMS].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(FILES[name]).hexdigest() == digest
    assert len(FILES[packet.SUMS].splitlines()) == len(packet.NAMES) - 1


def test_the_list_of_months_has_what_the_journal_said() -> None:
    rows = canonical_json.loads(FILES[packet.MONTHS])["months"]
    assert len(rows) == 24
    first, item = rows[0], gas_year()[0]
    assert first["manifest_sha256"] == item.month.origin.sha256.hex()
    assert (first["version"], first["state"]) == (1, "accepted")
    assert first["deposited_on"] == "2024-02-21"
    draft = packet.packet(annual_report(coal_year()))
    row = canonical_json.loads(draft[packet.MONTHS])["months"][0]
    assert (row["version"], row["state"], row["deposited_on"]) == (None, None, None)


@pytest.mark.parametrize("name", packet.NAMES)
def test_a_changed_byte_is_found(name: str) -> None:
    data = bytearray(FILES[name])
    data[len(data) // 2] ^= 1
    with pytest.raises((CheckFailed, BadInput)):
        packet.check({**FILES, name: bytes(data)})


@pytest.mark.parametrize("name", packet.NAMES)
def test_a_missing_file_is_named(name: str) -> None:
    left = {other: data for other, data in FILES.items() if other != name}
    with pytest.raises(PacketInvalid, match=name):
        packet.check(left)


def test_a_file_too_many_is_named() -> None:
    with pytest.raises(PacketInvalid, match=r"extra\.txt"):
        packet.check({**FILES, "extra.txt": b""})


def forged(name: str, data: bytes) -> dict[str, bytes]:
    """The packet with another file and a manifest that names it rightly."""
    files = {**FILES, name: data}
    described = canonical_json.loads(files[packet.MANIFEST])
    for row in described["files"]:
        if row["name"] == name:
            one = packet.PacketFile(name, len(data), sha256(data), sm3(data))
            row.update(record.to_json(one))
    files[packet.MANIFEST] = canonical_json.dumps(described)
    rest = sorted(other for other in files if other != packet.SUMS)
    lines = [f"{hashlib.sha256(files[other]).hexdigest()}  {other}\n" for other in rest]
    return {**files, packet.SUMS: "".join(lines).encode()}


def test_another_pdf_with_a_manifest_of_its_own_is_found() -> None:
    other = FILES["report-en.pdf"].replace(b"%PDF-1.4", b"%PDF-1.5", 1)
    assert other != FILES["report-en.pdf"]
    with pytest.raises(PacketInvalid, match=r"report-en\.pdf that follows from report\.json"):
        packet.check(forged("report-en.pdf", other))


def test_another_list_of_months_with_a_manifest_of_its_own_is_found() -> None:
    other = FILES[packet.MONTHS].replace(b'"accepted"', b'"returned"', 1)
    with pytest.raises(PacketInvalid, match=r"months\.json that follows"):
        packet.check(forged(packet.MONTHS, other))


def test_other_libraries_are_said_and_nothing_is_claimed() -> None:
    described = canonical_json.loads(FILES[packet.MANIFEST])
    described["maker"]["reportlab"] = "0.0"
    files = {**FILES, packet.MANIFEST: canonical_json.dumps(described)}
    rest = sorted(other for other in files if other != packet.SUMS)
    lines = [f"{hashlib.sha256(files[other]).hexdigest()}  {other}\n" for other in rest]
    files[packet.SUMS] = "".join(lines).encode()
    assert not packet.check(files).made_again


def test_an_archive_holds_the_same() -> None:
    data = packet.zipped(FILES, "binhai-2024")
    assert data == packet.zipped(FILES, "binhai-2024")
    assert packet.unzipped(data, "x.zip") == FILES
    with pytest.raises(BadInput, match=r"x\.zip: expected a ZIP archive"):
        packet.unzipped(data[: len(data) // 2], "x.zip")


def test_a_report_is_held_against_its_evidence() -> None:
    hold_against(FINAL, gas_year())
    with pytest.raises(EvidenceDiffers, match=r"G1, 2024-01: expected its evidence"):
        hold_against(FINAL, gas_year()[1:])
    other = read_package(gas_package("G1", Month(YEAR, 1), gas_figures(2)), "other")
    with pytest.raises(EvidenceDiffers, match="expected the month of other"):
        hold_against(FINAL, [other, *gas_year()[1:]])


# ------------------------------------------------------------------ commands


def run(*words: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "100"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def evidence(tmp_path: Path) -> list[Path]:
    """Twenty-four packages in folders."""
    folders = []
    for unit, capacity in (("G1", "300"), ("G2", "180")):
        for number in range(1, 13):
            folder = tmp_path / "evidence" / f"{unit}-{number:02d}"
            files = gas_package(unit, Month(YEAR, number), gas_figures(number, capacity))
            for path, data in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
            folders.append(folder)
    return folders


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The list of accepted months."""
    path = tmp_path / "accepted.json"
    path.write_text(json.dumps(record.to_json(AcceptanceList(1, accepted(gas_year())))))
    return path


@pytest.mark.parametrize("name", ["packet", "packet.zip"])
def test_from_folders_to_a_checked_packet(
    evidence: Sequence[Path], journal: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    said = run("packet", *evidence, "--accepted", journal, "--out", out)
    assert "997,347 t" in said
    assert "24 / 24" in said
    told = json.loads(run("check", out, *evidence, "--json"))
    assert told == {
        "total_t": "997347",
        "report_sha256": hashlib.sha256(FILES[packet.REPORT]).hexdigest(),
        "draft": False,
        "made_again": True,
        "held_against_evidence": True,
    }
    assert "逐字节" in run("check", out)
    with pytest.raises(PackageExists):
        run("packet", *evidence, "--out", out)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_coal_year_from_account_results(tmp_path: Path) -> None:
    for unit, scale in (("1", 100), ("2", 61)):
        (tmp_path / f"unit{unit}.json").write_bytes(accounts(coal_input(unit, scale)))
    files = [tmp_path / "unit1.json", tmp_path / "unit2.json"]
    for name in ("year.pdf", "year.xlsx", "year.json"):
        assert "5,015,964 t" in run("report", *files, "--out", tmp_path / name, "--language", "en")
    assert (tmp_path / "year.json").read_bytes() == annual_report(read_evidence(files)).encode()
    assert json.loads(run("report", *files, "--json"))["total"] == "5015964"


def test_what_the_commands_refuse(tmp_path: Path) -> None:
    one = tmp_path / "one.json"
    one.write_bytes(accounts(coal_input("1")))
    with pytest.raises(BadInput, match="--language: expected one of zh, en, got 'de'"):
        run("report", one, "--out", tmp_path / "a.pdf", "--language", "de")
    with pytest.raises(BadInput, match=r"expected a name ending in \.pdf"):
        run("report", one, "--out", tmp_path / "a.docx")
    with pytest.raises(BadInput, match="expected an evidence package or results"):
        run("report", tmp_path / "none.json")
    with pytest.raises(BadInput, match="expected a list of accepted months"):
        run("report", one, "--accepted", tmp_path / "none.json")
    journal = tmp_path / "journal.json"
    journal.write_text('{"version": 1, "months": [{"unit": "1"}]}')
    with pytest.raises(BadInput, match=r"months\[0\]: expected exactly the keys"):
        run("report", one, "--accepted", journal)
    with pytest.raises(BadInput, match="expected a ZIP archive"):
        run("check", one)


def test_without_the_library_of_pdf_it_says_what_to_install(tmp_path: Path) -> None:
    """The library is an extra: a verifier who only recomputes does without."""
    report = tmp_path / "report.json"
    report.write_bytes(FINAL.encode())
    program = (
        "import sys; sys.modules['reportlab'] = None\n"
        "from tanzheng.analytics.annual.report import decode\n"
        "from tanzheng.analytics.annual.packet import packet\n"
        "packet(decode(open(sys.argv[1], 'rb').read(), 'report'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(report)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "BadInput: expected the library that writes PDF: install tanzheng-analytics[report]" in (
        done.stderr
    )
