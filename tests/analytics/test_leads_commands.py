"""`tanzheng leads`: one lead from an alert to its closure, by the command line alone."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analytics.leads import ALERT, Desk
from tanzheng.analytics.anomalies import record
from tanzheng.analytics.leads.commands import app
from tanzheng.core.errors import BadInput, CheckFailed


def invoke(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def refused(kind: type[Exception], *words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(result.exception, kind), result.output
    return str(result.exception)


def asked(*words: object) -> Any:
    return json.loads(invoke(*words, "--json"))


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    """An alert file as `anomalies detect --out` writes it."""
    told: dict[str, Any] = {
        "version": 1, "seat": "nation", "graph_sha256": "00" * 32, "files": {},
        "first_month": "2023-01", "last_month": "2024-12", "units": 1, "peers": {},
        "other_sector_rows": 0, "not_looked_at": [],
    }  # fmt: skip
    marks = dict.fromkeys(("suppressed_by", "lead", "lead_state"))
    told["alerts"] = [{**marks, "alert": record.encode(ALERT)}]
    path = tmp_path / "alerts.json"
    path.write_text(json.dumps(told))
    return path


def test_a_lead_from_the_alert_to_its_closure(tmp_path: Path, alerts: Path) -> None:
    journal, proof = tmp_path / "leads.journal", tmp_path / "scale.txt"
    proof.write_text("chain check of the scale")
    nation, city = ("--as", "nation", "--by", "Li Wei"), ("--as", "320500", "--by", "Sun")
    plant = ("--as", "enterprise:E004", "--by", "Chen")
    opened = asked("open", journal, *nation, "--alerts", alerts, "--alert", ALERT.id[:4])
    assert (opened["lead"], opened["holder"]) == ("L0001", "nation")
    assert opened["alert"] == record.encode(ALERT)
    assert asked("hand-down", journal, "L0001", *nation)["holder"] == "320000"
    lead = asked("hand-down", journal, "L0001", "--as", "320000", "--by", "Wang", "--to", "320500")
    assert lead["holder"] == "320500"
    assert asked("hand-down", journal, "L0001", *city)["holder"] == "enterprise:E004"
    lead = asked(
        "answer", journal, "L0001", *plant, "--cause", "meter_fault", "--note", "Belt scale.",
        "--corrected", "2024-10", "--corrected", "2024-09", "--attach", proof,
    )  # fmt: skip
    answer = lead["history"][-1]
    assert answer["corrected_months"] == ["2024-09", "2024-10"]
    digest = hashlib.sha256(proof.read_bytes()).hexdigest()
    assert answer["attachments"] == [{"name": "scale.txt", "bytes": 24, "sha256": digest}]
    assert "E005" not in json.dumps(lead)
    send_back = ("review", journal, "L0001", *city, "--send-back")
    assert "a note for send_back" in refused(BadInput, *send_back)
    assert asked(*send_back, "--note", "which scale?")["holder"] == "enterprise:E004"
    invoke("answer", journal, "L0001", *plant, "--cause", "meter_fault", "--note", "Scale 2.")
    assert asked("review", journal, "L0001", *city, "--accept")["state"] == "accepted"
    close = ("close", journal, "L0001", "--outcome", "confirmed_error", "--note", "seen on site")
    assert "expected close by nation or above, got 320500" in refused(BadInput, *close, *city)
    assert asked(*close, *nation)["state"] == "closed"
    assert asked("due", journal)["leads"] == []
    assert asked("reopen", journal, "L0001", *nation, "--note", "again in May")["state"] == "held"
    assert "line follows from the one before" in invoke("fsck", journal)


def test_a_page_shows_the_alert_the_state_and_each_move(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "leads.journal")
    desk.asked()
    desk.answer()
    text = invoke("show", desk.path, "L0001")
    for words in ("fuel burned", "E005", "answered, to", "scale.pdf", "handed down 交办"):
        assert words in text
    text = invoke("show", desk.path, "L0001", "--as", "enterprise:E004")
    assert "E005" not in text
    assert "Li Wei" not in text


def test_leads_of_others_are_not_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "leads.journal")
    desk.asked()
    assert [lead["lead"] for lead in asked("list", desk.path, "--as", "320500")["leads"]] == [
        "L0001"
    ]
    for seat in ("330000", "320200", "enterprise:E005"):
        assert asked("list", desk.path, "--as", seat)["leads"] == []
        words = ("show", desk.path, "L0001", "--as", seat)
        assert "expected a lead of the journal" in refused(BadInput, *words)


def test_what_is_late_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "leads.journal")
    desk.asked()
    assert "2 days late" in invoke("due", desk.path, "--today", "2025-04-18")
    assert "1 days 天" in invoke("due", desk.path, "--today", "2025-04-15")
    assert "expected YYYY-MM-DD" in refused(BadInput, "due", desk.path, "--today", "May")


def test_a_lead_by_hand_says_what_is_missing(tmp_path: Path) -> None:
    journal = tmp_path / "leads.journal"
    words = ("open", journal, "--as", "320500", "--by", "Sun", "--enterprise", "E1")
    assert "expected --division, --unit, --month" in refused(BadInput, *words)
    rest = ("--division", "320583", "--unit", "U1", "--month", "2024-09")
    assert asked(*words, *rest)["months"] == ["2024-09"]
    assert "a mixture" in refused(BadInput, *words, *rest, "--alert", "1")


def test_fsck_names_a_torn_line_and_sets_it_aside(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "leads.journal")
    desk.asked()
    head = json.loads(invoke("fsck", desk.path, "--json"))["head"]
    desk.path.write_bytes(desk.path.read_bytes()[:-9])
    result = CliRunner().invoke(app, ["fsck", str(desk.path)])
    assert isinstance(result.exception, CheckFailed)
    assert "line 4: torn" in result.output.replace("\n", " ")
    assert "line 4" in refused(CheckFailed, "list", desk.path)
    invoke("fsck", desk.path, "--quarantine")
    assert len(list(tmp_path.glob("leads.journal.torn-4-*"))) == 1
    # What was confirmed and is gone shows against the head that was noted.
    refused(CheckFailed, "fsck", desk.path, "--head", head)
    assert len(asked("list", desk.path)["leads"][0]["history"]) == 3
