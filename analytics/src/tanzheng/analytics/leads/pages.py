"""Leads as pages for the terminal and as maps for machines, cut to what a seat may see."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta, timezone
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.analytics.anomalies import record
from tanzheng.analytics.anomalies.pages import alert_page
from tanzheng.analytics.anomalies.scope import seen_by
from tanzheng.analytics.journal import Check
from tanzheng.analytics.leads.lead import Lead, State
from tanzheng.analytics.leads.moves import Move, encode
from tanzheng.analytics.leads.words import lead_data
from tanzheng.analytics.seats import Seat
from tanzheng.core.calendar import CHINA

STATES = {
    State.HELD: ("with", "待办"),
    State.ANSWERED: ("answered, to review", "已答复待审核"),
    State.ACCEPTED: ("accepted, to close", "已通过待销号"),
    State.CLOSED: ("closed", "已销号"),
}
MOVES = {
    "open": ("opened", "立案"),
    "hand_down": ("handed down", "交办"),
    "answer": ("answered", "答复"),
    "accept": ("accepted", "审核通过"),
    "send_back": ("sent back", "退回"),
    "close": ("closed", "销号"),
    "reopen": ("reopened", "重新立案"),
}
ZONE = timezone(timedelta(minutes=CHINA.offset_minutes))


def list_page(leads: Sequence[Lead], today: date) -> RenderableType:
    """Leads one a row, with whose turn it is and until when."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("Lead\n线索", no_wrap=True, style="bold")
    table.add_column("Unit, months\n机组、月份", no_wrap=True)
    table.add_column("About\n事项", overflow="fold")
    table.add_column("State\n状态", overflow="fold")
    table.add_column("Due\n期限", no_wrap=True, justify="right")
    for lead in leads:
        subject = lead.subject
        span = " – ".join(dict.fromkeys((subject.months[0], subject.months[-1])))
        about = (subject.alert.en, subject.alert.zh) if subject.alert else ("by hand", "人工立案")
        table.add_row(
            lead.id,
            f"{subject.place.enterprise} {subject.unit}\n{span}",
            Text.assemble(about[0], "\n", (about[1], "dim")),
            "\n".join(_state(lead)),
            _due(lead, today),
        )
    return Group(table, Text(f"leads: {len(leads)} · 线索 {len(leads)} 条"))


def lead_page(lead: Lead, seat: Seat, today: date) -> RenderableType:
    """One lead: its alert as the seat may see it, then each move."""
    alert = lead.subject.alert
    shown = [alert_page(seen_by(alert, seat))] if alert else []
    return Group(*shown, list_page([lead], today), _history(lead, seat))


def lead_json(lead: Lead, seat: Seat) -> dict[str, Any]:
    """The lead as maps and text."""
    subject = lead.subject
    alert = subject.alert and record.encode(seen_by(subject.alert, seat))
    return {
        "lead": lead.id,
        "state": lead.state.value,
        "holder": str(lead.holder),
        "due_on": lead.due_on and lead.due_on.isoformat(),
        "outcome": lead.outcome,
        "enterprise": subject.place.enterprise,
        "division": subject.place.division,
        "unit": subject.unit,
        "months": list(subject.months),
        "alert": alert,
        "history": [
            {"at": at.isoformat().replace("+00:00", "Z"), **_without_alert(step)}
            for at, step in lead.history_for(seat)
        ],
    }


def moved_line(lead: Lead) -> str:
    """What a move led to, in one line."""
    en, zh = _state(lead)
    due = f", due {lead.due_on} · 期限 {lead.due_on}" if lead.due_on else ""
    return f"{lead.id}: {en} {zh}{due}"


def check_page(found: Check) -> RenderableType:
    """The journal's check: lines, head, faults."""
    head = Text(f"lines 行数: {found.entries}\nhead 末行摘要:\n{found.head}")
    if not found.faults:
        return Group(head, Text("every line follows from the one before · 链条完整", style="green"))
    return Group(head, *(Text(fault, style="bold red") for fault in found.faults))


def _without_alert(step: Move) -> dict[str, Any]:
    if step.subject is None:
        return encode(step)
    return encode(replace(step, subject=replace(step.subject, alert=None)))


def _state(lead: Lead) -> tuple[str, str]:
    en, zh = STATES[lead.state]
    if lead.state is State.HELD:
        return f"{en} {lead.holder}", zh
    if lead.outcome is not None:
        outcome = lead_data().outcomes[lead.outcome]
        return f"{en}: {outcome[0]}", f"{zh}：{outcome[1]}"
    return f"{en} by {lead.holder}", zh


def _due(lead: Lead, today: date) -> Text:
    if lead.due_on is None:
        return Text("–")
    left = (lead.due_on - today).days
    if left < 0:
        return Text(f"{lead.due_on}\n{-left} days late\n逾期 {-left} 天", style="bold red")
    return Text(f"{lead.due_on}\n{left} days 天", style="yellow" if left < 3 else "")


def _history(lead: Lead, seat: Seat) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for at, step in lead.history_for(seat):
        en, zh = MOVES[step.move]
        who = f"{step.by} ({step.seat})"
        table.add_row(f"{at.astimezone(ZONE):%Y-%m-%d %H:%M}", f"{en} {zh}", _told(step, who))
    return Panel(table, title="History 经过", box=box.ROUNDED, padding=(1, 2))


def _told(step: Move, who: str) -> Text:
    words = [who + (f" → {step.to}" if step.to else "")]
    if step.cause is not None:
        words.append(" ".join(lead_data().causes[step.cause]))
        corrected = ", ".join(step.corrected_months) or "nothing 无"
        words.append(f"corrected 已更正: {corrected}")
    if step.outcome is not None:
        words.append(" ".join(lead_data().outcomes[step.outcome]))
    words += [f"{item.name} {item.bytes:,} B {item.sha256[:16]}…" for item in step.attachments]
    return Text("\n".join(words + ([step.note] if step.note else [])))
