"""The feed over HTTP, served by a real process: pages, waiting, tokens, limits."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from anchor.packages import OPERATOR
from contracts.emissions import own_anvil
from feed.programs import make_token, run, served
from feed.world import World
from tanzheng.core.attestation import Act
from tanzheng.core.feed_head import open_head
from tanzheng.feed import access
from tanzheng.feed.access import BUCKET_REQUESTS, Bucket
from tanzheng.feed.errors import FeedInput


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with own_anvil() as anvil:
        world = World(anvil, tmp_path_factory.mktemp("served"))
        world.confirm("U1", "100")
        world.act("U1", Act.DISPUTE)
        world.act("U1", Act.UPHOLD)
        world.collect()
        make_token(world)
        yield world
        for reader in world.readers:
            reader.close()


@pytest.fixture(scope="module")
def url(place: World) -> Iterator[str]:
    with served(place) as address:
        yield address


@pytest.fixture
def client(place: World, url: str) -> Iterator[httpx.Client]:
    token = (place.folder / "token").read_text()
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as made:
        until_allowed(made)
        yield made


def until_allowed(client: httpx.Client) -> None:
    """An earlier test may have asked too often."""
    while client.get("/v1/feed?limit=1").status_code == httpx.codes.TOO_MANY_REQUESTS:
        time.sleep(0.2)


def test_pages_follow_on_each_other(place: World, client: httpx.Client) -> None:
    lines, after = list[bytes](), 0
    for _ in range(3):
        page = client.get("/v1/feed", params={"after": after, "limit": 1})
        assert page.headers["content-type"].startswith("application/x-ndjson")
        lines += page.content.splitlines()
        after = int(page.headers["Tanzheng-Next"])
    assert lines == place.lines()
    end = client.get("/v1/feed", params={"after": 3})
    assert (end.status_code, end.content, end.headers["Tanzheng-Next"]) == (200, b"", "3")
    assert client.get("/v1/feed").content.splitlines() == lines


def test_a_page_that_is_known_is_not_sent_again(client: httpx.Client) -> None:
    tag = client.get("/v1/feed").headers["ETag"]
    again = client.get("/v1/feed", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/v1/feed?after=1", headers={"If-None-Match": tag}).status_code == 200


def test_compressed_where_asked_for(client: httpx.Client) -> None:
    with client.stream("GET", "/v1/feed", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    plain = client.get("/v1/feed", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content)


def test_the_head_is_signed(place: World, client: httpx.Client) -> None:
    signed = open_head(client.get("/v1/feed/head").content)
    signed.verify(OPERATOR.public)
    assert (signed.head.seq, signed.head.digest) == (3, place.outbox().digest)


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "limit=0", "limit=501", "wait=61", "wait=-1", "after=1e3"]
)
def test_limits_of_a_question(client: httpx.Client, query: str) -> None:
    assert client.get(f"/v1/feed?{query}").status_code == 422


def test_a_cursor_from_the_future(client: httpx.Client) -> None:
    answer = client.get("/v1/feed?after=4")
    assert answer.status_code == 409
    assert "up to 3" in answer.text


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic {token}", "{token}"])
def test_nobody_reads_without_a_token(place: World, url: str, header: str) -> None:
    token = (place.folder / "token").read_text()
    headers = {"Authorization": header.format(token=token)}
    for path in ("/v1/feed", "/v1/feed/head"):
        answer = httpx.get(url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert httpx.get(url + "/docs").status_code == 404


def test_a_revoked_token_is_of_no_use(place: World, url: str) -> None:
    folder = place.folder / "feed"
    token = access.make(folder, "short-lived")
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(url + "/v1/feed", headers=headers).status_code == 200
    assert run("feed", "token", "short-lived", "--dir", folder, "--revoke").returncode == 0
    assert httpx.get(url + "/v1/feed", headers=headers).status_code == 401
    with pytest.raises(FeedInput):
        access.revoke(folder, "short-lived")


def test_whoever_asks_too_often_waits_and_others_do_not(place: World, url: str) -> None:
    folder = place.folder / "feed"
    with httpx.Client(base_url=url) as client:
        greedy = {"Authorization": f"Bearer {access.make(folder, 'greedy')}"}
        other = {"Authorization": f"Bearer {access.make(folder, 'other')}"}
        answers = (client.get("/v1/feed?after=3", headers=greedy) for _ in range(2000))
        answer = next(each for each in answers if each.status_code == 429)
        assert int(answer.headers["Retry-After"]) >= 1
        assert client.get("/v1/feed?after=3", headers=other).status_code == 200


def test_waiting_ends_with_the_item(world: World) -> None:
    world.confirm("U1", "7")
    world.collect()
    found = list[httpx.Response]()
    headers = {"Authorization": f"Bearer {make_token(world)}"}
    with served(world) as address, httpx.Client(base_url=address, headers=headers) as client:
        assert client.get("/v1/feed?after=1&wait=0.3").content == b""
        thread = threading.Thread(
            target=lambda: found.append(client.get("/v1/feed?after=1&wait=50", timeout=60))
        )
        started = time.monotonic()
        thread.start()
        world.act("U1", Act.DISPUTE)
        world.collect()
        thread.join()
    assert time.monotonic() - started < 25
    assert found[0].content.splitlines() == world.lines()[1:]


def test_tokens_are_kept_as_digests_and_for_the_owner_only(tmp_path: Path) -> None:
    token = access.make(tmp_path, "registry")
    path = tmp_path / "tokens.json"
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FeedInput, match="has one"):
        access.make(tmp_path, "registry")
    path.chmod(0o640)
    with pytest.raises(FeedInput, match="0600"):
        access.read(tmp_path)


def test_the_bucket() -> None:
    bucket = Bucket(at_s=0.0)
    assert [bucket.take(0.0) for _ in range(int(BUCKET_REQUESTS))] == [0.0] * 60
    assert bucket.take(0.0) == pytest.approx(0.1)
    assert bucket.take(0.1) == 0.0
    assert bucket.take(0.1) > 0


def test_outside_the_machine_only_with_tls(tmp_path: Path) -> None:
    done = run("feed", "serve", "--dir", tmp_path, "--port", 0)
    assert done.returncode == 2
    assert "make a token first" in done.stderr
    access.make(tmp_path, "registry")
    done = run("feed", "serve", "--dir", tmp_path, "--host", "0.0.0.0", "--port", 0)
    assert done.returncode == 2
    assert "--tls-cert" in done.stderr
    (tmp_path / "tokens.json").chmod(0o644)
    done = run("feed", "serve", "--dir", tmp_path, "--port", 0)
    assert done.returncode == 2
    assert "0600" in done.stderr
