"""Killed at each step on disk, chains that turn, certificates: what is left is whole."""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from anchor.packages import OPERATOR
from contracts.emissions import own_anvil
from feed.programs import TANZHENG, collect, follow, make_token, run, served, start, stop, until
from feed.world import CONFIRMED, World
from tanzheng.core.attestation import Act
from tanzheng.core.trust import OperatorKey, TrustedPlant
from tanzheng.feed.authority import Authority
from tanzheng.feed.check import Checker
from tanzheng.feed.ledger import Ledger, Outcome
from tanzheng.files import durable
from tanzheng.verifier.observer import Anchors, Observer
from tanzheng.verifier.observer import Node as Observed


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three figures, one in dispute; nothing collected yet."""
    with own_anvil() as anvil:
        world = World(anvil, tmp_path_factory.mktemp("faults"))
        world.confirm("U1", "100")
        world.confirm("U2", "7")
        world.act("U1", Act.DISPUTE)
        world.confirm("U3", "5")
        yield world
        for reader in world.readers:
            reader.close()


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a process that is killed before its `step`-th operation on the disk.

    An append counts twice: it is killed before it, and with half of the bytes written.
    """
    if (child := os.fork()) == 0:
        left = step

        def before(operation: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*arguments: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                if operation is append:
                    left -= 1
                    if left == 0:
                        path, data, at = arguments
                        append(path, data[: len(data) // 2], at)
                        os.kill(os.getpid(), signal.SIGKILL)
                return operation(*arguments)

            return counted

        append = durable.append
        for name in ("append", "truncate", "overwrite"):
            setattr(durable, name, before(getattr(durable, name)))
        for name in ("fsync", "replace", "ftruncate"):
            setattr(os, name, before(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_collector_killed_at_every_step(place: World) -> None:
    """After each kill the next run goes on; in the end each item is there once, chained."""
    items = place.folder / "feed" / "items.ndjson"
    kills = 0
    for step in range(1, 60):
        items.unlink(missing_ok=True)
        if not killed_at(step, place.collect):
            break
        kills += 1
        whole = [line for line in place.lines() if line.endswith(b'"}')]
        lines = place.collect()
        assert [json.loads(line)["item"]["seq"] for line in lines] == [1, 2, 3, 4]
        assert lines[: len(whole)] == whole, "what was given out stays"
    assert kills > 15
    items.unlink()
    assert len(place.collect()) == 4


def test_a_chain_that_turns_while_a_registry_follows(world: World) -> None:
    """Reorganisations of every depth up to what counts as final: the books are the contract's."""
    confirmations = 5
    checker = None
    for depth in range(1, confirmations + 1):
        unit = f"U{depth}"
        world.report(unit, f"{depth}00")
        world.state_confirmed(unit)  # the log must not turn with the figures, so it goes ahead
        for act in (*CONFIRMED, Act.DISPUTE):
            world.act(unit, act)
        world.collect(confirmations)
        world.node.rpc("anvil_reorg", depth, [])
        figure = world.figures[unit]
        standing = world.emissions.version_of(f"E1/{unit}", 2025, 1)
        figure.sequence = standing.sequence if standing else 0
        if standing is None:
            del world.figures[unit]
    world.node.rpc("anvil_mine", hex(confirmations))
    lines = world.collect(confirmations)
    checker = Checker(world.trust(), Authority.decode(json.dumps(world.authority()).encode()))
    books = Ledger(world.folder / "ledger.sqlite", checker)
    outcomes = {books.take(line) for line in lines}
    assert outcomes <= {Outcome.BOOKED}
    booked = {subject: tonnes for (subject, _), tonnes in books.balances().items()}
    assert booked == world.state()
    books.audit()
    books.close()


def test_reconcile_names_a_difference(world: World) -> None:
    world.confirm("U1", "100")
    world.confirm("U2", "7")
    world.collect()
    trust, authority = world.write_trust(), world.write_authority()
    ledger = world.folder / "ledger.sqlite"
    checker = Checker(world.trust(), Authority.decode(authority.read_bytes()))
    books = Ledger(ledger, checker)
    books.take(world.lines()[0])
    arguments = (
        "feed", "reconcile", "--ledger", ledger, "--trust", trust, "--authority", authority,
        "--rpc", world.anvil.url, "--since", world.block, "--finality", 0, "--json",
    )  # fmt: skip
    done = run(*arguments)
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["differences"] == [
        {"subject": "E1/U2", "year": 2025, "books_t": 0, "contract_t": 7}
    ]
    books.take(world.lines()[1])
    books.close()
    done = run(*arguments)
    assert done.returncode == 0
    assert json.loads(done.stdout)["tonnes"] == 107


def test_an_observer_also_records_the_blocks_of_the_figures(world: World) -> None:
    """Then the storage proofs of the items count; by the log's blocks alone they do not."""
    world.confirm("U1", "100")
    (line,) = world.collect()
    authority = Authority.decode(json.dumps(world.authority()).encode())
    anchors = Anchors(
        world.chain.contract,
        world.chain.log_id,
        TrustedPlant("E1", bytes(32)),
        (),
        (OperatorKey(OPERATOR.public, 0, None),),
        signers=world.trust().signers,
    )
    contract = bytes.fromhex(world.emissions.address[2:])
    for further, stored in (((), 0), ((contract,), 1)):
        observer = Observer(Observed(world.anvil.url), replace(anchors, further=further), 0)
        assert observer.advance()
        books = Ledger(world.folder / f"{stored}.sqlite", Checker(observer.trust(), authority))
        assert books.take(line) is Outcome.BOOKED
        assert books.counts()["stored"] == stored
        books.close()


# ------------------------------------------------------------------ a full disk


def limited(kilobytes: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command whose files cannot grow beyond a size."""
    command = shlex.join([TANZHENG, *map(str, arguments)])
    return subprocess.run(
        ["bash", "-c", f"ulimit -f {kilobytes}; exec {command}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_full_disk_is_said_and_nothing_is_half(world: World) -> None:
    world.confirm("U1", "100")
    world.confirm("U2", "7")
    done = limited(20, *collect(world, "--once"))
    assert done.returncode == 1
    assert "expected to write" in done.stderr
    assert "Traceback" not in done.stderr
    done = run(*collect(world, "--once"))
    assert done.returncode == 0
    assert "cut" in done.stderr
    assert [json.loads(line)["item"]["seq"] for line in world.lines()] == [1, 2]
    make_token(world)
    ledger = world.folder / "ledger.sqlite"
    with served(world) as url:
        done = limited(60, *follow(world, url, ledger, "--once"))
        assert done.returncode == 1
        assert "ledger: expected" in done.stderr
        assert "Traceback" not in done.stderr
        done = run(*follow(world, url, ledger, "--once", "--json"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["confirmed"] == {"E1/U1 2025": 100, "E1/U2 2025": 7}
    ledger.write_bytes(b"no database, " * 500)
    done = run("feed", "ledger", "--ledger", ledger, "--trust", world.folder / "TRUST.json",
               "--authority", world.folder / "AUTHORITY.json")  # fmt: skip
    assert done.returncode == 2
    assert "SQLite" in done.stderr


# ------------------------------------------------------------------ TLS


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "feed")])
    start_day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start_day)
        .not_valid_after(start_day + dt.timedelta(days=7300))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    paths = (folder / "cert.pem", folder / "cert.key")
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def test_over_tls_and_with_the_right_certificate_only(world: World) -> None:
    world.confirm("U1", "100")
    assert run(*collect(world, "--once")).returncode == 0
    make_token(world)
    cert, key = certificate(world.folder)
    log = world.folder / "serve.log"
    process = start(
        *("feed", "serve", "--dir", world.folder / "feed", "--port", 0),
        *("--tls-cert", cert, "--tls-key", key),
        log=log,
    )
    try:
        url = json.loads(until(lambda: log.read_text().partition("\n")[0], "server"))["url"]
        assert url.startswith("https://")
        ledger = world.folder / "ledger.sqlite"
        done = run(*follow(world, url, ledger, "--once"))
        assert done.returncode == 1
        assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
        done = run(*follow(world, url, ledger, "--once", "--json", "--tls-ca", cert))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["confirmed"] == {"E1/U1 2025": 100}
    finally:
        assert stop(process) == 0, log.read_text()
