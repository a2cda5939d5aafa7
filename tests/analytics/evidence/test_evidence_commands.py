"""`tanzheng evidence`: a month from its package to the nation's draw, as the four roles do it."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from analytics.chains import sign_chain
from analytics.plants import END_MS, MONTH, PLANT, PLANT_TOML, START_MS, Run, record
from tanzheng.analytics import folder, package
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.annual.files import read_acceptances
from tanzheng.analytics.annual.months import ACCEPTED, Acceptance
from tanzheng.analytics.closing import close, findings_json
from tanzheng.analytics.errors import EvidenceMismatch
from tanzheng.analytics.evidence.commands import app
from tanzheng.analytics.evidence.errors import (
    DepositBlocked,
    JournalBroken,
    JournalTorn,
    MoveIllegal,
    ReasonNeeded,
)
from tanzheng.analytics.month import compute
from tanzheng.analytics.package import Standard
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import from_batches
from tanzheng.core.bag import bag_files
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.manifest import (
    FINDINGS_PATH,
    MANIFEST_PATH,
    TAG_PATHS,
    Manifest,
    PackageFile,
    PackageInvalid,
)

STANDARD = Standard(load_pack(), load_rules())
SUBJECT = "TEST-1/G1/2018-02"
RANDOMNESS = "5a" * 32
CLOSED = {
    "ready": "2018-03-05",
    "again": "2018-03-06",
    "explain": "2018-04-10",
    "blocked": "2018-02-28",
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """February, closed on different days; `sweetened` is blocked and says that it is ready."""
    chain = sign_chain(record([Run(START_MS, END_MS)]), span_ms=24 * 3_600_000)
    recorded = from_batches((signed.batch for signed in chain), PLANT)
    result = compute(
        PLANT, "G1", MONTH, recorded.series, recorded.gaps, STANDARD.pack, STANDARD.rules
    )
    out = tmp_path_factory.mktemp("packages")
    for name, day in CLOSED.items():
        closing = close(result, STANDARD.pack, STANDARD.rules, date.fromisoformat(day))
        files = package.build(PLANT_TOML, result, closing, STANDARD, {"gw1": chain}, bytes(32))
        assert files[FINDINGS_PATH] == findings_json(result, closing)
        folder.write(out / name, files, bytes(32), lambda _: None)
    folder.write(out / "sweetened", sweetened(folder.read(out / "blocked")), bytes(32), print)
    (out / "plant.toml").write_bytes(PLANT_TOML)
    return out


def sweetened(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The package with another word on the deposit, and everything above it made anew."""
    payload = {path: data for path, data in files.items() if path not in TAG_PATHS}
    payload[FINDINGS_PATH] = payload[FINDINGS_PATH].replace(b'"blocked"', b'"ready"')
    old = Manifest.decode(payload.pop(MANIFEST_PATH))
    fields = {name: getattr(old, name) for name in old.__slots__}
    fields["files"] = tuple(PackageFile.of(path, payload[path]) for path in sorted(payload))
    payload[MANIFEST_PATH] = Manifest(**fields).encode()
    return bag_files(payload)


@pytest.fixture
def office(packages: Path, tmp_path: Path) -> "Office":
    return Office(packages, tmp_path / "journal.jsonl")


class Office:
    """Where the commands are given, one journal on the desk."""

    def __init__(self, packages: Path, journal: Path) -> None:
        self.packages, self.journal = packages, journal

    def run(self, *words: object) -> Result:
        arguments = [*map(str, words), "--journal", str(self.journal)]
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})

    def json(self, *words: object) -> dict[str, Any]:
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.exception
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    def move(self, move: str, what: str, role: str, at: str, *more: object) -> Result:
        place = self.packages / what if move in {"check", "deposit", "correct"} else what
        by = ["--role", role, "--actor", "王芳", "--at", f"{at}T09:30:00+08:00"]
        return self.run(move, place, *by, *more)

    def done(self, move: str, what: str, role: str, at: str, *more: object) -> str:
        result = self.move(move, what, role, at, *more)
        assert result.exit_code == 0, result.exception
        return result.stdout

    def refused(self, error: type[Exception], *words: object) -> str:
        before = self.journal.read_bytes() if self.journal.exists() else b""
        result = self.move(*words)  # type: ignore[arg-type]
        assert isinstance(result.exception, error), result.exception
        assert (self.journal.read_bytes() if self.journal.exists() else b"") == before
        return str(result.exception)

    def accepted(self) -> None:
        self.done("check", "ready", "enterprise", "2018-03-07")
        self.done("deposit", "ready", "enterprise", "2018-03-07")
        self.done("review", SUBJECT, "city", "2018-03-12", "--version", 1)
        self.done("review", SUBJECT, "province", "2018-03-20", "--version", 1)


def test_a_month_goes_its_way(office: Office) -> None:
    office.done("check", "ready", "enterprise", "2018-03-07")
    page = office.done("deposit", "ready", "enterprise", "2018-03-07")
    for words in (
        "TEST-1 · G1 · 2018-02",
        "✓ deposit 存证  ● city 市级",
        "deposited, awaits the city · 已存证，待市级审核",
        "2018-04-09",
        "deposited in time, 2018-03-07",
        "city review 市级审核通过",
        "王芳",
    ):
        assert words in page
    why = ("--reason", "wrong_meter", "--note", "The gas meter was swapped on the 3rd.")
    page = office.done("return", SUBJECT, "city", "2018-03-12", "--version", 1, *why)
    assert "↩ deposit 存证" in page
    page = office.done("correct", "again", "enterprise", "2018-03-15", "--reason", "review_answer")
    assert "1 → 2" in page
    assert "● city 市级" in page
    office.done("review", SUBJECT, "city", "2018-03-16", "--version", 2)
    page = office.done("review", SUBJECT, "province", "2018-03-20", "--version", 2)
    assert "accepted by the province, locked" in page
    told = office.json("status", SUBJECT, "--today", "2018-06-01")
    assert (told["state"], told["accepted"], told["late_days"]) == ("province_reviewed", True, 0)
    digests = [
        sha256((office.packages / name / MANIFEST_PATH).read_bytes()).hex()
        for name in ("ready", "again")
    ]
    assert [v["manifest_sha256"] for v in told["versions"]] == digests
    assert told["moves"] == [
        {"role": "nation", "move": "sample"},
        {"role": "nation", "move": "reopen"},
    ]


def test_accepted_months_are_what_the_annual_report_reads(office: Office) -> None:
    office.accepted()
    page = office.run("accepted", "TEST-1", "--year", 2018).stdout
    for words in ("G1", "2018-03-07", "2018-03-20", "已审定月份: 1"):
        assert words in page
    written = office.journal.with_name("accepted.json")
    written.write_text(office.run("accepted", "TEST-1", "--year", 2018, "--json").stdout)
    (found,) = read_acceptances(written)
    manifest = (office.packages / "ready" / MANIFEST_PATH).read_bytes()
    assert found == Acceptance("G1", MONTH, 1, sha256(manifest), ACCEPTED, date(2018, 3, 7))
    assert office.json("accepted", "TEST-2", "--year", 2018)["months"] == []


def test_after_acceptance_only_the_nation_opens(office: Office) -> None:
    office.accepted()
    why = ("--reason", "wrong_value")
    said = office.refused(MoveIllegal, "correct", "again", "enterprise", "2018-04-01", *why)
    assert "nation sample, nation reopen" in said
    assert "locked 已锁定" in said
    words = ("--version", 1, *why, "--note", "The meter ran backwards.")
    office.refused(MoveIllegal, "return", SUBJECT, "province", "2018-04-01", *words)
    office.refused(MoveIllegal, "reopen", SUBJECT, "province", "2018-04-01", *words)
    office.done("reopen", SUBJECT, "nation", "2018-04-01", *words)
    office.done("correct", "again", "enterprise", "2018-04-02", *why)


def test_the_gate(office: Office) -> None:
    said = office.refused(DepositBlocked, "check", "blocked", "enterprise", "2018-03-07")
    assert "got blocked" in said
    assert not office.journal.exists()
    office.refused(EvidenceMismatch, "check", "sweetened", "enterprise", "2018-03-07")
    office.done("check", "explain", "enterprise", "2018-04-08")
    office.refused(ReasonNeeded, "deposit", "explain", "enterprise", "2018-04-08")
    office.refused(BadInput, "deposit", "ready", "enterprise", "2018-04-08")
    words = ("--reason", "explained_finding", "--note", "The laboratory was closed.")
    page = office.done("deposit", "explain", "enterprise", "2018-04-08", *words)
    assert "“The laboratory was closed.”" in page
    assert "a failed rule is explained" in page
    assert "校验未通过项已说明" in page


def test_a_late_deposit_says_why(office: Office) -> None:
    office.done("check", "ready", "enterprise", "2018-04-11")
    assert "late by 2 days · 逾期 2 天" in office.run(
        "status", SUBJECT, "--today", "2018-04-11"
    ).stdout  # fmt: skip
    office.refused(ReasonNeeded, "deposit", "ready", "enterprise", "2018-04-11")
    words = ("--reason", "late_other", "--note", "The seal was with the auditor.")
    office.done("deposit", "ready", "enterprise", "2018-04-11", *words)
    assert office.json("status", SUBJECT)["late_days"] == 2


def test_a_damaged_bag_is_no_evidence(office: Office, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for path, data in folder.read(office.packages / "ready").items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(data + b" " * (path == "data/hours.json"))
    result = office.move("check", str(copy), "enterprise", "2018-03-07")
    assert isinstance(result.exception, PackageInvalid)
    assert "data/hours.json" in str(result.exception)


def test_the_wrong_role_is_told_who_may(office: Office) -> None:
    said = office.refused(MoveIllegal, "check", "ready", "city", "2018-03-07")
    assert "in state draft 草稿，未存证, one of (enterprise check), got city check" in said
    assert "one of enterprise, city" in office.refused(
        BadInput, "check", "ready", "mayor", "2018-03-07"
    )


def test_the_nation_publishes_the_pool_and_draws(office: Office) -> None:
    office.accepted()
    told = office.json("sample", "--period", "2018")
    assert told["pool"] == [f"{SUBJECT}/month"]
    assert told["pool_sha256"] == sha256(f"{SUBJECT}/month\n".encode()).hex()
    by = ("--role", "nation", "--actor", "NCSC", "--at", "2018-05-02T10:00:00+08:00")
    words = ("sample", "--period", "2018", "--randomness", RANDOMNESS, "--count", 1)
    assert "expected --role and --actor" in str(office.run(*words).exception)
    assert "one of --count and --share" in str(office.run(*words, *by, "--share", "1").exception)
    page = office.run(*words, *by).stdout
    assert "drawn 抽取 1 of 1 (2018)" in page
    assert RANDOMNESS in page
    assert office.json("status", SUBJECT)["state"] == "sampled"
    assert "a new draw" in str(office.run(*words, *by).exception)


def test_who_is_late_and_who_is_reminded(office: Office) -> None:
    office.accepted()
    plant = ("--plant", office.packages / "plant.toml")
    words = ("due", *plant, "--month", "2018-01", "--month", "2018-02", "--today", "2018-03-13")
    told = office.json(*words)
    assert [(row["subject"], row["state"], row["late_days"]) for row in told["months"]] == [
        ("TEST-1/G1/2018-01/month", "draft", 1),
        ("TEST-1/G1/2018-02/month", "province_reviewed", 0),
    ]
    assert [item["id"] for item in told["months"][0]["reminders"]] == ["late_1_day"]
    page = office.run(*words).stdout
    for text in (
        "months 月份 2, deposited 已存证 1, late 逾期 1",
        "已逾期（截止日 2018-03-12）",
        "纸上电厂",
    ):
        assert text in page
    since = office.json(*words, "--since", "2018-03-08")
    assert len(since["months"][0]["reminders"]) == 3


def test_the_log_and_the_head(office: Office) -> None:
    office.accepted()
    told = office.json("log", SUBJECT)
    assert [(e["role"], e["move"]) for e in told["entries"]] == [
        ("enterprise", "check"), ("enterprise", "deposit"), ("city", "review"),
        ("province", "review"),
    ]  # fmt: skip
    assert office.json("log", "TEST-1/G1/2018-03")["entries"] == []
    assert "省级" in office.run("log").stdout
    kept = told["entries"][1]["digest"]
    assert office.json("fsck", "--head", kept)["added"] == 2
    page = office.run("fsck", "--head", told["head"]).stdout
    assert "entries since the head that was kept · 另存之后新增: 0" in page
    missing = office.run("fsck", "--head", "00" * 31 + "01").exception
    assert isinstance(missing, JournalBroken)
    assert missing.exit_code == 3


def test_a_torn_line_is_put_aside_by_command(office: Office) -> None:
    office.accepted()
    raw = office.journal.read_bytes()
    office.journal.write_bytes(raw[:-9])
    result = office.run("status", SUBJECT)
    assert isinstance(result.exception, JournalTorn)
    assert f"{office.journal}:4: " in str(result.exception)
    told = office.json("fsck", "--quarantine")
    assert told["entries"] == 3
    assert Path(told["quarantined"]).read_bytes() == raw.splitlines(keepends=True)[3][:-9]
    assert "未写完的行已隔离" not in office.run("fsck", "--quarantine").stdout
    office.done("review", SUBJECT, "province", "2018-03-20", "--version", 1)
    assert office.journal.read_bytes() == raw


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "TEST-1/G1"), "expected a month ENTERPRISE/UNIT/YYYY-MM"),
        (("status", "TEST-1/G1/2018-2"), "expected a month YYYY-MM"),
        (("status", SUBJECT, "--today", "soon"), "--today: expected YYYY-MM-DD"),
        (("status", SUBJECT, "--pack", "cets_power/1900"), "name of a standard pack"),
        (("review", SUBJECT, "--role", "city", "--actor", "x", "--version", "1", "--at",
          "2018-03-01T00:00:00"), "--at: expected YYYY-MM-DDThh:mm:ss"),
        (("review", SUBJECT, "--role", "city", "--actor", "x", "--version", "1", "--at",
          "9998-03-01T00:00:00+08:00"), "--at: expected a time not after"),
        (("due", "--plant", "nowhere.toml", "--month", "2018-02"), "expected a plant file"),
    ],
)  # fmt: skip
def test_what_a_person_writes_wrong_is_named(
    office: Office, words: tuple[str, ...], said: str
) -> None:
    office.journal.touch()
    result = office.run(*words)
    assert isinstance(result.exception, BadInput), result.exception
    assert said in str(result.exception)


def test_without_a_time_it_is_now(office: Office) -> None:
    office.journal.touch()
    by = ("--role", "enterprise", "--actor", "x")
    (entry,) = office.json("check", office.packages / "ready", *by)["entries"]
    assert entry["at"].endswith("+08:00")
    assert entry["deposit"] == "explain"
