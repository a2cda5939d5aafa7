"""Webhooks: each subscriber has a file, a cursor and a task of its own; none waits for another.

subscribers/NAME.json     url, whether a private address is meant
subscribers/NAME.state    cursor, failures in a row, the last error
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from tanzheng.core import closed, strict_json
from tanzheng.core.errors import TanzhengError
from tanzheng.core.ids import identifier
from tanzheng.feed import addresses, disk, webhook
from tanzheng.feed.errors import FeedUnavailable
from tanzheng.feed.outbox import Outbox, Page
from tanzheng.files import durable

if TYPE_CHECKING:
    from tanzheng.core.keys import SigningKey

FOLDER, LOCK = "subscribers", "push.lock"
ITEMS_MAX, BODY_BYTES_MAX = 50, 4 << 20
DELIVERY_S_MAX, POLL_S, POLLS_PER_SCAN = 20.0, 0.1, 5
RETRY_S, RETRY_S_MAX = 1.0, 600.0
FILE_BYTES_MAX = 64 << 10


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Whom to deliver to; `private` allows an address that is not of the public internet."""

    name: str
    url: str
    private: bool

    @classmethod
    def read(cls, path: Path) -> Subscriber:
        """Read a subscriber's file."""
        where = path.name
        data = disk.read(path, FILE_BYTES_MAX, "subscriber")
        source = closed.record(strict_json.loads(data, where), ("version", "url", "private"), where)
        closed.version(source, 1, where)
        private = closed.typed(source["private"], bool, f"{where}.private")
        return cls(identifier(path.stem, where), closed.text(source, "url", where), private)


@dataclass(frozen=True, slots=True)
class State:
    """How far a subscriber is; `error` of the last try, None where it went well."""

    cursor: int
    failures: int = 0
    error: str | None = None

    @classmethod
    def read(cls, folder: Path, name: str) -> State:
        """The state on disk; at the beginning of the feed where there is none."""
        path = folder / FOLDER / f"{name}.state"
        if not path.exists():
            return cls(0)
        where = path.name
        data = disk.read(path, FILE_BYTES_MAX, "state")
        source = closed.record(
            strict_json.loads(data, where), ("cursor", "failures", "error"), where
        )
        error = None if source["error"] is None else closed.text(source, "error", where)
        cursor, failures = (closed.integer(source, key, where) for key in ("cursor", "failures"))
        return cls(cursor, failures, error)

    def write(self, folder: Path, name: str) -> None:
        """Put the state on disk."""
        data = json.dumps(asdict(self), ensure_ascii=False).encode()
        disk.overwrite(folder / FOLDER / f"{name}.state", data)


def subscribe(folder: Path, name: str, url: str, private: bool, allow_http: bool) -> None:
    """Add a subscriber, or give one another address; its cursor stays."""
    identifier(name, "subscriber")
    addresses.check_url(url, allow_http)
    durable.make_folder(folder / FOLDER)
    data = json.dumps({"version": 1, "url": url, "private": private}, indent=1).encode()
    disk.overwrite(folder / FOLDER / f"{name}.json", data)


def subscribers(folder: Path) -> tuple[list[Subscriber], dict[str, str]]:
    """All subscribers by name, and what is wrong with files that name none."""
    found, wrong = list[Subscriber](), dict[str, str]()
    for path in sorted((folder / FOLDER).glob("[!.]*.json")):
        try:
            found.append(Subscriber.read(path))
        except TanzhengError as error:
            wrong[path.name] = str(error)
    return found, wrong


class Pusher:
    """Delivers the outbox of `folder` until it is cancelled."""

    def __init__(
        self, folder: Path, key: SigningKey, allow_http: bool, say: Callable[[str], Any]
    ) -> None:
        self._folder, self._key = folder, key
        self._allow_http, self._say = allow_http, say
        self._outbox = Outbox(folder)
        self._wrong: dict[str, str] = {}

    async def run(self) -> None:
        """Deliver for ever; a subscriber that is added or changed is taken up while it runs."""
        tasks: dict[Subscriber, asyncio.Task[None]] = {}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            while True:
                wanted = set(self._subscribers())
                for gone in tasks.keys() - wanted:
                    tasks.pop(gone).cancel()
                for new in wanted - tasks.keys():
                    tasks[new] = group.create_task(self._serve(client, new))
                for _ in range(POLLS_PER_SCAN):
                    self._outbox.refresh()
                    await asyncio.sleep(POLL_S)

    def _subscribers(self) -> list[Subscriber]:
        found, wrong = subscribers(self._folder)
        if wrong != self._wrong:
            self._wrong = wrong
            for name, problem in wrong.items():
                self._say(f"{name}: {problem}")
        return found

    async def _serve(self, client: httpx.AsyncClient, subscriber: Subscriber) -> None:
        state = State.read(self._folder, subscriber.name)
        while True:
            page = self._outbox.page(state.cursor, ITEMS_MAX, BODY_BYTES_MAX)
            if not page.data:
                await asyncio.sleep(POLL_S)
                continue
            try:
                await self._deliver(client, subscriber, page)
                state = State(page.last)
            except (TanzhengError, httpx.HTTPError, OSError, TimeoutError) as error:
                if state.failures == 0:
                    self._say(f"{subscriber.name}: {error!r}")
                told = f"{type(error).__name__}: {error}".replace("\n", " ")[:500]
                state = replace(state, failures=state.failures + 1, error=told)
            state.write(self._folder, subscriber.name)
            if state.failures:
                await asyncio.sleep(min(RETRY_S * 2 ** (state.failures - 1), RETRY_S_MAX))

    async def _deliver(self, client: httpx.AsyncClient, subscriber: Subscriber, page: Page) -> None:
        """POST a page; any answer but 2xx is `FeedUnavailable`. Redirects are not followed."""
        url = subscriber.url
        addresses.check_url(url, self._allow_http)
        async with asyncio.timeout(DELIVERY_S_MAX):
            address = await addresses.resolve(url, subscriber.private)
            request = client.build_request(
                "POST",
                _with_host(url, address),
                content=page.data,
                headers={
                    "Host": urlsplit(url).netloc,
                    "Content-Type": "application/x-ndjson",
                    **webhook.sign(self._key, subscriber.name, int(time.time()), page.data),
                },
                extensions={"sni_hostname": urlsplit(url).hostname},
                timeout=DELIVERY_S_MAX,
            )
            answer = await client.send(request, stream=True)
            await answer.aclose()
        if not answer.is_success:
            raise FeedUnavailable(f"expected status 2xx, got {answer.status_code}")


def _with_host(url: str, address: addresses.Address) -> str:
    """`url` with its host replaced by the address that was looked at."""
    parts = urlsplit(url)
    host = f"[{address}]" if address.version == 6 else str(address)
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host))
