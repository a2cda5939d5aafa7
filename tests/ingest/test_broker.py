"""The embedded broker: who may do what, what it keeps, and its fallback."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from parts import server_folder
from tanzheng.core.errors import BadInput
from tanzheng.core.topics import ack_topic, batch_topic
from tanzheng.ingest import broker as module
from tanzheng.ingest.broker import Broker, takes_login
from tanzheng.ingest.service import ServiceFailed


@pytest.fixture(params=["mosquitto", "amqtt"])
def any_broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    if request.param == "amqtt":
        monkeypatch.setattr(module, "find_mosquitto", lambda: None)
    with server_folder() as folder, Broker(folder / "broker") as running:
        yield running


class Listener:
    """A client that keeps what it hears."""

    def __init__(self, url: str, name: str, *topics: str) -> None:
        parts = urlsplit(url)
        self.heard: list[tuple[str, bytes]] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        self.client.username_pw_set(parts.username, parts.password)
        self.topics = topics
        self.client.on_message = self._on_message
        self.client.on_connect = self._on_connect
        self.client.connect(parts.hostname or "", parts.port or 0)
        self.client.loop_start()
        time.sleep(0.3)  # the subscriptions; nothing says when a refused one is through

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        for topic in self.topics:
            client.subscribe(topic, qos=1)

    def _on_message(self, client: mqtt.Client, data: object, item: mqtt.MQTTMessage) -> None:
        self.heard.append((item.topic, bytes(item.payload)))

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_each_gateway_speaks_for_itself_only(any_broker: Broker) -> None:
    platform = Listener(any_broker.platform_url, "p", "tanzheng/v1/+/batch")
    first = Listener(
        any_broker.gateway_url("gw1"), "g", ack_topic("gw1"), ack_topic("gw2"), batch_topic("gw2")
    )
    any_broker.gateway_url("gw2")
    for gw in ("gw1", "gw2"):
        first.client.publish(batch_topic(gw), b"batch of gw1", qos=1)
        first.client.publish(ack_topic(gw), b"forged", qos=1)
        platform.client.publish(ack_topic(gw), b"ack", qos=1)
    time.sleep(1)
    platform.close()
    first.close()
    assert platform.heard == [(batch_topic("gw1"), b"batch of gw1")]
    assert first.heard == [(ack_topic("gw1"), b"ack")]


def test_nobody_is_anonymous(any_broker: Broker) -> None:
    any_broker.gateway_url("gw1")
    for user, password in (("", ""), ("gw1", "guess"), ("gw9", "guess")):
        assert not takes_login(any_broker.host, any_broker.port, user, password)


def test_a_fallback_says_so(any_broker: Broker, request: pytest.FixtureRequest) -> None:
    fallback = "amqtt" in request.node.callspec.id
    assert ("fallback" in any_broker.kind) == fallback
    assert any_broker.kind.split()[0] == ("amqtt" if fallback else "mosquitto")


def test_passwords_stay_over_a_restart(broker: Broker) -> None:
    url = broker.gateway_url("gw1")
    broker.stop()
    broker.start()
    assert broker.gateway_url("gw1") == url
    parts = urlsplit(url)
    assert takes_login(broker.host, broker.port, "gw1", parts.password or "")
    assert stat.S_IMODE((broker.directory / "passwords.json").stat().st_mode) == 0o600


def test_a_queue_survives_a_restart(broker: Broker) -> None:
    """mosquitto keeps what an absent subscriber with a session has not got."""
    platform = Listener(broker.platform_url, "p", "tanzheng/v1/+/batch")
    platform.close()
    gateway = Listener(broker.gateway_url("gw1"), "g")
    for number in range(1500):  # more than mosquitto's own limit of 1,000
        gateway.client.publish(batch_topic("gw1"), b"%d" % number, qos=1)
    gateway.client.publish(batch_topic("gw1"), b"last", qos=1).wait_for_publish(20)
    gateway.close()
    broker.stop()
    broker.start()
    again = Listener(broker.platform_url, "p")
    for _ in range(100):
        if len(again.heard) == 1501:
            break
        time.sleep(0.1)
    again.close()
    assert [payload for _, payload in again.heard] == [*(b"%d" % n for n in range(1500)), b"last"]


def test_paused_it_is_silent(broker: Broker) -> None:
    url = urlsplit(broker.gateway_url("gw1"))
    broker.pause()
    assert not takes_login(broker.host, broker.port, "gw1", url.password or "")
    broker.resume()
    assert takes_login(broker.host, broker.port, "gw1", url.password or "")


def test_no_gateway_is_called_platform(broker: Broker) -> None:
    with pytest.raises(BadInput, match="platform"):
        broker.gateway_url("platform")


def test_a_broker_that_cannot_start_says_why(broker: Broker, tmp_path: Path) -> None:
    """A port that is taken."""
    with pytest.raises(ServiceFailed, match="in use"), server_folder() as folder:
        Broker(folder, broker.port).start()
    assert not list(tmp_path.iterdir())
