"""`tanzheng leads`: from an alert to its closure, each step one line of a journal.

The command line believes who somebody says they are: whoever may write the file may move any lead.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tanzheng.analytics.terminal import print_json, print_page
from tanzheng.core.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from tanzheng.analytics.leads.lead import Lead
    from tanzheng.analytics.leads.moves import Attachment, Subject

app = typer.Typer(
    help="Leads: opened, handed down, answered, closed · 问题线索", no_args_is_help=True
)
Journal = Annotated[Path, typer.Argument(help="Journal of leads, made if new · 线索台账")]
Name = Annotated[str, typer.Argument(help="Number of the lead, L0001 · 线索编号")]
As = Annotated[str, typer.Option("--as", help="nation, 320000, 320500, enterprise:ID · 层级或企业")]
By = Annotated[str, typer.Option(help="Who does it · 经办人")]
Note = Annotated[str, typer.Option(help="In words · 说明")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]
Today = Annotated[str | None, typer.Option(help="Day to count from, YYYY-MM-DD · 日期")]


@app.command("open")
def open_lead(
    journal: Journal,
    seat: As,
    by: By,
    alerts: Annotated[Path | None, typer.Option(help="File of detect --out · 告警文件")] = None,
    alert: Annotated[str | None, typer.Option(help="Id of the alert · 告警编号")] = None,
    enterprise: Annotated[str | None, typer.Option(help="By hand: whose · 企业")] = None,
    division: Annotated[str | None, typer.Option(help="Its division code · 行政区划")] = None,
    unit: Annotated[str | None, typer.Option(help="By hand: which unit · 机组")] = None,
    month: Annotated[list[str] | None, typer.Option(help="YYYY-MM, again · 月份")] = None,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Open a lead from an alert (--alerts, --alert), or by hand · 立案."""
    from tanzheng.analytics.leads import register
    from tanzheng.analytics.seats import Seat

    by_hand = {"--enterprise": enterprise, "--division": division, "--unit": unit}
    if alerts is not None and alert is not None and not any([*by_hand.values(), month]):
        subject = _from_alert(alerts, alert)
    elif alerts is None and alert is None:
        subject = _by_hand(by_hand, month or [])
    else:
        raise BadInput("expected --alerts and --alert, or --enterprise … --month, got a mixture")
    lead = register.open_lead(journal, Seat.parse(seat), by, note, subject, datetime.now(UTC))
    _moved(lead, seat, as_json=as_json)


@app.command("list")
def list_leads(journal: Journal, seat: As = "nation", as_json: Json = False) -> None:
    """List the leads that a seat may see · 线索清单."""
    _show(journal, seat, None, as_json=as_json, waiting=False)


@app.command("due")
def due(journal: Journal, seat: As = "nation", today: Today = None, as_json: Json = False) -> None:
    """List what is not closed, the most urgent first, with whose turn it is · 到期提醒."""
    _show(journal, seat, today, as_json=as_json, waiting=True)


@app.command("show")
def show(journal: Journal, lead: Name, seat: As = "nation", as_json: Json = False) -> None:
    """Show one lead: its alert, where it stands, each move · 线索详情."""
    from tanzheng.analytics.leads import pages, register
    from tanzheng.analytics.seats import Seat
    from tanzheng.analytics.today import day

    reader = Seat.parse(seat)
    found = register.find_seen(register.read(journal), lead, reader)
    if as_json:
        print_json(pages.lead_json(found, reader))
    else:
        print_page(pages.lead_page(found, reader, day(None)))


@app.command("hand-down")
def hand_down(
    journal: Journal,
    lead: Name,
    seat: As,
    by: By,
    to: Annotated[str | None, typer.Option(help="If not to the next level · 交办至")] = None,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Hand a lead to the level below: nation, province, city, enterprise · 交办."""
    from tanzheng.analytics.leads.lead import next_down
    from tanzheng.analytics.seats import Seat

    target = Seat.parse(to) if to is not None else None
    _move(
        journal, lead, seat, by, note, "hand_down", as_json=as_json,
        to=lambda found: target or next_down(found),
    )  # fmt: skip


@app.command("answer")
def answer(
    journal: Journal,
    lead: Name,
    seat: As,
    by: By,
    cause: Annotated[str, typer.Option(help="Code of the cause; a wrong one lists all · 原因代码")],
    note: Annotated[str, typer.Option(help="What happened, what was done · 说明")],
    corrected: Annotated[
        list[str] | None, typer.Option(help="Month corrected, YYYY-MM, again · 已更正月份")
    ] = None,
    attach: Annotated[
        list[Path] | None, typer.Option(help="File as proof: its SHA-256 is kept · 附件")
    ] = None,
    as_json: Json = False,
) -> None:
    """Answer a lead: cause, words, proof, months corrected or none · 答复."""
    _move(
        journal, lead, seat, by, note, "answer", as_json=as_json, cause=lambda _: cause,
        corrected_months=lambda _: tuple(sorted(set(corrected or []))),
        attachments=lambda _: tuple(_attachment(path) for path in attach or []),
    )  # fmt: skip


@app.command("review")
def review(
    journal: Journal,
    lead: Name,
    seat: As,
    by: By,
    accept: Annotated[bool, typer.Option("--accept/--send-back", help="Verdict · 审核结论")],
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Accept an answer, or send it back with a reason (--note) · 审核."""
    _move(journal, lead, seat, by, note, "accept" if accept else "send_back", as_json=as_json)


@app.command("close")
def close(
    journal: Journal,
    lead: Name,
    seat: As,
    by: By,
    outcome: Annotated[str, typer.Option(help="confirmed_error, explained or false_alert · 结论")],
    note: Annotated[str, typer.Option(help="Why · 理由")],
    as_json: Json = False,
) -> None:
    """Close a lead, by whom it was opened or above · 销号."""
    _move(journal, lead, seat, by, note, "close", as_json=as_json, outcome=lambda _: outcome)


@app.command("reopen")
def reopen(
    journal: Journal,
    lead: Name,
    seat: As,
    by: By,
    note: Annotated[str, typer.Option(help="Why · 理由")],
    as_json: Json = False,
) -> None:
    """Open a closed lead again, by whom it was opened or above · 重新立案."""
    _move(journal, lead, seat, by, note, "reopen", as_json=as_json)


@app.command("fsck")
def fsck(
    journal: Journal,
    head: Annotated[
        str | None, typer.Option(help="Digest noted before: its line must be there · 末行摘要")
    ] = None,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Put a torn last line aside · 隔离未写完的行")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every line, the chain, and that each move was legal; exit code 3 if not · 校验台账."""
    from tanzheng.analytics import lines_file
    from tanzheng.analytics.leads import register
    from tanzheng.analytics.leads.pages import check_page

    if quarantine and (aside := lines_file.quarantine(journal)):
        typer.echo(f"{aside}: the unfinished line · 残行已移出", err=True)
    found = register.fsck(journal, head)
    if as_json:
        print_json({"entries": found.entries, "head": found.head, "torn_bytes": found.torn_bytes,
                    "faults": list(found.faults)})  # fmt: skip
    else:
        print_page(check_page(found))
    if found.faults:
        raise CheckFailed(f"{journal}: expected no fault, got {len(found.faults)} · 台账异常")


def _move(
    journal: Path, name: str, seat: str, by: str, note: str, kind: str, *, as_json: bool, **own: Any
) -> None:
    """Make a move; `own` gives, for the lead as it stands, what belongs to this kind."""
    from tanzheng.analytics.leads import register
    from tanzheng.analytics.leads.moves import Move
    from tanzheng.analytics.seats import Seat

    mover = Seat.parse(seat)

    def make(lead: "Lead") -> Move:
        more = {key: given(lead) for key, given in own.items()}
        return Move(kind, name, mover, by, note, None, **more)

    lead = register.move_lead(journal, name, mover, make, datetime.now(UTC))
    _moved(lead, seat, as_json=as_json)


def _moved(lead: "Lead", seat: str, *, as_json: bool) -> None:
    from tanzheng.analytics.leads.pages import lead_json, moved_line
    from tanzheng.analytics.seats import Seat

    if as_json:
        print_json(lead_json(lead, Seat.parse(seat)))
    else:
        typer.echo(moved_line(lead))


def _show(journal: Path, seat: str, today: str | None, *, as_json: bool, waiting: bool) -> None:
    from tanzheng.analytics.leads import pages, register
    from tanzheng.analytics.seats import Seat
    from tanzheng.analytics.today import day

    reader = Seat.parse(seat)
    leads = register.seen(register.read(journal), reader)
    if waiting:
        leads = sorted(
            (lead for lead in leads if lead.due_on is not None),
            key=lambda lead: (lead.due_on, lead.id),
        )
    if as_json:
        print_json({"leads": [pages.lead_json(lead, reader) for lead in leads]})
    else:
        print_page(pages.list_page(leads, day(today)))


def _from_alert(alerts: Path, name: str) -> "Subject":
    from tanzheng.analytics.anomalies.report import decode
    from tanzheng.analytics.anomalies.scope import place
    from tanzheng.analytics.leads.moves import Subject

    found = decode(_read(alerts), alerts.name).alert(name)
    return Subject(place(found), found.unit, found.months, found)


def _by_hand(given: "dict[str, str | None]", months: list[str]) -> "Subject":
    from tanzheng.analytics.leads.moves import Subject
    from tanzheng.analytics.seats import Place

    missing = [name for name, value in given.items() if value is None]
    if missing or not months:
        wanted = ", ".join([*missing, *([] if months else ["--month"])])
        raise BadInput(f"expected {wanted}, or --alerts and --alert, got none")
    enterprise, division, unit = (str(value) for value in given.values())
    return Subject(Place(enterprise, division), unit, tuple(sorted(set(months))), None)


def _attachment(path: Path) -> "Attachment":
    from tanzheng.analytics.leads.moves import Attachment
    from tanzheng.core.hashing import sha256

    data = _read(path)
    return Attachment(path.name, len(data), sha256(data).hex())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: expected a file, got {error.strerror}") from None
