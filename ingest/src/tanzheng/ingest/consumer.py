"""The service `tanzheng ingest run`: broker → examine → write → signed acks.

paho's thread examines messages, which needs no database, and puts them into the bounded queue of
their gateway's lane (`lane`); the lanes write them in groups, each over a connection of its own. A
message is acknowledged to the broker after the commit only, so the broker keeps what is under way.
Where a queue is full nothing is read from the broker: it keeps what it has for us, or closes the
connection after a while, and offers it again at the next. If a message is lost all the same, its
gateway sends it again, because its signed ack is missing.
"""

import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tanzheng.core.ack import Ack, sign_ack
from tanzheng.core.errors import BadInput
from tanzheng.core.keys import SigningKey
from tanzheng.core.topics import ack_topic, gateway_of
from tanzheng.ingest.decide import Checked, Message, Refused, examine, fault
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.lane import (
    GROUP_MESSAGES_MAX,
    RETRY_DELAY_S_MAX,
    Lane,
    Received,
    dealt,
)
from tanzheng.ingest.meter import Meter
from tanzheng.ingest.topics import ALL_BATCHES, SHARED_BATCHES
from tanzheng.ingest.writer import Outcome

LOG = logging.getLogger(__name__)
CLIENT_ID = "tanzheng-ingest"
STATISTICS_EVERY_S = 60.0
KEEPALIVE_S = 15
# What stops us kills after ten seconds, as Docker does by default; a frozen database must not make
# us wait for that.
STOP_S_MAX = 8.0


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where and as whom to log in."""

    host: str
    port: int
    user: str
    password: str
    context: ssl.SSLContext | None

    @classmethod
    def parse(
        cls,
        url: str,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> "BrokerAddress":
        """From mqtt://USER:PASSWORD@HOST:PORT; `BadInput` hides the password.

        mqtts: with TLS 1.2 or newer, trusting `ca` alone (None: what the system trusts), and
        showing `certificate` where there is one.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or port == -1:
            shown = f"{parts.scheme}://…@{parts.hostname}"
            raise BadInput(f"broker: expected mqtt[s]://USER:PASSWORD@HOST:PORT, got {shown}")
        tls = parts.scheme == "mqtts"
        if not tls and (ca or certificate or key):
            raise BadInput("broker: expected mqtts:// with certificates, got mqtt://")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        context = _context(ca, certificate, key) if tls else None
        return cls(parts.hostname, port or (8883 if tls else 1883), user, password, context)


def _context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"broker: expected PEM files, got {error}, at {ca}, {certificate}, {key}"
        ) from error
    return context


class Consumer:
    """Runs until `stop`; needs nothing but its arguments and may be killed at any moment."""

    def __init__(
        self,
        broker: BrokerAddress,
        database_url: str,
        gateways: Mapping[str, Gateway],
        key: SigningKey,
        worker: int | None = None,
        connections: int = 1,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`worker`: one of several that share the messages (MQTT 5); None: alone.

        `connections` to the database, each for its share of the gateways.
        """
        self._address = broker
        self._key = key
        self._worker = worker
        self._now_ms = now_ms
        self._stopping = threading.Event()
        self._totals: Counter[str] = Counter()
        self._counting = threading.Lock()
        self.meter = Meter(connections, self._waiting)
        self._lanes = [
            Lane(number, database_url, share, self.meter, self, self._stopping)
            for number, share in enumerate(dealt(gateways, connections))
        ]
        self._lane_of = {gw: lane for lane in self._lanes for gw in lane.gateways}
        self._client = self._make_client()

    def stop(self) -> None:
        """Finish the groups under way, then end `run`; for signal handlers.

        Against a database that does not answer a group is given up after `STOP_S_MAX`: it is not
        acknowledged, so it comes again.
        """
        if not self._stopping.is_set():
            self._stopping.set()
            patience = threading.Timer(STOP_S_MAX, self._give_up)
            patience.daemon = True
            patience.start()

    def _give_up(self) -> None:
        for lane in self._lanes:
            lane.give_up()

    def run(self) -> None:
        """Serve until `stop`. Raises what cannot mend itself: wrong schema, changed key."""
        try:
            if all(lane.open() for lane in self._lanes):
                self._serve()
        finally:
            for lane in self._lanes:
                lane.close()
        for lane in self._lanes:
            if lane.failure is not None:
                raise lane.failure

    def _serve(self) -> None:
        self._connect_async()
        self._client.loop_start()
        try:
            for lane in self._lanes:
                lane.start()
            while not self._stopping.wait(STATISTICS_EVERY_S):
                self._report()
            for lane in self._lanes:
                lane.close()
        finally:
            self._client.disconnect()
            self._client.loop_stop()
            self._report()

    def _waiting(self) -> int:
        return sum(lane.waiting for lane in self._lanes)

    def settle(self, outcome: Outcome) -> None:
        """Acknowledge what is committed, and count it."""
        self._acknowledge(outcome)
        self._count(outcome)

    def done(self, group: Sequence[Received]) -> None:
        """Tell the broker that it may forget these messages."""
        for received in group:
            self._client.ack(received.mid, received.qos)

    def _acknowledge(self, outcome: Outcome) -> None:
        """Tell gateways what is committed. Retained: a gateway that comes later sees it, too."""
        if not self._client.is_connected():
            return  # the next login acknowledges all heads
        for gw, head in outcome.heads.items():
            top = outcome.tops.get(gw, 0)
            ack = Ack(gw, head.epoch, head.seq, head.digest, self._now_ms(), top)
            self._client.publish(ack_topic(gw), sign_ack(ack, self._key), qos=1, retain=True)

    def _count(self, outcome: Outcome) -> None:
        for reason, number in outcome.refused.items():
            LOG.warning("quarantine: %d × %s", number, reason)
        with self._counting:
            self._totals["accepted"] += outcome.accepted
            self._totals["early"] += outcome.early
            self._totals["readings"] += outcome.readings
            self._totals["duplicates"] += outcome.duplicates
            for reason, number in outcome.refused.items():
                self._totals[f"quarantined {reason}"] += number

    def _report(self) -> None:
        with self._counting:
            told = sorted(self._totals.items())
        shown = ", ".join(f"{name} {number}" for name, number in told)
        LOG.info("since start: %s; waiting %d", shown or "nothing", self._waiting())

    def _connect_async(self) -> None:
        host, port = self._address.host, self._address.port
        if self._worker is None:
            self._client.connect_async(host, port, KEEPALIVE_S)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = GROUP_MESSAGES_MAX
        # No session outlives its connection: the broker would go on giving a dead worker its share.
        # What was under way to it comes again from the gateways.
        self._client.connect_async(host, port, KEEPALIVE_S, clean_start=True, properties=properties)

    def _make_client(self) -> mqtt.Client:
        if self._worker is None:
            client = mqtt.Client(
                CallbackAPIVersion.VERSION2, CLIENT_ID, clean_session=False, manual_ack=True
            )
        else:
            client = mqtt.Client(
                CallbackAPIVersion.VERSION2,
                f"{CLIENT_ID}-{self._worker}",
                protocol=mqtt.MQTTv5,
                manual_ack=True,
            )
        if self._address.user:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.context is not None:
            client.tls_set_context(self._address.context)
        client.reconnect_delay_set(1, int(RETRY_DELAY_S_MAX))
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.on_socket_open = _no_delay
        return client

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            LOG.error("the broker refuses the login: %s", reason)
            return
        LOG.info("connected to the broker, session present: %s", flags.session_present)
        self.meter.broker_connected = True
        client.subscribe(ALL_BATCHES if self._worker is None else SHARED_BATCHES, qos=1)
        for lane in self._lanes:
            lane.greet()

    def _on_disconnect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self.meter.broker_connected = False
        if not self._stopping.is_set():
            LOG.warning("connection to the broker lost: %s", reason)

    def _on_message(self, client: mqtt.Client, userdata: object, item: mqtt.MQTTMessage) -> None:
        message = Message(item.topic, bytes(item.payload), self._now_ms())
        lane = self._lane_of.get(gateway_of(item.topic) or "", self._lanes[0])
        lane.put(Received(_examine(message, lane.gateways), item.mid, item.qos))


def _examine(message: Message, gateways: Mapping[str, Gateway]) -> Checked | Refused:
    try:
        return examine(message, gateways)
    except Exception as error:  # one message must not stop all gateways
        LOG.exception("examining a message on %s failed", message.topic)
        return fault(message, error)


def _no_delay(client: mqtt.Client, userdata: object, connection: object) -> None:
    """Without it large messages wait 40 ms each for a delayed TCP acknowledgement."""
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
