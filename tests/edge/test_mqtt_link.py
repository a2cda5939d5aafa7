"""One connection to a real broker: what goes wrong is named, and TLS trusts only its own CA."""

import asyncio
import datetime as dt
import gc
import ipaddress
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.world import GATEWAY, closed_port, wait_until
from parts import missing
from tanzheng.edge.mqtt_link import LinkDown, MqttLink
from tanzheng.edge.plan import BrokerPlan
from tanzheng.ingest.broker import Broker, find_mosquitto, free_port

ACKS = f"tanzheng/v1/{GATEWAY}/ack"


def link_to(broker: BrokerPlan, on_puback: Callable[[int], None] = lambda _: None) -> MqttLink:
    return MqttLink(broker, f"tanzheng-{GATEWAY}", lambda _raw: None, on_puback)


def login(broker: Broker, password: str | None = None) -> BrokerPlan:
    own = broker.gateway_url(GATEWAY).rpartition("@")[0].rpartition(":")[2]
    return BrokerPlan(broker.host, broker.port, GATEWAY, password or own)


async def test_a_publication_is_confirmed_under_its_number(broker: Broker) -> None:
    confirmed: asyncio.Queue[int] = asyncio.Queue()
    link = link_to(login(broker), confirmed.put_nowait)
    await link.open(ACKS)
    numbers = [link.publish(f"tanzheng/v1/{GATEWAY}/batch", bytes(100_000)) for _ in range(40)]
    async with asyncio.timeout(10):
        assert sorted([await confirmed.get() for _ in numbers]) == sorted(numbers)
    link.say_goodbye()
    assert link.closed.is_set()
    with pytest.raises(LinkDown):
        link.publish(ACKS, b"")


async def test_a_wrong_password_is_named(broker: Broker) -> None:
    with pytest.raises(LinkDown, match="the broker refused"):
        await link_to(login(broker, "wrong")).open(ACKS)


async def test_nobody_listens() -> None:
    with pytest.raises(LinkDown, match="expected a broker"):
        await link_to(BrokerPlan("127.0.0.1", await closed_port())).open(ACKS)


async def test_a_frozen_broker_takes_five_seconds_and_no_more(broker: Broker) -> None:
    plan = login(broker)
    broker.pause()
    try:
        begin = time.monotonic()
        with pytest.raises(LinkDown, match="within 5 s"):
            await link_to(plan).open(ACKS)
        assert time.monotonic() - begin < 7
    finally:
        broker.resume()


async def test_a_broker_that_dies_closes_the_link(broker: Broker) -> None:
    link = link_to(login(broker))
    await link.open(ACKS)
    broker.kill()
    async with asyncio.timeout(5):
        await link.closed.wait()
    link.close()


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate of 127.0.0.1 and its key, in `name`.pem and `name`.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[int]:
    """A mosquitto that speaks TLS only, with the certificate `broker.pem`."""
    mosquitto = find_mosquitto()
    if mosquitto is None:
        missing("mosquitto")
    certificate(tmp_path, "broker")
    port, config = free_port(), tmp_path / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"
        f"certfile {tmp_path}/broker.pem\nkeyfile {tmp_path}/broker.key\n"
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([mosquitto, "-c", str(config)], stdout=log, stderr=log)
    try:
        wait_until(lambda: b"running" in (tmp_path / "log").read_bytes(), "mosquitto")
        yield port
    finally:
        process.terminate()
        process.wait(10)


async def test_tls_with_the_brokers_own_authority(tls_port: int, tmp_path: Path) -> None:
    link = link_to(BrokerPlan("127.0.0.1", tls_port, ca_path=str(tmp_path / "broker.pem")))
    await link.open(ACKS)
    link.say_goodbye()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_tls_refuses_another_authority(tls_port: int, tmp_path: Path) -> None:
    """paho leaves the socket of a failed handshake to the collector, which warns: so here."""
    stranger = certificate(tmp_path, "stranger")
    with pytest.raises(LinkDown, match="certificate verify failed"):
        await link_to(BrokerPlan("127.0.0.1", tls_port, ca_path=str(stranger))).open(ACKS)
    gc.collect()
