"""One connection to the broker of a plant, driven by the event loop, never used again once gone.

The session outlives it: fixed client id, clean start off, so that the broker keeps messages of
QoS 1 while nobody is here. They are confirmed by hand, when they are durable.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tanzheng.core.errors import TanzhengError
from tanzheng.edge.drivers.mqtt.intake import Inbound
from tanzheng.edge.drivers.mqtt.settings import BrokerAt
from tanzheng.edge.paho_socket import PahoSocket

CONNECT_S_MAX: Final = 5.0
SESSION_EXPIRY_S: Final = 7 * 86_400
RECEIVE_MAX: Final = 1_000
"""Messages of QoS 1 that the broker may send before it waits for our confirmation (MQTT 5)."""
PACKET_BYTES_MAX: Final = 1 << 20
"""Asked of the broker (MQTT 5): it does not send what is larger."""
PACKET_BYTES_CLOSE: Final = 16 << 20
"""A larger one is not read, whatever the broker thinks: the connection ends."""
FILTERS_A_PACKET: Final = 100
V5: Final = MQTTProtocolVersion.MQTTv5
V311: Final = MQTTProtocolVersion.MQTTv311


class SourceDown(TanzhengError):
    """No connection to the broker, or no longer one."""


class VersionRefused(SourceDown):
    """The broker ended the connection before it said anything: perhaps it wants another version."""


class _Client(mqtt.Client):
    """paho's client, which reads packets of any size: here the size can be asked for."""

    @property
    def incoming_bytes(self) -> int:
        """Length of the packet that is being read, 0 between packets."""
        return int(self._in_packet["remaining_length"])


class SourceLink:
    """A connection with its subscriptions. `on_message` runs in the event loop."""

    def __init__(
        self,
        broker: BrokerAt,
        version: MQTTProtocolVersion,
        keepalive_s: int,
        on_message: Callable[["SourceLink", mqtt.MQTTMessage], None],
    ) -> None:
        self.closed = asyncio.Event()
        self.why_closed = ""
        self.session_present = False
        self._greeted = False
        self._messages = 0
        self.refused: list[str] = []
        self._broker, self._version, self._keepalive_s = broker, version, keepalive_s
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._step: asyncio.Future[None] = self._loop.create_future()
        self._subscribing: dict[int | None, list[str]] = {}
        self._client = self._make_client()
        self._socket = PahoSocket(self._client, self._readable)

    async def open(self, subscriptions: Mapping[str, int]) -> None:
        """Connect and subscribe to all of `subscriptions` (filter → QoS), present session or not.

        `SourceDown` where that takes over 5 s a step; filters that the broker does not grant are
        in `refused` afterwards.
        """
        try:
            await self._connect()
            items = list(subscriptions.items())
            for first in range(0, len(items), FILTERS_A_PACKET):
                await self._subscribe(items[first : first + FILTERS_A_PACKET])
        except TimeoutError:
            raise self._down("expected an answer of the broker within 5 s, got none") from None
        except (OSError, ValueError) as error:
            raise self._down(f"expected a broker, got {error}") from error
        except BaseException:
            self.close()
            raise
        if items and len(self.refused) == len(items):
            raise self._down(f"the broker refused every subscription: {self.refused[0]}")

    def _down(self, what: str) -> SourceDown:
        self.close()
        return SourceDown(f"{what}, at {self._broker.name}")

    async def _connect(self) -> None:
        async with asyncio.timeout(CONNECT_S_MAX):
            self._set_tls()
            properties = _connect_properties() if self._version == V5 else None
            clean_start = False if self._version == V5 else mqtt.MQTT_CLEAN_START_FIRST_ONLY
            await asyncio.to_thread(
                self._client.connect, self._broker.host, self._broker.port,
                keepalive=self._keepalive_s, clean_start=clean_start, properties=properties,
            )  # fmt: skip
            await self._step

    async def _subscribe(self, items: list[tuple[str, int]]) -> None:
        """The answer may come behind a backlog: while messages arrive, it is waited for."""
        self._step = self._loop.create_future()
        wanted: list[Any] = items
        if self._version == V5:
            wanted = [(text, SubscribeOptions(qos=qos)) for text, qos in items]
        _, mid = self._client.subscribe(wanted)
        self._subscribing[mid] = [text for text, _ in items]
        heard = -1
        while not self._step.done() and heard != self._messages:
            heard = self._messages
            await asyncio.wait({self._step}, timeout=CONNECT_S_MAX)
            self.tick()
        if not self._step.done():
            raise TimeoutError
        await self._step

    def pause(self) -> None:
        """Read no further, until `resume`: the broker keeps what is to come."""
        self._socket.pause()

    def resume(self) -> None:
        """Read again."""
        self._socket.resume()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send once with QoS 0; a link that is gone sends nothing."""
        self._client.publish(topic, payload, qos=0)

    def confirm(self, message: Inbound) -> None:
        """PUBACK; the broker may forget the message."""
        if message.qos and not self.closed.is_set():
            self._client.ack(message.mid, message.qos)

    def tick(self) -> None:
        """Keep-alive: to be called about once a second."""
        if not self.closed.is_set():
            self._client.loop_misc()

    def say_goodbye(self) -> None:
        """Leave in good order; the session stays."""
        if not self.closed.is_set():
            self._client.disconnect()
            self._client.loop_write()
        self.close()

    def close(self, why: str = "closed") -> None:
        """Drop the connection without a word; safe to call again."""
        self._socket.close()
        self._gone(why)

    def _make_client(self) -> _Client:
        clean = None if self._version == V5 else False
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._broker.client_id,
            clean_session=clean,
            protocol=self._version,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_S_MAX
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        return client

    def _set_tls(self) -> None:
        if self._broker.tls:
            context = ssl.create_default_context(cafile=self._broker.ca)
            if self._broker.cert is not None:
                context.load_cert_chain(self._broker.cert, self._broker.key)
            self._client.tls_set_context(context)

    def _readable(self) -> None:
        """One packet, so that others of the loop have their turn; TLS may hold another back."""
        try:
            self._client.loop_read()
        except Exception as error:  # noqa: BLE001 - paho lets wrong packets raise what they like
            self.close(f"expected MQTT, got {error!r}")
            return
        if self._client.incoming_bytes > PACKET_BYTES_CLOSE:
            self.close(f"expected at most {PACKET_BYTES_CLOSE} bytes in a packet, got more")
        elif self._socket.decrypted:
            self._socket.read_on()

    # Protocol callbacks come from loop_read, loop_write and loop_misc: in the event loop.

    def _message(self, _c: object, _u: object, message: mqtt.MQTTMessage) -> None:
        self._messages += 1
        self._on_message(self, message)

    def _connected(self, _c: object, _u: object, flags: Any, reason: Any, _p: object) -> None:
        if reason == "Unsupported protocol version":
            self._fail(VersionRefused(f"the broker refused: {reason}"))
        elif reason.is_failure:
            self._gone(f"the broker refused: {reason}")
        elif not self._step.done():
            self.session_present, self._greeted = flags.session_present, True
            self._step.set_result(None)

    def _subscribed(self, _c: object, _u: object, mid: int, reasons: Any, _p: object) -> None:
        texts = self._subscribing.pop(mid, [])
        self.refused += [
            f"{text}: {reason}"
            for text, reason in zip(texts, reasons, strict=False)
            if reason.is_failure
        ]
        if not self._step.done():
            self._step.set_result(None)

    def _disconnected(self, _c: object, _u: object, _f: object, reason: Any, _p: object) -> None:
        self._socket.unwatch()
        if not self._greeted:
            self._fail(VersionRefused(f"the connection ended: {reason}"))
        self._gone(str(reason))

    def _gone(self, why: str) -> None:
        self._fail(SourceDown(f"expected a connection, got: {why}"))

    def _fail(self, error: SourceDown) -> None:
        self.why_closed = self.why_closed or str(error)
        self.closed.set()
        if not self._step.done():
            self._step.set_exception(error)
            self._step.exception()  # noted even where nobody waits


def _connect_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    properties.ReceiveMaximum = RECEIVE_MAX
    properties.MaximumPacketSize = PACKET_BYTES_MAX
    return properties
