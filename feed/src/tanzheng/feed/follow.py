"""The reference consumer: pull, check, book; go on where the books end.

The server is asked for what follows on the books, never for what a cursor file says: there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tanzheng.core import receipt
from tanzheng.core.errors import TanzhengError
from tanzheng.core.feed import LINE_BYTES_MAX
from tanzheng.core.feed_head import HEAD_BYTES_MAX, FeedHead, open_head
from tanzheng.core.receipt_check import logged
from tanzheng.core.statements.key_event import KeyEvent
from tanzheng.core.statements.keyring import Keyring, Logged
from tanzheng.core.trust import TRUST_BYTES_MAX, Trust
from tanzheng.feed import access, disk
from tanzheng.feed.authority import AUTHORITY_BYTES_MAX, Authority
from tanzheng.feed.check import Checker
from tanzheng.feed.errors import FeedInput, FeedUnavailable, NotProved, Unbooked
from tanzheng.feed.ledger import Ledger, Outcome

PAGE_ITEMS, WAIT_S, TIMEOUT_S = 200, 10, 30.0
RETRY_S, RETRY_S_MAX = 1.0, 60.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Client:
    """The feed's server at `url`."""

    def __init__(self, url: str, token: str, allow_http: bool, authority: Path | None) -> None:
        parts = urlsplit(url)
        plain = parts.scheme == "http" and (allow_http or parts.hostname in LOOPBACK)
        if parts.scheme != "https" and not plain:
            raise FeedInput(f"--url: expected https://, or --allow-http, got {url!r}")
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
            trust_env=False,
            verify=_tls(authority),
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def lines(self, after: int, wait_s: int = 0) -> Iterator[bytes]:
        """The lines of the page after `after`; `NotProved` where the server has fewer than that."""
        params = {"after": after, "limit": PAGE_ITEMS, "wait": wait_s}
        try:
            with self._http.stream("GET", "/v1/feed", params=params) as answer:
                self._check(answer, after)
                yield from _split(answer.iter_bytes())
        except httpx.HTTPError as error:
            raise FeedUnavailable(f"feed: expected an answer, got {error!r}") from error

    def head(self, checker: Checker) -> FeedHead | None:
        """The signed head, None before the first item was collected."""
        try:
            answer = self._http.get("/v1/feed/head")
        except httpx.HTTPError as error:
            raise FeedUnavailable(f"feed head: expected an answer, got {error!r}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        self._check(answer, 0)
        signed = open_head(answer.content[: HEAD_BYTES_MAX + 1])
        signed.verify(checker.trust.operator(signed.kid, signed.head.signed_ms))
        domain = checker.authority.domain
        if (signed.head.chain_id, signed.head.contract) != (domain.chain_id, domain.contract):
            raise NotProved("feed head: expected one of the trusted contract, got another")
        return signed.head

    def _check(self, answer: httpx.Response, after: int) -> None:
        if answer.status_code == httpx.codes.CONFLICT:
            raise NotProved(
                f"feed: expected item {after}, which is in the books, and those after it; the "
                "server has fewer: it was put back to an older state"
            )
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise FeedInput("feed: expected the token to be accepted, it was not")
        if answer.status_code != httpx.codes.OK:
            raise FeedUnavailable(f"feed: expected status 200, got {answer.status_code}")


class Follower:
    """Books what a server gives; `say` is told of every outcome."""

    def __init__(
        self, client: Client, ledger: Ledger, trusted: Trusted, say: Callable[[str], Any]
    ) -> None:
        self._client, self._ledger, self._trusted, self._say = client, ledger, trusted, say

    def once(self) -> None:
        """Book all there is; `Unbooked` where something is left that was not booked."""
        self._renew()
        while self._page(0):
            pass
        self.check()
        self._check_head()

    def forever(self) -> None:
        """Follow until stopped; a server that is away is asked again, ever less often."""
        away_s = RETRY_S
        while True:
            try:
                self._renew()
                before = len(self._ledger.problems())
                moved = self._page(WAIT_S)
                self._check_head()
                for problem in self._ledger.problems()[before:]:
                    self._say(f"quarantine 隔离: {problem.reason}")
                away_s = RETRY_S
                if not moved:
                    time.sleep(RETRY_S)
            except TanzhengError as error:  # a trust file half written is one, too
                self._say(f"waiting 等待: {error}")
                time.sleep(away_s)
                away_s = min(2 * away_s, RETRY_S_MAX)

    def check(self) -> None:
        """Return where all that came is booked; else `Unbooked`."""
        problems, held = self._ledger.problems(), self._ledger.counts()["held"]
        if problems or held:
            first = f": {problems[0].reason}" if problems else ""
            raise Unbooked(
                f"expected every item to be booked, {len(problems)} are in quarantine and {held} "
                f"held back{first}"
            )

    def _renew(self) -> None:
        checker = self._trusted.newer()
        if checker is not None:
            self._ledger.checker = checker
            if booked := self._ledger.retry():
                self._say(f"booked 入账: {booked} from quarantine")

    def _page(self, wait_s: int) -> bool:
        """Take in one page; say whether the books went on."""
        before, outcomes = self._ledger.seq, list[Outcome]()
        for line in self._client.lines(before, wait_s):
            outcomes.append(self._ledger.take(line))
        for outcome in Outcome:
            if count := outcomes.count(outcome):
                self._say(f"{outcome}: {count}")
        return self._ledger.seq > before

    def _check_head(self) -> None:
        """The signed head goes no further than the books, and is the same item."""
        head = self._client.head(self._ledger.checker)
        if head is None:
            return
        if head.seq > self._ledger.seq and not self._page(0):
            raise NotProved(
                f"feed: expected all items up to {head.seq}, which the operator signed, "
                f"got {self._ledger.seq}"
            )
        known = self._ledger.digest_of(head.seq)
        if head.digest is not None and known not in (None, head.digest):
            raise NotProved(f"feed head: expected the digest of item {head.seq} as in the books")


class Trusted:
    """TRUST.json, AUTHORITY.json and receipts of key events, read again when they change."""

    def __init__(self, trust: Path, authority: Path, key_events: Sequence[Path] = ()) -> None:
        self._paths = (trust, authority, *key_events)
        self._seen: tuple[int, ...] = ()

    def read(self) -> Checker:
        """What is trusted now; `NotProved` where a key event does not count."""
        trust_file, authority, *key_events = self._paths
        trust = Trust.decode(disk.read(trust_file, TRUST_BYTES_MAX, "trust file"))
        keyring = Keyring(trust, [_key_event(path, trust) for path in key_events])
        for event, why in keyring.ignored:
            raise NotProved(f"--key-event: leaf {event.index}: expected one that counts: {why}")
        return Checker(
            trust,
            Authority.decode(disk.read(authority, AUTHORITY_BYTES_MAX, "authority file")),
            keyring,
        )

    def newer(self) -> Checker | None:
        """What is trusted now, None where the files are those that were read."""
        seen = tuple(path.stat().st_mtime_ns for path in self._paths if path.exists())
        if seen == self._seen:
            return None
        checker = self.read()
        self._seen = seen
        return checker


def _key_event(path: Path, trust: Trust) -> Logged:
    """The event in a receipt, where and by when the chain proves it."""
    taken = receipt.decode(disk.read(path, receipt.RECEIPT_BYTES_MAX, "--key-event"))
    taken.statement.of(KeyEvent)
    return logged(taken, trust)


def open_client(url: str, token: Path, allow_http: bool, authority: Path | None) -> Client:
    """A client with the token of a file."""
    return Client(url, access.read_token(token), allow_http, authority)


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines of a body; one that is too long or cut off is an error, never half an item."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > LINE_BYTES_MAX:
            raise FeedUnavailable(f"feed: expected lines of at most {LINE_BYTES_MAX} bytes")
    if rest:
        raise FeedUnavailable("feed: expected whole lines, the answer was cut off")


def _tls(authority: Path | None) -> Any:
    import ssl

    return ssl.create_default_context(cafile=authority) if authority else True
