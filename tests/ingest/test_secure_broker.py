"""The shipped configuration on a real mosquitto: a certificate is a site, and no other's."""

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from ingest.boxes import PLATFORM, Box, wire, write_files
from ingest.secure import SecureBroker, secure_broker
from ingest.service import until
from ingest.test_commands import tanzheng
from tanzheng.core.ack import open_ack
from tanzheng.core.errors import BadInput
from tanzheng.core.topics import ack_topic, batch_topic
from tanzheng.ingest.broker_config import Listener, Tls, mosquitto_config
from tanzheng.ingest.consumer import BrokerAddress
from tanzheng.ingest.migrate import migrate


@pytest.fixture(scope="module")
def secure() -> Iterator[SecureBroker]:
    with secure_broker() as running:
        yield running


class Client:
    """A client with a certificate for `name` (None: without) that calls itself `client_id`."""

    def __init__(self, secure: SecureBroker, name: str | None, client_id: str) -> None:
        context = ssl.create_default_context(cafile=secure.authority.path)
        if name is not None:
            context.load_cert_chain(*secure.authority.issue(name))
        self.heard: list[tuple[str, bytes]] = []
        self.granted: list[Any] = []
        self.confirmed: list[str] = []
        self.lost = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )  # fmt: skip
        self.client.tls_set_context(context)
        self.client.on_message = self._take
        self.client.on_subscribe = lambda _c, _u, _m, reasons, _p: self.granted.extend(reasons)
        self.client.on_publish = lambda _c, _u, _m, reason, _p: self.confirmed.append(str(reason))
        self.client.on_disconnect = lambda *_: self.lost.set()
        self.client.connect("127.0.0.1", secure.port)
        self.client.loop_start()

    def __enter__(self) -> Self:
        until(self.client.is_connected)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _take(self, _client: object, _userdata: object, item: mqtt.MQTTMessage) -> None:
        self.heard.append((item.topic, bytes(item.payload)))

    def subscribe(self, *topics: str) -> None:
        for topic in topics:
            self.client.subscribe(topic, qos=1)
        until(lambda: len(self.granted) == len(topics))

    def publish(self, topic: str, payload: bytes) -> str:
        """What the broker says to it."""
        number = len(self.confirmed)
        self.client.publish(topic, payload, qos=1)
        until(lambda: len(self.confirmed) > number)
        return self.confirmed[-1]


def test_a_site_writes_its_batches_and_reads_its_acks_and_nothing_else(
    secure: SecureBroker,
) -> None:
    with (
        Client(secure, "platform", "any") as platform,
        Client(secure, "gw1", "any") as first,
        Client(secure, "gw2", "any") as second,
    ):
        platform.subscribe("tanzheng/v1/+/batch")
        wanted = [ack_topic("gw1"), ack_topic("gw2"), batch_topic("gw1"), "#", "$SYS/#"]
        second.subscribe(*wanted)
        first.subscribe(ack_topic("gw1"))
        assert first.publish(batch_topic("gw1"), b"of gw1") == "Success"
        for topic in (batch_topic("gw1"), ack_topic("gw1"), ack_topic("gw2"), "other"):
            assert second.publish(topic, b"forged") == "Not authorized"
        assert platform.publish(ack_topic("gw1"), b"ack 1") != "Not authorized"
        assert platform.publish(ack_topic("gw2"), b"ack 2") != "Not authorized"
        # An ingest of another test may have left an ack, retained as acks are.
        until(lambda: first.heard[-1:] == [(ack_topic("gw1"), b"ack 1")])
        until(lambda: second.heard and platform.heard)
        second.publish(batch_topic("gw2"), b"of gw2")
        until(lambda: len(platform.heard) > 1)
    assert platform.heard == [(batch_topic("gw1"), b"of gw1"), (batch_topic("gw2"), b"of gw2")]
    assert {topic for topic, _ in first.heard} == {ack_topic("gw1")}
    assert b"forged" not in {payload for _, payload in first.heard}
    assert set(second.heard) == {(ack_topic("gw2"), b"ack 2")}


def test_a_client_id_cannot_be_taken(secure: SecureBroker) -> None:
    """Who connects under another's client id throws nobody out: the certificate decides."""
    with Client(secure, "gw1", "gw1") as first, Client(secure, "platform", "platform") as platform:
        for name in ("gw1", "platform", "tanzheng-ingest"):
            with Client(secure, "gw2", name) as second:
                assert second.publish(batch_topic("gw2"), b"x") != "Not authorized"
        assert first.publish(batch_topic("gw1"), b"still here") != "Not authorized"
        assert not first.lost.is_set()
        assert not platform.lost.is_set()


def test_nobody_comes_without_a_certificate(secure: SecureBroker) -> None:
    stranger = Client(secure, None, "gw1")
    assert stranger.lost.wait(10)
    stranger.client.loop_stop()
    assert not stranger.client.is_connected()


def test_an_old_tls_is_refused(secure: SecureBroker) -> None:
    context = ssl.create_default_context(cafile=secure.authority.path)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", secure.port)) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_ingest_comes_with_the_platforms_certificate(
    secure: SecureBroker, database_url: str, tmp_path: Path
) -> None:
    migrate(database_url)
    box = Box()
    gateways = write_files(tmp_path, box)
    certificate, key = secure.authority.issue("platform")
    environment = {
        **os.environ,
        "TANZHENG_DATABASE_URL": database_url,
        "TANZHENG_BROKER": f"mqtts://127.0.0.1:{secure.port}",
        "TANZHENG_BROKER_CA": str(secure.authority.path),
        "TANZHENG_BROKER_CERT": str(certificate),
        "TANZHENG_BROKER_KEY": str(key),
    }
    command = [str(Path(sys.executable).with_name("tanzheng")), "ingest", "run"]
    command += ["--gateways", str(gateways), "--key", str(tmp_path / "platform.pem")]
    with (
        subprocess.Popen(command, env=environment) as run,
        ExitStack() as last,
        Client(secure, "gw1", "any") as gateway,
    ):
        last.callback(run.kill)
        gateway.subscribe(ack_topic("gw1"))
        first = box.next()
        gateway.publish(batch_topic("gw1"), wire(first))

        def acknowledged() -> bool:  # by this ingest: another's ack may be retained
            found = [open_ack(raw, PLATFORM.public) for _, raw in gateway.heard]
            return any((ack.seq, ack.head) == (1, first.digest) for ack in found)

        until(lambda: acknowledged() or not gateway.publish(batch_topic("gw1"), wire(first)))
        run.terminate()
        assert run.wait(20) == 0


def test_certificates_are_read_before_anything_is_done(
    secure: SecureBroker,
) -> None:
    certificate, key = secure.authority.issue("platform")
    url = f"mqtts://127.0.0.1:{secure.port}"
    address = BrokerAddress.parse(url, secure.authority.path, certificate, key)
    assert address.context is not None
    assert address.context.check_hostname
    with pytest.raises(BadInput, match="expected PEM files"):
        BrokerAddress.parse(url, secure.authority.path, key, certificate)
    with pytest.raises(BadInput, match="expected mqtts"):
        BrokerAddress.parse("mqtt://u:p@h", secure.authority.path)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    write_files(tmp_path, Box())
    done = tanzheng(
        "broker", "config", "--dir", str(tmp_path), "--tls", *[str(tmp_path / "none.pem")] * 3
    )
    assert done.returncode == 2
    assert "none.pem: expected a readable file" in done.stderr.replace("\n", " ")


def test_both_listeners_have_the_same_bounds() -> None:
    paths = Tls(Path("/a"), Path("/b"), Path("/c"))
    inside = mosquitto_config(Path("/x"), Listener("127.0.0.1", 1))
    outside = mosquitto_config(Path("/x"), Listener("127.0.0.1", 1, paths))
    common = set(inside.splitlines()) & set(outside.splitlines())
    assert {"allow_anonymous false", "acl_file /x/acl", "max_packet_size 4194304"} <= common
    assert "password_file" not in outside
