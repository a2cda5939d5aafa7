"""Producer, server and consumer as processes: killed, tampered with, put back; the sum holds."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feed.programs import collect, follow, kill, make_token, run, served, start, stop, until
from feed.world import YEAR, World
from tanzheng.core.attestation import Act
from tanzheng.core.keys import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable


def books(world: World, ledger: Path) -> dict[str, Any]:
    """What `tanzheng feed ledger` shows."""
    done = run(
        *("feed", "ledger", "--ledger", ledger, "--trust", world.write_trust()),
        *("--authority", world.write_authority(), "--json"),
    )
    assert done.returncode in (0, 3), done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def state(world: World) -> dict[str, int]:
    """The contract's state in the ledger's words."""
    return {f"{subject} {YEAR}": tonnes for subject, tonnes in world.state().items()}


def test_from_the_contract_to_the_books(world: World) -> None:
    ledger = world.folder / "ledger.sqlite"
    world.confirm("U1", "100")
    world.confirm("U2", "7")
    assert run(*collect(world, "--once")).returncode == 0
    make_token(world)
    with served(world) as url:
        done = run(*follow(world, url, ledger, "--once", "--json"))
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)
        assert shown["confirmed"] == {"E1/U1 2025": 100, "E1/U2 2025": 7}
        again = run(*follow(world, url, ledger, "--once"))
        assert again.returncode == 0
        assert "booked" not in again.stderr
        world.act("U1", Act.DISPUTE)
        run(*collect(world, "--once"))
        done = run(*follow(world, url, ledger, "--once", "--json"))
        shown = json.loads(done.stdout)
        assert (shown["confirmed"], shown["disputed"]) == ({"E1/U2 2025": 7}, {"E1/U1 2025": 100})
    assert books(world, ledger)["confirmed"] == state(world)


def test_a_block_that_is_not_trusted_yet_waits_in_quarantine(world: World) -> None:
    ledger, early = world.folder / "ledger.sqlite", world.folder / "early.json"
    early.write_bytes(world.trust().encode())
    world.confirm("U1", "100")
    run(*collect(world, "--once"))
    make_token(world)
    with served(world) as url:
        arguments = list(follow(world, url, ledger, "--once", "--json"))
        known = arguments.index("--trust") + 1
        done = run(*arguments[:known], early, *arguments[known + 1 :])
        assert done.returncode == 3
        assert json.loads(done.stdout)["problems"][0]["seq"] == 1
        assert "quarantine" in done.stderr
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["confirmed"] == {"E1/U1 2025": 100}


def test_a_province_s_key_that_was_rotated_counts_with_its_event(world: World) -> None:
    """Without the event's receipt the figure waits in quarantine, with it it is booked."""
    rotated = world.rotate_province(SigningKey.from_seed(b"later".ljust(32, b".")))
    world.confirm("U1", "100")
    run(*collect(world, "--once"))
    make_token(world)
    with served(world) as url:
        arguments = follow(world, url, world.folder / "ledger.sqlite", "--once", "--json")
        done = run(*arguments)
        assert done.returncode == 3
        assert "province key" in json.loads(done.stdout)["problems"][0]["reason"]
        done = run(*arguments, "--key-event", rotated)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["confirmed"] == {"E1/U1 2025": 100}
        (other,) = (world.folder / "shelf").glob("U1-*.cbor")
        assert run(*arguments, "--key-event", other).returncode == 2  # no key event


# ------------------------------------------------------------------ a server that lies


@contextmanager
def between(url: str, change: Callable[[str, bytes], bytes]) -> Iterator[str]:
    """A proxy that may change what the server said: path and body → body."""
    import httpx

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {"Authorization": self.headers["Authorization"]}
            answer = httpx.get(url + self.path, headers=headers)
            body = change(self.path, answer.content)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = 0, size: int | str = 0) -> None:
            """Not on the test's screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_a_server_may_try(world: World) -> None:
    world.confirm("U1", "100")
    world.act("U1", Act.DISPUTE)
    world.act("U1", Act.UPHOLD)
    run(*collect(world, "--once"))
    make_token(world)
    lines = world.lines()

    def only(*kept: int) -> Callable[[str, bytes], bytes]:
        body = b"".join(lines[n - 1] + b"\n" for n in kept)
        return lambda path, data: data if "head" in path else body

    def tampered(path: str, data: bytes) -> bytes:
        return data if "head" in path else data.replace(b'"tonnes":100', b'"tonnes":999')

    tries = {
        "held back": (only(1, 3), "1 held back"),
        "the end left out": (only(1), "expected all items up to 3"),
        "changed": (tampered, "in quarantine"),
        "cut": (lambda path, data: data if "head" in path else data[:-9], "cut off"),
        "garbage": (lambda path, data: data if "head" in path else b"{}\n", "in quarantine"),
        "head changed": (
            lambda path, data: data.replace(b'"seq":3', b'"seq":2') if "head" in path else data,
            "signature",
        ),
    }
    with served(world) as url:
        for name, (change, said) in tries.items():
            ledger = world.folder / f"{name}.sqlite"
            with between(url, change) as proxy:
                done = run(*follow(world, proxy, ledger, "--once", "--json"))
            assert done.returncode in (1, 3), name
            assert said in done.stderr, name
            assert sum(json.loads(done.stdout)["confirmed"].values()) in (0, 100), name
            done = run(*follow(world, url, ledger, "--once", "--json"))
            assert done.returncode == 0, (name, done.stderr)
            assert json.loads(done.stdout)["confirmed"] == state(world)
        ledger = world.folder / "reversed.sqlite"
        with between(url, only(3, 2, 1, 2, 3, 1)) as proxy:
            done = run(*follow(world, proxy, ledger, "--once", "--json"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["confirmed"] == state(world)


def test_a_server_that_was_put_back(world: World) -> None:
    world.confirm("U1", "100")
    world.confirm("U2", "7")
    run(*collect(world, "--once"))
    make_token(world)
    ledger, items = world.folder / "ledger.sqlite", world.folder / "feed" / "items.ndjson"
    with served(world) as url:
        assert run(*follow(world, url, ledger, "--once")).returncode == 0
    items.write_bytes(world.lines()[0] + b"\n")
    with served(world) as url:
        done = run(*follow(world, url, ledger, "--once"))
    assert done.returncode == 3
    assert "put back to an older state" in done.stderr


def test_a_wrong_token_and_a_plain_address(world: World) -> None:
    make_token(world)
    ledger = world.folder / "ledger.sqlite"
    with served(world) as url:
        (world.folder / "token").write_text("x" * 43)
        done = run(*follow(world, url, ledger, "--once"))
        assert done.returncode == 2
        assert "token to be accepted" in done.stderr
    done = run(*follow(world, "http://feed.example.org", ledger, "--once"))
    assert done.returncode == 2
    assert "https://" in done.stderr


# ------------------------------------------------------------------ killed


def test_everything_killed_again_and_again(world: World) -> None:
    """Collector, server and two consumers are killed while figures are confirmed and corrected."""
    rng = random.Random(5)
    make_token(world)
    log = world.folder / "processes.log"
    ledgers = [world.folder / f"ledger-{n}.sqlite" for n in (1, 2)]
    feed = world.folder / "feed"
    collect_arguments = collect(world)
    # One port, so that the consumers find the server again.
    with served(world) as url:
        port = url.rpartition(":")[2]
    serve_arguments = ("feed", "serve", "--dir", feed, "--port", port)
    followers = [follow(world, url, ledger) for ledger in ledgers]
    commands: list[tuple[object, ...]] = [collect_arguments, serve_arguments, *followers]
    running = [start(*command, log=log) for command in commands]
    kills = 0
    try:
        for step in steps(world):
            step()
            world.write_trust()
            world.write_authority()
            time.sleep(rng.uniform(0.0, 0.5))
            victim = rng.randrange(len(running))
            kill(running[victim])
            running[victim] = start(*commands[victim], log=log)
            kills += 1
        expected = state(world)
        for ledger in ledgers:
            until(partial(is_settled, world, ledger, expected), log.read_text())
    finally:
        codes = [stop(process) for process in running]
    assert codes == [0, 0, 0, 0], log.read_text()
    assert kills >= 12
    lines = world.lines()
    for ledger in ledgers:
        shown = books(world, ledger)
        assert shown["item"] == shown["seq"] == len(lines) == ITEMS
        assert shown["entry"] == 2 * len(lines)
        assert shown["problems"] == []


ITEMS = 12
"""What the steps bring: six for U1, four for U2, two for U3."""


def is_settled(world: World, ledger: Path, expected: dict[str, int]) -> bool:
    """The books have every item, and say what the contract says."""
    if not ledger.exists():
        return False
    shown = books(world, ledger)
    return (shown["confirmed"], shown["problems"], shown["seq"]) == (expected, [], ITEMS)


def steps(world: World) -> list[Callable[[], None]]:
    """A year in a province, act by act."""
    plan: list[Callable[[], None]] = [
        lambda: world.confirm("U1", "100"),
        lambda: world.confirm("U2", "7"),
        lambda: world.act("U1", Act.DISPUTE),
        lambda: world.confirm("U3", "1000.5"),
        lambda: world.act("U1", Act.UPHOLD),
        lambda: world.act("U2", Act.DISPUTE),
        lambda: world.report("U2", "8"),
        lambda: world.act("U2", Act.REVIEW),
        lambda: world.act("U2", Act.VERIFY),
        lambda: world.act("U2", Act.CONFIRM),
        lambda: world.act("U3", Act.DISPUTE),
        lambda: world.act("U1", Act.DISPUTE),
        lambda: world.confirm("U1", "90"),
        lambda: world.report("U4", "5"),
    ]
    return plan


def test_a_killed_collector_leaves_whole_lines_each_once(world: World) -> None:
    """SIGKILL at random instants of short runs; in the end the feed is as if nothing happened."""
    for unit in range(1, 5):
        world.confirm(f"U{unit}", f"{unit}0")
    rng, log = random.Random(11), world.folder / "collect.log"
    for _ in range(12):
        process = start(*collect(world), log=log)
        time.sleep(rng.uniform(0.3, 1.1))
        kill(process)
    assert run(*collect(world, "--once")).returncode == 0
    items = [json.loads(line)["item"] for line in world.lines()]
    assert [item["seq"] for item in items] == [1, 2, 3, 4]
    assert [item["subject"] for item in items] == ["E1/U1", "E1/U2", "E1/U3", "E1/U4"]
    head = json.loads((world.folder / "feed" / "head.json").read_bytes())["head"]
    assert head["seq"] == 4
