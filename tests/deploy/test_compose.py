"""docker-compose.yml: well formed, closed, without a secret, and its services do work together."""

import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from web3 import Web3

import timescale
from deploy.natively import COMPOSE, Machine, described
from ingest.service import ask
from parts import REPOSITORY, server_folder
from tanzheng.ingest.broker_config import Listener, Tls, mosquitto_config
from tanzheng.ingest.topics import mosquitto_acl
from timescale import Timescale

DEPLOY = REPOSITORY / "deploy"
ONE_SHOT = {"migrate"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with server_folder() as made:
        subprocess.run([DEPLOY / "make-secrets", made / "secrets"], check=True)
        yield made


@pytest.fixture(scope="module")
def compose(folder: Path) -> dict[str, Any]:
    return described(folder / "secrets")


def test_every_service_is_closed(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        user, _, group = service["user"].partition(":")
        assert int(user) > 0, name
        assert int(group) > 0, name
        assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert ("healthcheck" in service) == (name not in ONE_SHOT), name
        assert "privileged" not in service, name
        assert "docker.sock" not in str(service), name


def test_only_the_broker_is_reached_from_outside(compose: dict[str, Any]) -> None:
    published = {name for name, service in compose["services"].items() if "ports" in service}
    outside = {n for n, service in compose["services"].items() if "outside" in service["networks"]}
    assert published == outside == {"broker"}
    assert compose["networks"]["inside"]["internal"] is True


def test_no_secret_is_in_the_file(folder: Path) -> None:
    text = COMPOSE.read_text()
    assert not re.search(r"PASSWORD:|://\w+:\w+@|BEGIN|[0-9a-f]{32}", text)
    for file in (folder / "secrets").iterdir():
        assert file.read_text().strip() not in text


def test_secrets_are_closed_and_never_overwritten(folder: Path) -> None:
    secrets = folder / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for key in ("ca.key", "gw1.key", "gw1_signing.pem"):
        assert stat.S_IMODE((secrets / key).stat().st_mode) == 0o600, key
    again = subprocess.run(
        [DEPLOY / "make-secrets", secrets], capture_output=True, text=True, check=False
    )
    assert again.returncode == 2
    assert "never overwritten" in again.stderr
    ignored = subprocess.run(["git", "check-ignore", "deploy/secrets/ca.key"], cwd=REPOSITORY)  # noqa: PLW1510
    assert ignored.returncode == 0


def test_the_brokers_files_are_those_ingest_writes() -> None:
    secrets = Path("/run/secrets")
    tls = Tls(secrets / "ca", secrets / "broker_certificate", secrets / "broker_key")
    config = mosquitto_config(Path("/mosquitto/config"), Listener("0.0.0.0", 8883, tls))
    place = "persistence_location /mosquitto/"
    expected = config.replace(f"{place}config/", f"{place}data/")
    assert (DEPLOY / "mosquitto/mosquitto.conf").read_text() == expected
    assert (DEPLOY / "mosquitto/acl").read_text() == mosquitto_acl(1)


def test_the_image_has_the_members_that_its_services_need() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for member in ("core", "cli", "hardware", "edge-agent", "ingest", "analytics"):
        assert f"COPY {member} /src/{member}" in text
        assert f"!{member}" in (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert text.rindex("USER 10001:10001") > text.rindex("FROM ")
    expression = re.search(r"sed -n '(.*?)'", text)
    assert expression
    pinned = subprocess.run(
        ["sed", "-n", expression[1], "requirements/dev.txt"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert {"psycopg", "paho-mqtt", "zstandard", "uv-build", "polars"} <= {
        p.split("==")[0] for p in pinned
    }


def test_the_chain_answers_and_keeps_its_state(folder: Path, compose: dict[str, Any]) -> None:
    machine = Machine(folder, compose)
    for least in (2, 3):
        process = machine.start("chain")
        try:
            node = Web3(Web3.HTTPProvider(f"http://127.0.0.1:{machine.ports['8545']}"))
            machine.wait_for(node.is_connected, "chain")
            machine.wait_for(lambda: node.eth.block_number >= least, "a block")  # noqa: B023
            assert node.eth.chain_id == 31337
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        assert (folder / "state.json").exists()


def end(running: list["subprocess.Popen[bytes]"]) -> None:
    for process in running:
        process.kill()
        process.wait()


def settings_of(command: list[str]) -> dict[str, str]:
    return dict(word.removeprefix("-c").split("=", 1) for word in command[1:])


def test_a_batch_comes_through(
    folder: Path, compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other service of the file, run here with its own command line and settings."""
    machine = Machine(folder, compose)
    given = settings_of(machine.service("database")["command"])
    monkeypatch.setattr(timescale, "SETTINGS", timescale.SETTINGS | given)
    server = Timescale()
    server._password = (folder / "secrets/database_password").read_text()
    server.port = int(machine.ports["5432"])
    with ExitStack() as stack:
        (folder / "secrets").chmod(0o711)  # a container gets single files, we the whole folder
        stack.callback((folder / "secrets").chmod, 0o700)
        stack.enter_context(server)
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE tanzheng")
        assert machine.start("migrate").wait(60) == 0, machine.said()
        running = [machine.start_broker()]
        stack.callback(end, running)
        running += [machine.start(name) for name in ("ingest", "plant", "gateway")]
        for name in ("ingest", "plant", "gateway"):
            machine.wait_for(partial(machine.healthy, name), name)
        url = server.url("tanzheng")
        machine.wait_for(lambda: ask(url, "SELECT FROM gateway WHERE head_seq > 2"), "a batch")
        [(points,)] = ask(url, "SELECT count(DISTINCT point_id) FROM reading")
        assert points == 2
        ask(url, "SELECT mark_dirty(gw, from_ms - 3600000, from_ms) FROM dirty_hour")  # one is over
        running.append(machine.start("hours"))
        machine.wait_for(partial(machine.healthy, "hours"), "hours")
        kept_up = "SELECT count(DISTINCT point_id) FROM hour"
        machine.wait_for(lambda: ask(url, kept_up) == [(points,)], "an hour of each point")
        for process in reversed(running[1:]):
            process.send_signal(signal.SIGTERM)
        assert [process.wait(20) for process in running[1:]] == [0] * 4, machine.said()
