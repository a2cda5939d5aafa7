"""`tanzheng feed`: collect, serve, push; follow and book."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tanzheng.core.keys import SigningKey
    from tanzheng.feed.collector import Collector
    from tanzheng.feed.ledger import Ledger

app = typer.Typer(
    no_args_is_help=True,
    help="Confirmed emissions for registries, each once, with proof. 核定排放量推送与登记入账",
)
POLL_S, RETRY_S = 1.0, 3.0
COLLECTED = "collected.json"

Folder = Annotated[Path, typer.Option("--dir", help="Folder of the feed. 推送目录")]
Key = Annotated[Path, typer.Option(help="Operator's Ed25519 key (PEM, 0600). 运营方私钥")]
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


@app.command("collect")
def collect_command(
    folder: Folder,
    rpc: Annotated[str, typer.Option(help="Address of a node's JSON-RPC. 链节点地址")],
    contract: Annotated[str, typer.Option(help="VerifiedEmissions, 0x…. 合约地址")],
    shelf: Annotated[Path, typer.Option(help="Receipts and disclosed figures. 凭证与披露文件目录")],
    key: Key,
    since: Since = 0,
    finality: FinalityText = "finalized",
    once: Once = False,
    as_json: Json = False,
) -> None:
    """Turn final events of the contract into signed items, each once. 采集并签发"""
    from tanzheng.feed.collector import Collector, Source
    from tanzheng.feed.outbox import Outbox
    from tanzheng.feed.rpc import Finality, Node
    from tanzheng.feed.shelf import Shelf

    operator, node = _signing_key(key), Node(rpc)
    _end_on_signal()
    outbox = Outbox(folder)
    with outbox.lock():
        if cut := outbox.repair():
            typer.echo(f"outbox 发件箱: cut {cut} bytes that a kill had left", err=True)
        source = Source(node, _address(contract), node.chain_id(), since, Finality.parse(finality))
        collector = Collector(source, outbox, Shelf(shelf), operator, _now_ms)
        _collect(collector, folder, once)
    fields = {"seq": outbox.seq, "waiting": collector.waiting, "problems": collector.problems}
    _show(fields, as_json)


def _collect(collector: Collector, folder: Path, once: bool) -> None:
    from tanzheng.feed import disk
    from tanzheng.feed.errors import NodeUnavailable

    told: dict[str, Any] = {}
    while True:
        try:
            count = collector.advance()
        except NodeUnavailable as error:
            if once:
                raise
            typer.echo(f"waiting 等待: {error}", err=True)
            time.sleep(RETRY_S)
            continue
        if count and not once:
            typer.echo(f"items 条目: {count} more", err=True)
        now = {"waiting": list(collector.waiting), "problems": dict(collector.problems)}
        if now != told:
            told = now
            disk.overwrite(folder / COLLECTED, json.dumps(now, ensure_ascii=False).encode())
        if once:
            return
        time.sleep(POLL_S)


@app.command("serve")
def serve_command(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Address to listen on. 监听地址")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port, 0 for any. 端口")] = 8460,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate (PEM). 证书")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM). 证书私钥")] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Behind a proxy with TLS. 由反向代理提供 TLS")
    ] = False,
) -> None:
    """Serve the items over HTTP to whoever has a token. 提供拉取接口"""
    from tanzheng.feed import server
    from tanzheng.feed.errors import FeedInput

    if (tls_cert is None) != (tls_key is None):
        raise FeedInput("expected --tls-cert and --tls-key together")
    pair = (tls_cert, tls_key) if tls_cert and tls_key else None
    server.serve(folder, host, port, pair, plain_http)


@app.command("token")
def token_command(
    name: Annotated[str, typer.Argument(help="Who it is for. 使用方")],
    folder: Folder,
    out: Annotated[Path | None, typer.Option(help="Where the token goes (0600). 令牌文件")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take it away. 吊销")] = False,
) -> None:
    """Make a reader's token, shown once, or revoke one. 签发或吊销令牌"""
    from tanzheng.feed import access, disk
    from tanzheng.feed.errors import FeedInput

    if revoke:
        access.revoke(folder, name)
        typer.echo(f"{name}: revoked 已吊销")
        return
    if out is None:
        raise FeedInput("expected --out, a file for the token")
    disk.overwrite(out, access.make(folder, name).encode(), disk.SECRET_MODE)
    typer.echo(f"{name}: {out}")


@app.command("subscribe")
def subscribe_command(
    name: Annotated[str, typer.Argument(help="Who it is. 订阅方")],
    folder: Folder,
    url: Annotated[str, typer.Option(help="Where items are posted: https://…. 推送地址")],
    private: Annotated[
        bool, typer.Option("--private", help="A private address is meant. 允许内网地址")
    ] = False,
    allow_http: AllowHttp = False,
) -> None:
    """Add a webhook, or move one; its cursor stays. 登记推送地址"""
    from tanzheng.feed import push

    push.subscribe(folder, name, url, private, allow_http)
    typer.echo(f"{name}: {url}")


@app.command("push")
def push_command(folder: Folder, key: Key, allow_http: AllowHttp = False) -> None:
    """Post items to all subscribers, until stopped. 向订阅方推送"""
    import asyncio
    import contextlib

    from tanzheng.feed import disk, push

    operator = _signing_key(key)
    with disk.locked(folder / push.LOCK), contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_push(push.Pusher(folder, operator, allow_http, _say)))


async def _push(pusher: Any) -> None:
    import asyncio

    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    typer.echo(json.dumps({"pushing": True}))
    await pusher.run()


@app.command("status")
def status_command(folder: Folder, as_json: Json = False) -> None:
    """How far the feed and each subscriber are, and what waits. 推送状态"""
    from tanzheng.feed import push
    from tanzheng.feed.outbox import HEAD, Outbox

    outbox = Outbox(folder)
    outbox.refresh()
    collected, head = folder / COLLECTED, folder / HEAD
    told = json.loads(collected.read_bytes()) if collected.exists() else {}
    signed = json.loads(head.read_bytes())["head"] if head.exists() else {}
    found, wrong = push.subscribers(folder)
    states = {each.name: push.State.read(folder, each.name) for each in found}
    fields: dict[str, Any] = {
        "seq": outbox.seq,
        "digest": outbox.digest.hex() if outbox.digest else None,
        "block_number": signed.get("block_number"),
        "waiting": told.get("waiting", []),
        "problems": {**told.get("problems", {}), **wrong},
        "subscribers": {
            name: {
                "cursor": state.cursor,
                "behind": outbox.seq - state.cursor,
                "failures": state.failures,
                "error": state.error,
            }
            for name, state in states.items()
        },
    }
    _show(fields, as_json)


@app.command("follow")
def follow_command(
    url: Annotated[str, typer.Option(help="The feed's server: https://…. 推送服务地址")],
    token: Annotated[Path, typer.Option(help="File with your token (0600). 令牌文件")],
    trust: TrustFile,
    authority: AuthorityFile,
    ledger: LedgerFile,
    once: Once = False,
    tls_ca: Annotated[Path | None, typer.Option(help="CA of the server (PEM). 服务端 CA")] = None,
    allow_http: AllowHttp = False,
    as_json: Json = False,
) -> None:
    """Pull, check and book each item once. Exit code 3: something is not booked. 核验并入账"""
    from tanzheng.feed.follow import Follower, Trusted, open_client
    from tanzheng.feed.ledger import Ledger

    trusted = Trusted(trust, authority)
    books = Ledger(ledger, trusted.read())
    client = open_client(url, token, allow_http, tls_ca)
    follower = Follower(client, books, trusted, _say)
    try:
        if once:
            follower.once()
        else:
            _end_on_signal()
            follower.forever()
    finally:
        if once:
            _show(_books(books), as_json)
        books.close()
        client.close()


@app.command("ledger")
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
        _show(_books(books), as_json)
        if books.problems():
            raise typer.Exit(3)
    finally:
        books.close()


@app.command("reconcile")
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
    _show(fields, as_json)
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


# ------------------------------------------------------------------ small things


def _signing_key(path: Path) -> SigningKey:
    from tanzheng.core.keys import SigningKey
    from tanzheng.feed import access, disk

    pem = disk.read(path, 4096, "--key")
    access.check_private(path)
    return SigningKey.from_pem(pem, str(path))


def _address(text: str) -> bytes:
    from tanzheng.core import closed

    return closed.hexadecimal(text.removeprefix("0x").lower(), 20, "--contract")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _end_on_signal() -> None:
    def end(number: int, frame: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


LABELS = {
    "seq": "items 条目",
    "digest": "digest of the last 末条摘要",
    "block_number": "as of block 截至区块",
    "waiting": "no receipt yet 待凭证",
    "problems": "problems 异常",
    "subscribers": "subscribers 订阅方",
    "confirmed": "confirmed, t 可入账（吨）",
    "disputed": "in dispute, t 异议中（吨）",
    "item": "items taken in 已接收",
    "entry": "entries 分录",
    "held": "held back 待补序",
    "refused": "refused lines 拒收",
    "stored": "proved by storage 链上存储已证",
    "figures": "confirmed figures 已确认数",
    "tonnes": "sum of the contract, t 链上合计（吨）",
    "differences": "differences 差异",
}


def _show(fields: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(fields, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, border_style="dim")
    table.add_column()
    table.add_column(overflow="fold")
    for key, value in fields.items():
        table.add_row(LABELS[key], _text(value))
    Console().print(table)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_inline(each)}" for key, each in value.items()) or "–"
    if isinstance(value, list):
        return "\n".join(map(_inline, value)) or "–"
    return "–" if value is None else str(value)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items() if each is not None)
    return str(value)
