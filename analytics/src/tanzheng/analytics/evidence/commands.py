"""`tanzheng evidence`: the evidence month, moved by four roles, in a journal that only grows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tanzheng.analytics.terminal import print_json, print_page
from tanzheng.analytics.today import day as plant_day
from tanzheng.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType

    from tanzheng.analytics.evidence.entries import Act
    from tanzheng.analytics.evidence.journal import Journal

    Acts = Callable[[Journal], Iterable[Act]]

app = typer.Typer(
    help="Evidence months: deposit, review, return, sample, who is late · 月度存证",
    no_args_is_help=True,
)

JournalPath = Annotated[
    Path,
    typer.Option("--journal", envvar="TANZHENG_EVIDENCE_JOURNAL", help="Journal file · 存证日志"),
]
PackageFolder = Annotated[Path, typer.Argument(help="Folder of the evidence package · 证据包目录")]
Subject = Annotated[str, typer.Argument(help="ENTERPRISE/UNIT/YYYY-MM · 企业/机组/月份")]
RoleName = Annotated[str, typer.Option("--role", help="enterprise, city, province, nation · 角色")]
Actor = Annotated[str, typer.Option("--actor", help="Name of the person or office · 操作人")]
At = Annotated[
    str | None,
    typer.Option("--at", help="Plant time YYYY-MM-DDThh:mm:ss+08:00, default now · 时间"),
]
Number = Annotated[int, typer.Option("--version", help="The version judged · 所审版本号", min=1)]
ReasonCode = Annotated[str | None, typer.Option("--reason", help="Reason code · 原因代码")]
Note = Annotated[str, typer.Option("--note", help="Explanation in words · 书面说明")]
PackName = Annotated[
    str | None, typer.Option("--pack", help="Standard pack with the deadline · 标准数据包")
]
Today = Annotated[str | None, typer.Option(help="Day, YYYY-MM-DD, default today · 日期")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]


@app.command("check")
def check(
    package: PackageFolder, journal: JournalPath, role: RoleName, actor: Actor,
    at: At = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The enterprise checks a package; the deposit must be of the same · 自查.

    Every byte of the bag is checked, every figure computed again from the signed batches.
    """
    from tanzheng.analytics.evidence import acts, arguments

    evidence, who = arguments.evidence(package), arguments.who(role, actor, at)
    until = arguments.deadline(evidence.subject, evidence.standard)
    _write(journal, lambda found: [acts.check(found, evidence, who, until)], as_json, begin=True)


@app.command("deposit")
def deposit(
    package: PackageFolder, journal: JournalPath, role: RoleName, actor: Actor,
    reason: ReasonCode = None, note: Note = "", at: At = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The enterprise deposits the package it checked; late, or with explain: reasoned · 存证."""
    from tanzheng.analytics.evidence import acts, arguments

    evidence, who, why = (
        arguments.evidence(package),
        arguments.who(role, actor, at),
        acts.Why(reason, note),
    )
    until = arguments.deadline(evidence.subject, evidence.standard)
    _write(journal, lambda found: [acts.deposit(found, evidence, who, why, until)], as_json)


@app.command("correct")
def correct(
    package: PackageFolder, journal: JournalPath, role: RoleName, actor: Actor,
    reason: ReasonCode = None, note: Note = "", at: At = None, as_json: Json = False,
) -> None:  # fmt: skip
    """A new version with another package; the one before stays, superseded · 更正."""
    from tanzheng.analytics.evidence import acts, arguments

    evidence, who, why = (
        arguments.evidence(package),
        arguments.who(role, actor, at),
        acts.Why(reason, note),
    )
    _write(journal, lambda found: [acts.correct(found, evidence, who, why)], as_json)


@app.command("review")
def review(
    month: Subject, journal: JournalPath, role: RoleName, actor: Actor, version: Number,
    note: Note = "", at: At = None, as_json: Json = False,
) -> None:  # fmt: skip
    """City or province passes a version; the province's review locks the month · 审核通过."""
    _judge("review", month, journal, (role, actor, at), version, (None, note), as_json)


@app.command("return")
def return_month(
    month: Subject, journal: JournalPath, role: RoleName, actor: Actor, version: Number,
    reason: ReasonCode = None, note: Note = "", at: At = None, as_json: Json = False,
) -> None:  # fmt: skip
    """City or province gives a version back, with reason and words · 退回."""
    _judge("return", month, journal, (role, actor, at), version, (reason, note), as_json)


@app.command("reopen")
def reopen(
    month: Subject, journal: JournalPath, role: RoleName, actor: Actor, version: Number,
    reason: ReasonCode = None, note: Note = "", at: At = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The nation opens a locked month for correction, with reason and words · 重新开放."""
    _judge("reopen", month, journal, (role, actor, at), version, (reason, note), as_json)


@app.command("sample")
def sample(
    journal: JournalPath,
    period: Annotated[str, typer.Option(help="YYYY or YYYY-MM · 抽查期间")],
    role: Annotated[str | None, typer.Option(help="nation · 角色")] = None,
    actor: Annotated[str | None, typer.Option(help="Name of person or office · 操作人")] = None,
    randomness: Annotated[
        str | None,
        typer.Option(help="Public randomness, hexadecimal; without it the pool is shown · 随机数"),
    ] = None,
    count: Annotated[int | None, typer.Option(help="How many months · 抽取数量", min=1)] = None,
    share: Annotated[str | None, typer.Option(help="Or a share, e.g. 0.05 · 抽取比例")] = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Draw accepted months so that anybody can draw them again · 国家抽查.

    First without --randomness: publish the pool's digest, then wait for the public randomness.
    """
    from tanzheng.analytics.evidence import acts, arguments, entries, pages, store

    if randomness is None:
        found = store.read(journal)
        listed = found.pool(period)
        _show(pages.pool_json(listed, period), pages.pool_page(listed, period), as_json)
        return
    if role is None or actor is None:
        raise BadInput("sample: expected --role and --actor with --randomness")
    who, many = arguments.who(role, actor, at), arguments.how_many(count, share)
    given = entries.randomness(randomness, "--randomness")
    found, new = store.write(journal, lambda known: acts.sample(known, period, given, many, who))
    _show(pages.entries_json(found, new), pages.draw_page(found, new), as_json)


@app.command("status")
def status(
    month: Subject, journal: JournalPath, today: Today = None, pack: PackName = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """A month: state, deadline, versions, what happened, who may do what next · 状态."""
    from tanzheng.analytics.evidence import arguments, pages, store

    found, subject = store.read(journal), arguments.subject(month)
    until, day = arguments.deadline(subject, pack), plant_day(today)
    _show(
        pages.month_json(found.month(subject), until, day),
        pages.month_page(found.month(subject), until, day),
        as_json,
    )


@app.command("due")
def due(
    journal: JournalPath,
    plant: Annotated[list[Path], typer.Option(help="Plant files (TOML), repeat · 电厂描述文件")],
    month: Annotated[list[str], typer.Option(help="Months YYYY-MM, repeat · 月份")],
    today: Today = None,
    since: Annotated[
        str | None, typer.Option(help="Day of the last run: its reminders are past · 上次运行日期")
    ] = None,
    pack: PackName = None,
    as_json: Json = False,
) -> None:
    """Who has deposited, who is late, reminders due · 存证进度与提醒."""
    from tanzheng.analytics.evidence import arguments, pages, store
    from tanzheng.analytics.evidence.due import due as find_due
    from tanzheng.core.calendar import Month

    found, day = store.read(journal), plant_day(today)
    plants = [arguments.plant(path) for path in plant]
    before = None if since is None else plant_day(since, "--since")
    rows = find_due(
        found, plants, [Month.parse(m) for m in month], arguments.pack(pack), day, before
    )
    _show({"today": day.isoformat(), "months": [row.to_json() for row in rows]},
          pages.due_page(rows, day), as_json)  # fmt: skip


@app.command("accepted")
def list_accepted(
    enterprise: Annotated[str, typer.Argument(help="Enterprise · 企业")],
    journal: JournalPath,
    year: Annotated[int, typer.Option(help="Year · 年份", min=2000, max=2200)],
    as_json: Json = False,
) -> None:
    """The accepted months of a year; --json is the list for tanzheng annual --accepted · 已审定."""
    from tanzheng.analytics.evidence import pages, store
    from tanzheng.analytics.evidence.journal import accepted

    found = accepted(store.read(journal), enterprise, year)
    _show(pages.accepted_json(found), pages.accepted_page(found), as_json)


@app.command("log")
def log(
    journal: JournalPath,
    month: Annotated[str | None, typer.Argument(help="Only ENTERPRISE/UNIT/YYYY-MM")] = None,
    as_json: Json = False,
) -> None:
    """Every entry, or those of one month, as written · 日志."""
    from tanzheng.analytics.evidence import arguments, pages, store

    found = store.read(journal)
    subject = None if month is None else arguments.subject(month)
    listed = [e for e in found.entries if subject is None or e.act.subject == subject]
    _show(pages.entries_json(found, listed), pages.log_page(listed), as_json)


@app.command("fsck")
def fsck(
    journal: JournalPath,
    head: Annotated[
        str | None, typer.Option(help="Head that was kept elsewhere, hexadecimal · 另存的头部摘要")
    ] = None,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Put a torn last line aside · 隔离未写完的行")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every line, link and move of a journal; exit code 3 where one does not hold · 校验."""
    from tanzheng.analytics import lines_file
    from tanzheng.analytics.evidence import pages, store
    from tanzheng.analytics.evidence.journal import check_head
    from tanzheng.core.closed import hexadecimal

    aside = lines_file.quarantine(journal) if quarantine else None
    found = store.read(journal)
    added = None if head is None else check_head(found, hexadecimal(head, 32, "--head"))
    _show(pages.fsck_json(found, added, aside), pages.fsck_page(found, added, aside), as_json)


def _judge(
    move: str, month: str, journal: Path, who: tuple[str, str, str | None], version: int,
    why: tuple[str | None, str], as_json: bool,
) -> None:  # fmt: skip
    from tanzheng.analytics.evidence import acts, arguments
    from tanzheng.analytics.evidence.states import Move

    subject, judge, because = arguments.subject(month), arguments.who(*who), acts.Why(*why)
    _write(
        journal,
        lambda found: [acts.judge(found, subject, Move(move), version, judge, because)],
        as_json,
    )


def _write(path: Path, make: "Acts", as_json: bool, *, begin: bool = False) -> None:
    from tanzheng.analytics.evidence import arguments, pages, store

    found, new = store.write(path, make, begin=begin)
    act = new[-1].act
    month, until = found.month(act.subject), arguments.deadline(act.subject)
    page = pages.written_page(found, month, until, act.day)
    _show(pages.entries_json(found, new), page, as_json)


def _show(content: dict[str, Any], page: "RenderableType", as_json: bool) -> None:
    if as_json:
        print_json(content)
    else:
        print_page(page)
