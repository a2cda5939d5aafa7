"""Webhooks: signed for one receiver, each subscriber by itself, nothing to private addresses."""

from __future__ import annotations

import ipaddress
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchor.packages import OPERATOR
from contracts.emissions import own_anvil
from feed.programs import kill, run, start, stop, until
from feed.world import World
from tanzheng.core.attestation import Act
from tanzheng.core.errors import TanzhengError
from tanzheng.core.keys import SigningKey
from tanzheng.feed import addresses, push, webhook
from tanzheng.feed.errors import FeedInput

NOW_S = 1_790_000_000


def test_a_delivery_is_for_one_receiver_at_one_time() -> None:
    headers = webhook.sign(OPERATOR, "registry", NOW_S, b"lines")
    check = webhook.check
    check(headers, "registry", b"lines", OPERATOR.public, NOW_S + webhook.REPLAY_S_MAX)
    other = SigningKey.from_seed(b"other".ljust(32, b".")).public
    mine = OPERATOR.public
    wrong = [
        (headers, "another", b"lines", mine, NOW_S),
        (headers, "registry", b"line", mine, NOW_S),
        (headers, "registry", b"lines", other, NOW_S),
        (headers, "registry", b"lines", mine, NOW_S + 301),
        (headers, "registry", b"lines", mine, NOW_S - 301),
        ({}, "registry", b"lines", mine, NOW_S),
    ]
    for arguments in wrong:
        with pytest.raises(TanzhengError):
            check(*arguments)
    for name, value in headers.items():
        for text in (value[:-1], value + "0", value.replace(value[0], "Z", 1), "٣" * 10, ""):
            with pytest.raises(TanzhengError):
                check({**headers, name: text}, "registry", b"lines", OPERATOR.public, NOW_S)


@settings(deadline=None)
@given(st.text(max_size=90), st.sampled_from([webhook.TIMESTAMP, webhook.SIGNATURE, webhook.KEY]))
def test_garbage_in_a_header_is_named(text: str, name: str) -> None:
    headers = webhook.sign(OPERATOR, "registry", NOW_S, b"lines")
    if headers[name] != text:
        with pytest.raises(TanzhengError):
            webhook.check({**headers, name: text}, "registry", b"lines", OPERATOR.public, NOW_S)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::"),
    ],
)
def test_private_addresses_in_every_dress(address: str) -> None:
    assert not addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.org/", "ftp://example.org/", "https://", "https://user:pw@example.org/"),
        *("https://example.org/#part", "file:///etc/passwd", "example.org"),
    ],
)
def test_addresses_that_are_none(url: str, tmp_path: Path) -> None:
    with pytest.raises(FeedInput, match="webhook"):
        push.subscribe(tmp_path, "registry", url, private=False, allow_http=False)


# ------------------------------------------------------------------ real deliveries


class Receiver:
    """A subscriber's server: what it got, and how it behaves."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, str], bytes]] = []
        self.status, self.delay_s = 200, 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(receiver.delay_s)
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.deliveries.append((headers, body))
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_request(self, code: int | str = 0, size: int | str = 0) -> None:
                """Not on the test's screen."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def lines(self) -> list[bytes]:
        return [line for _, body in self.deliveries for line in body.splitlines()]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@contextmanager
def receivers(count: int) -> Iterator[list[Receiver]]:
    made = [Receiver() for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with own_anvil() as anvil:
        world = World(anvil, tmp_path_factory.mktemp("pushed"))
        world.confirm("U1", "100")
        world.act("U1", Act.DISPUTE)
        world.act("U1", Act.UPHOLD)
        world.collect()
        yield world
        for reader in world.readers:
            reader.close()


@pytest.fixture
def folder(place: World, tmp_path: Path) -> Path:
    """A feed's folder of the test's own, with the items of the module's."""
    (tmp_path / "items.ndjson").write_bytes(b"".join(line + b"\n" for line in place.lines()))
    (tmp_path / "operator.pem").write_bytes(place.key.read_bytes())
    (tmp_path / "operator.pem").chmod(0o600)
    return tmp_path


def pusher(folder: Path) -> tuple[object, ...]:
    key = folder / "operator.pem"
    return ("feed", "push", "--dir", folder, "--key", key, "--allow-http")


def subscribed(folder: Path, name: str, url: str, *, private: bool = True) -> None:
    push.subscribe(folder, name, url, private, allow_http=True)


def status(folder: Path) -> dict[str, Any]:
    done = run("feed", "status", "--dir", folder, "--json")
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_a_slow_and_a_dead_subscriber_delay_nobody(place: World, folder: Path) -> None:
    with receivers(3) as (quick, slow, broken):
        slow.delay_s, broken.status = 3.0, 500
        subscribed(folder, "quick", quick.url)
        subscribed(folder, "slow", slow.url)
        subscribed(folder, "broken", broken.url)
        subscribed(folder, "dead", "http://127.0.0.1:1/")
        subscribed(folder, "forbidden", quick.url, private=False)
        process = start(*pusher(folder), log=folder / "push.log")
        try:
            until(lambda: quick.lines() == place.lines(), "quick")
            assert slow.lines() == []
            until(lambda: slow.lines() == place.lines(), "slow")
            until(lambda: len(broken.deliveries) >= 2, "broken")
            shown = status(folder)["subscribers"]
        finally:
            assert stop(process) == 0, (folder / "push.log").read_text()
    assert len(quick.deliveries) == 1
    headers, body = quick.deliveries[0]
    webhook.check(headers, "quick", body, OPERATOR.public, int(time.time()))
    assert headers["host"] == quick.url.split("/")[2]
    assert (shown["quick"]["cursor"], shown["quick"]["behind"]) == (3, 0)
    for name, said in (
        ("broken", "got 500"),
        ("dead", "Connect"),
        ("forbidden", "public addresses"),
    ):
        assert (shown[name]["cursor"], shown[name]["behind"]) == (0, 3)
        assert shown[name]["failures"] >= 1
        assert said in shown[name]["error"]


def test_a_redirect_is_not_followed(folder: Path) -> None:
    with receivers(1) as (moved,):
        moved.status = 302
        subscribed(folder, "moved", moved.url)
        process = start(*pusher(folder), log=folder / "push.log")
        try:
            until(lambda: status(folder)["subscribers"]["moved"]["error"], "moved")
            assert "got 302" in status(folder)["subscribers"]["moved"]["error"]
        finally:
            stop(process)


def test_a_pusher_that_is_killed_goes_on(place: World, folder: Path) -> None:
    """At least once: what was delivered and not noted comes again, nothing is left out."""
    with receivers(1) as (registry,):
        registry.delay_s = 0.3
        subscribed(folder, "registry", registry.url)
        for pause in (0.6, 0.9, 1.2):
            process = start(*pusher(folder), log=folder / "push.log")
            time.sleep(pause)
            kill(process)
        process = start(*pusher(folder), log=folder / "push.log")
        try:
            until(lambda: status(folder)["subscribers"]["registry"]["cursor"] == 3, "registry")
        finally:
            stop(process)
        assert set(registry.lines()) == set(place.lines())


def test_a_subscriber_comes_moves_and_a_wrong_file_is_named(place: World, folder: Path) -> None:
    with receivers(2) as (first, second):
        process = start(*pusher(folder), log=folder / "push.log")
        try:
            (folder / "subscribers").mkdir()
            (folder / "subscribers" / "odd.json").write_text("{}")
            subscribed(folder, "registry", "http://127.0.0.1:1/")
            until(lambda: status(folder)["subscribers"]["registry"]["failures"], "dead")
            subscribed(folder, "registry", first.url)
            until(lambda: first.lines() == place.lines(), "moved")
            subscribed(folder, "registry", second.url)
            time.sleep(1.0)
            assert second.lines() == []  # the cursor stays
            assert "odd.json" in status(folder)["problems"]
        finally:
            assert stop(process) == 0
        assert "odd.json" in (folder / "push.log").read_text()
