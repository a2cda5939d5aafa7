"""One MQTT connection, driven by the event loop, never used again once it is gone.

A paho client keeps its own queue in memory and sends it again by itself after a reconnect. Here
each connection is a new client, so nothing but `resend.Session` ever decides what is sent.

MQTT 5; a broker that speaks 3.1.1 only refuses it (`VersionRefused`) and is asked again in its
own version. On any event loop with `add_reader`.
"""

import asyncio
import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Callable
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tanzheng.core.errors import TanzhengError
from tanzheng.edge import log
from tanzheng.edge.paho_socket import PahoSocket
from tanzheng.edge.plan import BrokerPlan
from tanzheng.edge.uplink.resend import RECEIVE_MAX

KEEPALIVE_S = 15
CONNECT_S_MAX = 5.0
UNACKNOWLEDGED_MS_MAX = 20_000
"""The kernel gives a connection up whose bytes the peer's kernel does not take for so long."""
GIVEN_UP = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS_MAX)
RECEIVED_BYTES_MAX = 16_384
"""An ack has some 200 bytes; the broker is told not to send anything much longer."""
HEADER_BYTES_MAX = 32
"""Of a publication, beside topic and payload."""


class LinkDown(TanzhengError):
    """No connection to the broker, or no longer one."""


class VersionRefused(LinkDown):
    """The broker did not take our version of MQTT, or hung up where it should answer."""


class MqttLink:
    """A connection with one subscription. Callbacks run in the event loop."""

    def __init__(
        self,
        broker: BrokerPlan,
        client_id: str,
        on_message: Callable[[bytes], None],
        on_puback: Callable[[int], None],
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    ) -> None:
        self.closed = asyncio.Event()
        self.version = version
        self.receive_max = RECEIVE_MAX
        """How many publications without PUBACK the broker takes; known after `open`."""
        self.refused = 0
        """Publications that the broker did not take, though it confirmed them (MQTT 5 says so)."""
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._on_message, self._on_puback = on_message, on_puback
        self._step = self._loop.create_future()
        self._packet_max: int | None = None
        self._answered, self._last_error = False, ""
        self._received: list[bytes] = []
        self._client = self._make_client(client_id)
        self._socket = PahoSocket(self._client, self._read, (GIVEN_UP,))

    async def open(self, topic: str) -> None:
        """Connect and subscribe to `topic` (QoS 1); `LinkDown` where that takes over 5 s."""
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                broker = self._broker
                if (context := tls_context(broker)) is not None:
                    self._client.tls_set_context(context)
                await asyncio.to_thread(
                    self._client.connect,
                    broker.host,
                    broker.port,
                    keepalive=KEEPALIVE_S,
                    properties=self._limits(),
                )
                await self._step
                self._step = self._loop.create_future()
                self._client.subscribe(topic, qos=1)
                await self._step
        except TimeoutError:
            self.close()
            kind = VersionRefused if self._maybe_too_new else LinkDown
            raise kind("expected an answer of the broker within 5 s, got none") from None
        except LinkDown:
            self.close()
            raise
        except (OSError, ValueError) as error:
            self.close()
            raise LinkDown(f"expected a broker, got {error}, at {self.where}") from error

    @property
    def where(self) -> str:
        """`host:port` of the broker."""
        return f"{self._broker.host}:{self._broker.port}"

    @property
    def unsent(self) -> tuple[bool, int]:
        """What is on its way: whether packets wait for the kernel, bytes the peer has not taken.

        Two equal answers with something in them: nothing moved in between.
        """
        if self._socket.fileno < 0:
            return False, 0
        answer = fcntl.ioctl(self._socket.fileno, termios.TIOCOUTQ, bytes(4))
        return self._client.want_write(), int(struct.unpack("i", answer)[0])

    @property
    def _maybe_too_new(self) -> bool:
        """True before CONNACK: on a version it cannot read an old broker hangs up, or is silent."""
        return not self._answered and self.version == MQTTProtocolVersion.MQTTv5

    def publish(self, topic: str, payload: bytes) -> int:
        """Send with QoS 1; the message id that its PUBACK will name."""
        if self._packet_max is not None:
            size = len(topic) + len(payload) + HEADER_BYTES_MAX
            if size > self._packet_max:
                self.close()
                raise LinkDown(
                    f"expected a broker that takes a packet of {size} bytes, got the limit "
                    f"{self._packet_max}, at {self.where}"
                )
        sent = self._client.publish(topic, payload, qos=1)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.close()
            raise LinkDown(f"expected a connection, got {mqtt.error_string(sent.rc)}")
        return sent.mid

    def tick(self) -> None:
        """Keep-alive: to be called about once a second."""
        self._client.loop_misc()

    def say_goodbye(self) -> None:
        """Leave in good order: DISCONNECT, written at once."""
        self._client.disconnect()
        self._client.loop_write()
        self.close()

    def close(self) -> None:
        """Drop the connection without a word; safe to call again."""
        self._socket.close()
        self._gone("closed")

    def _limits(self) -> Properties | None:
        if self.version != MQTTProtocolVersion.MQTTv5:
            return None
        limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        limits.MaximumPacketSize = RECEIVED_BYTES_MAX
        return limits

    def _make_client(self, client_id: str) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=self.version,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S_MAX
        client.max_inflight_messages_set(0)  # the window is Session's
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = lambda _c, _u, message: self._received.append(bytes(message.payload))
        client.on_publish = self._published
        client.on_log = self._logged
        return client

    def _read(self) -> None:
        """All that has come. What TLS has decrypted already makes no socket readable again."""
        try:
            self._client.loop_read()
            while self._socket.decrypted:
                self._client.loop_read()
        except Exception as error:  # noqa: BLE001 - paho on what is no MQTT: whatever struct says
            self._gone(f"a packet that is none ({type(error).__name__}: {error})")
            log.warning("broker_malformed", broker=self.where, detail=str(error))
            self.close()
            return
        received, self._received = self._received, []
        for payload in received:  # outside of paho: an error here is ours, and may end the agent
            self._on_message(payload)

    # Protocol callbacks come from loop_read, loop_write and loop_misc: in the event loop.

    def _connected(self, _c: object, _u: object, _f: object, reason: Any, properties: Any) -> None:
        self._answered = True
        if reason.is_failure:
            refused = VersionRefused if reason.getName().startswith("Unsupported") else LinkDown
            self._gone(f"the broker refused: {reason}", refused)
            return
        self.receive_max = getattr(properties, "ReceiveMaximum", RECEIVE_MAX)
        self._packet_max = getattr(properties, "MaximumPacketSize", None)
        if not self._step.done():
            self._step.set_result(None)

    def _subscribed(self, _c: object, _u: object, _m: int, reasons: Any, _p: object) -> None:
        if reasons[0].is_failure:
            self._gone(f"the broker refused the subscription: {reasons[0]}")
        elif not self._step.done():
            self._step.set_result(None)

    def _published(self, _c: object, _u: object, mid: int, reason: Any, _p: object) -> None:
        if reason.is_failure:
            self.refused += 1
            if self.refused.bit_count() == 1:  # 1, 2, 4 …
                log.error("publication_refused", reason=str(reason), count=self.refused)
        self._on_puback(mid)

    def _disconnected(self, _c: object, _u: object, _f: object, reason: Any, _p: object) -> None:
        self._socket.unwatch()
        why = f"{reason} ({self._last_error})" if self._last_error else str(reason)
        self._gone(why, VersionRefused if self._maybe_too_new else LinkDown)

    def _logged(self, _c: object, _u: object, level: int, text: str) -> None:
        if level in (mqtt.MQTT_LOG_ERR, mqtt.MQTT_LOG_WARNING):
            self._last_error = text

    def _gone(self, why: str, kind: type[LinkDown] = LinkDown) -> None:
        self.closed.set()
        if not self._step.done():
            self._step.set_exception(kind(f"expected a connection, got: {why}, at {self.where}"))
            self._step.exception()  # noted even where nobody waits


def tls_context(broker: BrokerPlan) -> ssl.SSLContext | None:
    """TLS 1.2 or newer that trusts the plan's authority alone and checks the broker's name.

    None where the plan has no authority: plain TCP. Read anew for each connection, so that a
    renewed certificate is used without a restart.
    """
    if broker.ca_path is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(broker.ca_path)
    except (OSError, ValueError) as error:
        raise LinkDown(f"expected an authority, got {error}, at {broker.ca_path}") from error
    if broker.cert_path is not None:
        try:
            context.load_cert_chain(broker.cert_path, broker.key_path)
        except (OSError, ValueError) as error:
            raise LinkDown(
                f"expected a certificate and its key, got {error}, at {broker.cert_path}"
            ) from error
    return context
