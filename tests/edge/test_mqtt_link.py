"""One connection to a real broker: what goes wrong is named, and TLS trusts only its own CA."""

import asyncio
import datetime as dt
import gc
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge.world import GATEWAY, closed_port
from ingest.certificates import Authority
from ingest.secure import SecureBroker, secure_broker
from parts import server_folder
from tanzheng.edge.plan import BrokerPlan
from tanzheng.edge.uplink.mqtt_link import LinkDown, MqttLink, VersionRefused
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.broker_config import INFLIGHT_MESSAGES_MAX

ACKS = f"tanzheng/v1/{GATEWAY}/ack"


def link_to(
    broker: BrokerPlan,
    on_puback: Callable[[int], None] = lambda _: None,
    version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
) -> MqttLink:
    return MqttLink(broker, f"tanzheng-{GATEWAY}", lambda _raw: None, on_puback, version)


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


async def test_what_the_broker_confirms_and_does_not_take_is_counted(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """MQTT 5 tells what 3.1.1 hides: a topic of somebody else."""
    confirmed: asyncio.Queue[int] = asyncio.Queue()
    link = link_to(login(broker), confirmed.put_nowait)
    await link.open(ACKS)
    with caplog.at_level(logging.ERROR, logger="tanzheng.edge"):
        number = link.publish("tanzheng/v1/other/batch", b"x")
        async with asyncio.timeout(5):
            assert await confirmed.get() == number
    assert link.refused == 1
    assert [record.getMessage() for record in caplog.records] == ["publication_refused"]
    assert link.receive_max == INFLIGHT_MESSAGES_MAX
    with pytest.raises(LinkDown, match="got the limit 4194304"):
        link.publish(f"tanzheng/v1/{GATEWAY}/batch", bytes(4194304))


async def test_a_broker_of_version_3_1_1_is_told_from_a_dead_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tanzheng.ingest.broker.find_mosquitto", lambda: None)
    with server_folder() as folder, Broker(folder / "amqtt") as amqtt:
        plan = login(amqtt)
        with pytest.raises(VersionRefused):
            await link_to(plan).open(ACKS)
        older = link_to(plan, version=MQTTProtocolVersion.MQTTv311)
        await older.open(ACKS)
        older.say_goodbye()


@pytest.mark.parametrize(
    "answer", [b"", b"\x20\x02\x00\x01", b"\x20\x01\x00", b"\xff\xff\xff\xff\xff"]
)
async def test_whatever_a_broker_answers_it_is_named(answer: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(LinkDown):
        await link_to(BrokerPlan("127.0.0.1", port)).open(ACKS)
    server.close()


@pytest.fixture(scope="module")
def secure() -> Iterator[SecureBroker]:
    with secure_broker() as running:
        yield running


def plan_of(secure: SecureBroker, own: tuple[Path, Path], ca: Path | None = None) -> BrokerPlan:
    return BrokerPlan(
        "127.0.0.1", secure.port, ca_path=str(ca or secure.authority.path),
        cert_path=str(own[0]), key_path=str(own[1]),
    )  # fmt: skip


async def test_tls_with_a_certificate(secure: SecureBroker) -> None:
    plan = plan_of(secure, secure.authority.issue(GATEWAY))
    platform = plan_of(secure, secure.authority.issue("platform"))
    heard: list[bytes] = []
    confirmed: list[int] = []
    gateway = MqttLink(plan, "g", heard.append, confirmed.append)
    await gateway.open(ACKS)
    other = MqttLink(platform, "p", heard.append, confirmed.append)
    await other.open("tanzheng/v1/+/batch")
    for number in range(40):  # acks come many to one TLS record, or one to many
        gateway.publish(f"tanzheng/v1/{GATEWAY}/batch", bytes([number]) * 12_000)
        other.publish(ACKS, b"ack")
    for _ in range(1000):
        if len(heard) == len(confirmed) == 80:
            break
        await asyncio.sleep(0.02)
    assert (len(heard), len(confirmed)) == (80, 80)
    assert heard.count(b"ack") == 40
    gateway.say_goodbye()
    other.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_tls_trusts_its_own_authority_and_the_brokers_name_only(
    secure: SecureBroker, tmp_path: Path
) -> None:
    """paho leaves the socket of a failed handshake to the collector, which warns: so here."""
    own = secure.authority.issue(GATEWAY)
    with pytest.raises(LinkDown, match="certificate verify failed"):
        await link_to(plan_of(secure, own, Authority(tmp_path, "stranger").path)).open(ACKS)
    with pytest.raises(LinkDown, match=r"mismatch.*localhost"):
        await link_to(replace(plan_of(secure, own), host="localhost")).open(ACKS)
    gc.collect()


async def test_the_broker_refuses_a_certificate_that_is_not_right(
    secure: SecureBroker, tmp_path: Path
) -> None:
    expired = secure.authority.issue("late", valid=dt.timedelta(hours=-1))
    with pytest.raises(LinkDown, match="certificate expired"):
        await link_to(plan_of(secure, expired)).open(ACKS)
    foreign = Authority(tmp_path, "foreign").issue(GATEWAY)
    with pytest.raises(LinkDown, match="unknown ca"):
        await link_to(plan_of(secure, foreign)).open(ACKS)
    without = BrokerPlan("127.0.0.1", secure.port, ca_path=str(secure.authority.path))
    with pytest.raises(LinkDown, match="certificate required"):
        await link_to(without).open(ACKS)
    missing_key = (expired[0], tmp_path / "none.key")
    with pytest.raises(LinkDown, match="expected a certificate and its key"):
        await link_to(plan_of(secure, missing_key)).open(ACKS)
