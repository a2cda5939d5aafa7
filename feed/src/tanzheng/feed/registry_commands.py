"""`tanzheng feed`, the registry's side: follow, ledger, reconcile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tanzheng.feed.shown import end_on_signal, say, show

if TYPE_CHECKING:
    from tanzheng.feed.ledger import Ledger

Once = Annotated[bool, typer.Option("--once", help="Do what there is, then end. 只执行一次")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object for machines. 机器可读输出")]
AllowHttp = Annotated[
    bool, typer.Option("--allow-http", help="Without TLS: for tests only. 允许明文（仅测试）")
]
Since = Annotated[int, typer.Option(min=0, help="Block of its deployment. 部署区块")]
FinalityText = Annotated[
    str, typer.Option("--finality", help="`finalized`, or blocks above a final one. 终局策略")
]
LedgerFile = Annotated[Path, typer.Option(help="The registry's books (SQLite). 台账文件")]
TrustFile = Annotated[Path, typer.Option(help="What you trust: TRUST.json. 信任文件")]
AuthorityFile = Annotated[Path, typer.Option(help="Who may sign: AUTHORITY.json. 授权签署方文件")]


def register(app: typer.Typer) -> None:
    """Add these commands to `tanzheng feed`."""
    app.command("follow")(follow_command)
    app.command("ledger")(ledger_command)
    app.command("reconcile")(reconcile_command)


def follow_command(
    url: Annotated[str, typer.Option(help="The feed's server: https://…. 推送服务地址")],
    token: Annotated[Path, typer.Option(help="File with your token (0600). 令牌文件")],
    trust: TrustFile,
    authority: AuthorityFile,
    ledger: LedgerFile,
    key_event: Annotated[
        list[Path] | None,
        typer.Option(help="Receipt of a key event, of the province's key. 密钥事件凭证"),
    ] = None,
    once: Once = False,
    tls_ca: Annotated[Path | None, typer.Option(help="CA of the server (PEM). 服务端 CA")] = None,
    allow_http: AllowHttp = False,
    as_json: Json = False,
) -> None:
    """Pull, check and book each item once. Exit code 3: something is not booked. 核验并入账"""
    from tanzheng.feed.follow import Follower, Trusted, open_client
    from tanzheng.feed.ledger import Ledger

    trusted = Trusted(trust, authority, key_event or [])
    books = Ledger(ledger, trusted.read())
    client = open_client(url, token, allow_http, tls_ca)
    follower = Follower(client, books, trusted, say)
    try:
        if once:
            follower.once()
        else:
            end_on_signal()
            follower.forever()
    finally:
        if once:
            show(_books(books), as_json)
        books.close()
        client.close()


def ledger_command(
    ledger: LedgerFile, trust: TrustFile, authority: AuthorityFile, as_json: Json = False
) -> None:
    """Show the books after auditing them; exit code 3 where something is not booked. 台账与审计"""
    from tanzheng.feed.errors import FeedInput
    from tanzheng.feed.follow import Trusted
    from tanzheng.feed.ledger import Ledger

    if not ledger.exists():
        raise FeedInput(f"--ledger: expected a file, got {ledger}")
    books = Ledger(ledger, Trusted(trust, authority).read())
    try:
        books.audit()
        show(_books(books), as_json)
        if books.problems():
            raise typer.Exit(3)
    finally:
        books.close()


def reconcile_command(
    ledger: LedgerFile,
    trust: TrustFile,
    authority: AuthorityFile,
    rpc: Annotated[str, typer.Option(help="A node that you trust. 可信链节点地址")],
    since: Since = 0,
    finality: FinalityText = "finalized",
    as_json: Json = False,
) -> None:
    """Hold the books against the contract's state; exit code 3 where they differ. 账链核对"""
    from dataclasses import asdict

    from tanzheng.feed import reconcile
    from tanzheng.feed.follow import Trusted
    from tanzheng.feed.ledger import Ledger
    from tanzheng.feed.rpc import Finality, Node

    checker = Trusted(trust, authority).read()
    contract = checker.authority.domain.contract
    books = Ledger(ledger, checker)
    booked = books.balances()
    books.close()
    number, state = reconcile.contract_state(Node(rpc), contract, since, Finality.parse(finality))
    found = [asdict(each) for each in reconcile.differences(booked, state)]
    fields = {
        "block_number": number,
        "figures": len(state),
        "tonnes": sum(state.values()),
        "differences": found,
    }
    show(fields, as_json)
    if found:
        raise typer.Exit(3)


def _books(books: Ledger) -> dict[str, Any]:
    from tanzheng.feed.posting import Account

    figures = {
        account.value: {f"{who} {year}": t for (who, year), t in books.balances(account).items()}
        for account in (Account.CONFIRMED, Account.DISPUTED)
    }
    problems = [
        {"seq": each.seq, "reason": each.reason, "count": each.count} for each in books.problems()
    ]
    return {"seq": books.seq, **figures, **books.counts(), "problems": problems}
