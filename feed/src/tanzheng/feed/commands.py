"""`tanzheng feed`, the operator's side: collect, serve, push."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tanzheng.feed import registry_commands as registry
from tanzheng.feed.shown import end_on_signal, say, show

if TYPE_CHECKING:
    from tanzheng.core.keys import SigningKey
    from tanzheng.feed.collector import Collector

app = typer.Typer(
    no_args_is_help=True,
    help="Confirmed emissions for registries, each once, with proof. 核定排放量推送与登记入账",
)
POLL_S, RETRY_S = 1.0, 3.0
COLLECTED = "collected.json"

Folder = Annotated[Path, typer.Option("--dir", help="Folder of the feed. 推送目录")]
Key = Annotated[Path, typer.Option(help="Operator's Ed25519 key (PEM, 0600). 运营方私钥")]


@app.command("collect")
def collect_command(
    folder: Folder,
    rpc: Annotated[str, typer.Option(help="Address of a node's JSON-RPC. 链节点地址")],
    contract: Annotated[str, typer.Option(help="VerifiedEmissions, 0x…. 合约地址")],
    shelf: Annotated[Path, typer.Option(help="Receipts of confirmed emissions. 凭证目录")],
    key: Key,
    since: registry.Since = 0,
    finality: registry.FinalityText = "finalized",
    once: registry.Once = False,
    as_json: registry.Json = False,
) -> None:
    """Turn final events of the contract into signed items, each once. 采集并签发"""
    from tanzheng.feed.collector import Collector, Source
    from tanzheng.feed.outbox import Outbox
    from tanzheng.feed.rpc import Finality, Node
    from tanzheng.feed.shelf import Shelf

    operator, node = _signing_key(key), Node(rpc)
    end_on_signal()
    outbox = Outbox(folder)
    with outbox.lock():
        if cut := outbox.repair():
            typer.echo(f"outbox 发件箱: cut {cut} bytes that a kill had left", err=True)
        source = Source(node, _address(contract), node.chain_id(), since, Finality.parse(finality))
        collector = Collector(source, outbox, Shelf(shelf), operator, _now_ms)
        _collect(collector, folder, once)
    fields = {"seq": outbox.seq, "waiting": collector.waiting, "problems": collector.problems}
    show(fields, as_json)


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
    from tanzheng.files.durable import SECRET_MODE

    if revoke:
        access.revoke(folder, name)
        typer.echo(f"{name}: revoked 已吊销")
        return
    if out is None:
        raise FeedInput("expected --out, a file for the token")
    disk.overwrite(out, access.make(folder, name).encode(), SECRET_MODE)
    typer.echo(f"{name}: {out}")


@app.command("subscribe")
def subscribe_command(
    name: Annotated[str, typer.Argument(help="Who it is. 订阅方")],
    folder: Folder,
    url: Annotated[str, typer.Option(help="Where items are posted: https://…. 推送地址")],
    private: Annotated[
        bool, typer.Option("--private", help="A private address is meant. 允许内网地址")
    ] = False,
    allow_http: registry.AllowHttp = False,
) -> None:
    """Add a webhook, or move one; its cursor stays. 登记推送地址"""
    from tanzheng.feed import push

    push.subscribe(folder, name, url, private, allow_http)
    typer.echo(f"{name}: {url}")


@app.command("push")
def push_command(folder: Folder, key: Key, allow_http: registry.AllowHttp = False) -> None:
    """Post items to all subscribers, until stopped. 向订阅方推送"""
    import asyncio
    import contextlib

    from tanzheng.feed import disk, push

    operator = _signing_key(key)
    with disk.locked(folder / push.LOCK), contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_push(push.Pusher(folder, operator, allow_http, say)))


async def _push(pusher: Any) -> None:
    import asyncio

    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    typer.echo(json.dumps({"pushing": True}))
    await pusher.run()


@app.command("status")
def status_command(folder: Folder, as_json: registry.Json = False) -> None:
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
    show(fields, as_json)


registry.register(app)  # after the operator's, as in a figure's life


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
