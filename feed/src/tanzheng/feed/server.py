"""The feed over HTTP: pages of lines by cursor, long poll, the signed head.

The server holds no key and signs nothing: it serves the outbox as the collector wrote it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import math
import signal
import socket
import time
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.middleware.gzip import GZipMiddleware

from tanzheng.core.hashing import sha256
from tanzheng.feed.access import Door
from tanzheng.feed.errors import FeedInput
from tanzheng.feed.outbox import HEAD, Outbox, Page

ITEMS_MAX, PAGE_BYTES_MAX, WAIT_S_MAX = 500, 16 << 20, 60.0
POLL_S = 0.1
CONCURRENT_MAX = 500
NEXT = "Tanzheng-Next"
NDJSON = "application/x-ndjson"


def make_app(outbox: Outbox, door: Door) -> FastAPI:
    """The application over an outbox that others append to."""
    app = FastAPI(
        title="Tanzheng registry feed 登记簿推送", version="1", docs_url=None, redoc_url=None,
        openapi_url="/v1/openapi.json",
    )  # fmt: skip
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=6)

    def admit(authorization: str) -> None:
        name = door.name(authorization)
        if name is None:
            raise HTTPException(401, "expected a token 需要令牌", {"WWW-Authenticate": "Bearer"})
        wait_s = door.wait_s(name, time.monotonic())
        if wait_s:
            raise HTTPException(429, "too often 请求过频", {"Retry-After": str(math.ceil(wait_s))})

    @app.get("/v1/feed")
    async def feed(
        request: Request,
        after: Annotated[int, Query(ge=0, description="Last sequence you have 游标")] = 0,
        limit: Annotated[int, Query(ge=1, le=ITEMS_MAX, description="Items at most 条数")] = 100,
        wait: Annotated[float, Query(ge=0, le=WAIT_S_MAX, description="Seconds 等待秒数")] = 0,
        authorization: Annotated[str, Header()] = "",
        if_none_match: Annotated[str, Header()] = "",
    ) -> Response:
        """Items after a cursor, one signed line each; `Tanzheng-Next` is the next cursor."""
        admit(authorization)
        await _await_items(outbox, request, after, wait)
        return _answer(outbox.page(after, limit, PAGE_BYTES_MAX), if_none_match)

    @app.get("/v1/feed/head")
    async def head(authorization: Annotated[str, Header()] = "") -> Response:
        """How far the feed goes, signed by the operator."""
        admit(authorization)
        try:
            return Response((outbox.folder / HEAD).read_bytes(), media_type="application/json")
        except FileNotFoundError:
            raise HTTPException(404, "no item was collected yet 尚无数据") from None

    return app


async def _await_items(outbox: Outbox, request: Request, after: int, wait_s: float) -> None:
    """Return once there is an item after `after`, or it is time, or nobody waits any more."""
    outbox.refresh()
    if after > outbox.seq:
        raise HTTPException(409, f"expected a cursor up to {outbox.seq}, got {after}")
    deadline = time.monotonic() + wait_s
    while outbox.seq == after and time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        outbox.refresh()
        if await request.is_disconnected():
            return


def _answer(page: Page, if_none_match: str) -> Response:
    headers = {
        NEXT: str(page.last),
        "ETag": f'W/"{sha256(page.data).hex()[:32]}"',  # weak: gzip gives other bytes
        "Cache-Control": "private, no-cache",
    }
    if headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(page.data, media_type=NDJSON, headers=headers)


def serve(
    folder: Path, host: str, port: int, certificate: tuple[Path, Path] | None, plain: bool
) -> None:
    """Serve until SIGTERM or Ctrl-C; prints the address as JSON once it listens."""
    if certificate is None and not plain and not _is_loopback(host):
        raise FeedInput(
            f"--host: expected --tls-cert and --tls-key for {host}, or --plain-http behind a proxy "
            "that speaks TLS"
        )
    outbox, door = Outbox(folder), Door(folder)
    outbox.refresh()
    door.name("")  # the tokens are read now: a wrong mode ends the start, not a request
    signal.signal(signal.SIGTERM, _end)  # uvicorn raises the signal again once it has closed
    signal.signal(signal.SIGINT, _end)
    listener = socket.create_server((host, port), backlog=256)
    scheme = "https" if certificate else "http"
    address = f"{scheme}://{host}:{listener.getsockname()[1]}"
    print(json.dumps({"url": address}), flush=True)
    config = uvicorn.Config(
        make_app(outbox, door),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=CONCURRENT_MAX,
        timeout_graceful_shutdown=5,
        ssl_certfile=certificate[0] if certificate else None,
        ssl_keyfile=certificate[1] if certificate else None,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _end(number: int, frame: object) -> None:
    raise SystemExit(0)
