"""Evidence months as pages for the terminal and as JSON, in English and Chinese."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.analytics.closing import Deposit
from tanzheng.analytics.evidence.due import Due, Reminder
from tanzheng.analytics.evidence.entries import Entry
from tanzheng.analytics.evidence.journal import Accepted, Journal
from tanzheng.analytics.evidence.months import MonthEvidence
from tanzheng.analytics.evidence.reasons import reasons
from tanzheng.analytics.evidence.sampling import pool_sha256
from tanzheng.analytics.evidence.states import (
    MOVE_LABELS,
    ROLE_LABELS,
    STATE_LABELS,
    Move,
    State,
    legal,
)
from tanzheng.core.ids import Subject

STATE_STYLES = {
    State.DRAFT: "dim",
    State.CHECKED: "cyan",
    State.DEPOSITED: "blue",
    State.RETURNED: "bold yellow",
    State.CORRECTED: "blue",
    State.CITY_REVIEWED: "green",
    State.PROVINCE_REVIEWED: "bold green",
    State.SAMPLED: "bold magenta",
}

DEPOSIT_WORDS = {Deposit.READY: ("ready", "可存证"), Deposit.EXPLAIN: ("explained", "已说明")}
STAGES = ("check 自查", "deposit 存证", "city 市级", "province 省级", "nation 国家")
STAGES_DONE = {
    State.DRAFT: 0,
    State.CHECKED: 1,
    State.RETURNED: 1,
    State.DEPOSITED: 2,
    State.CORRECTED: 2,
    State.CITY_REVIEWED: 3,
    State.PROVINCE_REVIEWED: 4,
    State.SAMPLED: 5,
}


def month_page(month: MonthEvidence, deadline: date, today: date) -> RenderableType:
    """A month: state and deadline, versions, what happened, who may do what next."""
    parts: list[RenderableType] = [_stages(month.state), "", _head(month, deadline, today)]
    if month.versions:
        parts.append(_versions(month))
    if month.entries:
        parts.append(_history(month.entries))
    parts.append(_next(month))
    subject = month.subject
    return Panel(
        Group(*parts),
        title=f"[bold]{subject.enterprise}[/] · {subject.unit} · {subject.period} · 月度存证",
        box=box.ROUNDED,
        expand=False,
        padding=(1, 2),
    )


def written_page(
    journal: Journal, month: MonthEvidence, deadline: date, today: date
) -> RenderableType:
    """A month behind its last move, with what the actor may keep as a receipt: line and head."""
    entry = month.entries[-1]
    kept = f"No. 序号 {entry.seq}, head 头部摘要\n{journal.head.hex()}"
    return Group(month_page(month, deadline, today), Text(kept, "dim"))


def _stages(state: State) -> Text:
    done, text = STAGES_DONE[state], Text()
    for index, stage in enumerate(STAGES):
        text.append("  " if index else "")
        if index < done:
            text.append(f"✓ {stage}", "green")
        elif index == done:
            mark = "↩" if state is State.RETURNED else "●"
            text.append(f"{mark} {stage}", "bold yellow")
        else:
            text.append(f"○ {stage}", "dim")
    return text


def _head(month: MonthEvidence, deadline: date, today: date) -> RenderableType:
    en, zh = STATE_LABELS[month.state]
    table = Table.grid(padding=(0, 2))
    table.add_row(Text("State 状态", "dim"), Text(f"{en} · {zh}", STATE_STYLES[month.state]))
    late = month.late_days(deadline, today)
    table.add_row(Text("Deadline 期限", "dim"), _lateness(month, deadline, today, late))
    if month.version is not None and month.accepted:
        table.add_row(Text("Counts 有效版本", "dim"), Text(f"{month.version.number}", "bold"))
    return table


def _lateness(month: MonthEvidence, deadline: date, today: date, late: int) -> Text:
    text = Text(f"{deadline}   ")
    if late:
        days = "day" if late == 1 else "days"
        return text.append(f"late by {late} {days} · 逾期 {late} 天", "bold red")
    if month.deposited_on:
        return text.append(f"deposited in time, {month.deposited_on} · 按期存证", "green")
    left = (deadline - today).days
    return text.append(f"{left} days left · 还有 {left} 天", "yellow" if left <= 7 else "")


def _versions(month: MonthEvidence) -> Table:
    table = _table("Version 版本", "Time 时间", "Package 存证包", "Rules 校验")
    for version in month.versions:
        act = version.entry.act
        newest = version is month.version
        assert act.deposit is not None, "a version comes of a deposit or a correction"
        table.add_row(
            f"{version.number}" if newest else f"{version.number} → {version.number + 1}",
            f"{act.at:%Y-%m-%d %H:%M}",
            f"{version.manifest_sha256.hex()[:16]}…",
            _both(DEPOSIT_WORDS[act.deposit]),
            style="" if newest else "dim",
        )
    return table


def _history(entries: Sequence[Entry], *, months: bool = False) -> Table:
    headings = ["Month 月份"] if months else []
    table = _table("No. 序号", "Time 时间", *headings, "Who 操作人", "Move 操作")
    for entry in entries:
        act = entry.act
        month = f"{act.subject.enterprise}\n{act.subject.unit} {act.subject.period}"
        table.add_row(
            str(entry.seq),
            Text.assemble(f"{act.at:%Y-%m-%d}\n", (f"{act.at:%H:%M}", "dim")),
            *([month] if months else []),
            Text.assemble(f"{_both(ROLE_LABELS[act.role])}\n", (act.actor, "dim")),
            _what(entry),
        )
    return table


def _what(entry: Entry) -> Text:
    act = entry.act
    of = f" v{act.version}" if act.version else ""
    text = Text(f"{_both(MOVE_LABELS[act.move])}{of}", _move_style(act.move))
    if act.reason:
        known = reasons().get(act.reason)
        words = f"{known.en}\n{known.zh}" if known else act.reason
        text.append(f"\n{words}", "yellow")
    if act.note:
        text.append(f"\n“{act.note}”", "italic")
    return text


def _move_style(move: Move) -> str:
    return "bold yellow" if move in {Move.RETURN, Move.REOPEN} else "bold"


def _next(month: MonthEvidence) -> Text:
    text = Text("Next 下一步  ", "dim")
    for index, (role, move) in enumerate(legal(month.state)):
        text.append(" · " if index else "", "dim")
        text.append(f"{role} {move}", "bold").append(
            f" {ROLE_LABELS[role][1]}{MOVE_LABELS[move][1]}", "dim"
        )
    return text


def due_page(rows: Sequence[Due], today: date) -> RenderableType:
    """Each unit's month with its state and lateness, then the reminders that are due."""
    table = _table("Unit 机组", "Month 月份", "State 状态", "Deadline 期限", "Late 逾期")
    table.columns[4].justify = "right"
    for row in rows:
        state = row.month.state
        table.add_row(
            Text.assemble(f"{row.plant.name_zh}\n", (row.month.subject.unit, "dim")),
            row.month.subject.period,
            Text(f"{_word(state)}\n{STATE_LABELS[state][1]}", STATE_STYLES[state]),
            str(row.deadline),
            Text(f"{row.late_days} 天", "bold red") if row.late_days else Text("–", "dim"),
        )
    deposited = sum(row.month.deposited_on is not None for row in rows)
    late = sum(row.late_days > 0 for row in rows)
    sums = Text(
        f"{today}: months 月份 {len(rows)}, deposited 已存证 {deposited}, late 逾期 {late}",
        "bold",
    )
    lines = [_reminder(row, reminder) for row in rows for _, reminder in row.reminders]
    return Group(table, sums, *(lines or [Text("No reminder is due · 无到期提醒", "dim")]))


def _reminder(row: Due, reminder: Reminder) -> Text:
    en, zh = reminder.text(row)
    to = ", ".join(_both(ROLE_LABELS[role]) for role in reminder.to)
    return Text.assemble(("\n✉ ", "yellow"), (to, "bold"), f"\n  {en}\n  {zh}")


def log_page(entries: Sequence[Entry]) -> RenderableType:
    """Entries, each with its month."""
    return _history(entries, months=True)


def accepted_page(found: Sequence[Accepted]) -> RenderableType:
    """Accepted months with the version that counts."""
    table = _table(
        "unit 机组",
        "month 月份",
        "version 版本",
        "deposited 存证",
        "accepted 审定",
        "package 存证包",
    )
    for item in found:
        deposited, digest = item.version.entry.act.day, item.version.manifest_sha256.hex()
        table.add_row(
            item.unit, str(item.month), str(item.version.number), str(deposited),
            str(item.review.act.day), f"{digest[:16]}…",
        )  # fmt: skip
    return Group(table, Text(f"accepted months 已审定月份: {len(found)}"))


def pool_page(pool: Sequence[Subject], period: str) -> RenderableType:
    """What is published before a draw: how many months, and the digest of their list."""
    return Text.assemble(
        (f"accepted months of {period} · 已审定月份: {len(pool)}\n", "bold"),
        "SHA-256 of the sorted list · 名单摘要\n",
        (pool_sha256(pool).hex(), "green"),
        "\nPublish it, then draw with randomness that nobody knows yet. "
        "先公布名单摘要，再用事后公布的随机数抽取。",
    )


def draw_page(journal: Journal, entries: Sequence[Entry]) -> RenderableType:
    """The months that were drawn, and what it takes to draw them again."""
    draw = entries[0].act.draw
    assert draw is not None, "sample entries carry their draw"
    table = _table("Drawn 抽中", "Version 版本", "Package 存证包")
    for entry in entries:
        digest = entry.act.manifest_sha256.hex()
        table.add_row(str(entry.act.subject), str(entry.act.version), f"{digest[:16]}…")
    return Group(
        Text(f"drawn 抽取 {draw.drawn} of {draw.pool} ({draw.period})", "bold"),
        Text(f"randomness 随机数\n{draw.randomness.hex()}"),
        Text(f"list 名单摘要\n{draw.pool_sha256.hex()}"),
        table,
        Text(f"head 头部摘要\n{journal.head.hex()}", "dim"),
    )


def fsck_page(journal: Journal, added: int | None, aside: Path | None) -> RenderableType:
    """A journal that holds: entries, months, head, and what was put aside."""
    lines = Text.assemble(
        ("✓ every line, link and move holds · 日志完整\n", "bold green"),
        f"entries 条目 {len(journal.entries)}, months 月份 {len(journal.months())}\n",
        "head 头部摘要\n",
        (journal.head.hex(), "bold"),
    )
    if added is not None:
        lines.append(f"\nentries since the head that was kept · 另存之后新增: {added}")
    if aside is not None:
        lines.append(f"\nthe torn last line lies in {aside} · 未写完的行已隔离", "yellow")
    return lines


def month_json(month: MonthEvidence, deadline: date, today: date) -> dict[str, Any]:
    """A month for machines."""
    day = month.deposited_on
    return {
        "subject": str(month.subject),
        "state": str(month.state),
        "accepted": month.accepted,
        "deadline": deadline.isoformat(),
        "deposited_on": day and day.isoformat(),
        "late_days": month.late_days(deadline, today),
        "versions": [
            {
                "number": version.number,
                "manifest_sha256": version.manifest_sha256.hex(),
                "supersedes": version.supersedes,
                "at": version.entry.act.at.isoformat(),
            }
            for version in month.versions
        ],
        "moves": [{"role": str(role), "move": str(move)} for role, move in legal(month.state)],
        "entries": [entry.to_json() for entry in month.entries],
    }


def entries_json(journal: Journal, entries: Sequence[Entry]) -> dict[str, Any]:
    """Entries for machines, with the journal's head."""
    return {"head": journal.head.hex(), "entries": [entry.to_json() for entry in entries]}


def accepted_json(found: Sequence[Accepted]) -> dict[str, Any]:
    """The list that `tanzheng annual --accepted` reads; the state there is its own word."""
    return {
        "version": 1,
        "months": [
            {
                "unit": item.unit,
                "month": str(item.month),
                "version": item.version.number,
                "manifest_sha256": item.version.manifest_sha256.hex(),
                "state": "accepted",
                "deposited_on": item.version.entry.act.day.isoformat(),
            }
            for item in found
        ],
    }


def pool_json(pool: Sequence[Subject], period: str) -> dict[str, Any]:
    """The pool of a draw for machines."""
    return {
        "period": period,
        "pool_sha256": pool_sha256(pool).hex(),
        "pool": [str(subject) for subject in pool],
    }


def fsck_json(journal: Journal, added: int | None, aside: Path | None) -> dict[str, Any]:
    """A journal that holds, for machines."""
    return {
        "entries": len(journal.entries),
        "months": len(journal.months()),
        "head": journal.head.hex(),
        "added": added,
        "quarantined": aside and str(aside),
    }


def _word(state: State) -> str:
    return str(state).replace("_", " ")


def _both(label: tuple[str, str]) -> str:
    return f"{label[0]} {label[1]}"


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
