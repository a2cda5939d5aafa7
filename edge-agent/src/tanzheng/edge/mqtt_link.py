"""One MQTT connection, driven by the event loop, never used again once it is gone.

A paho client keeps its own queue in memory and sends it again by itself after a reconnect. Here
each connection is a new client, so nothing but `resend.Session` ever decides what is sent.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from tanzheng.core.errors import TanzhengError
from tanzheng.edge.plan import BrokerPlan

KEEPALIVE_S = 15
CONNECT_S_MAX = 5.0


class LinkDown(TanzhengError):
    """No connection to the broker, or no longer one."""


class MqttLink:
    """A connection with one subscription. Callbacks run in the event loop."""

    def __init__(
        self,
        broker: BrokerPlan,
        client_id: str,
        on_message: Callable[[bytes], None],
        on_puback: Callable[[int], None],
    ) -> None:
        self.closed = asyncio.Event()
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._on_message, self._on_puback = on_message, on_puback
        self._step = self._loop.create_future()
        self._socket: Any = None
        self._client = self._make_client(client_id)

    async def open(self, topic: str) -> None:
        """Connect and subscribe to `topic` (QoS 1); `LinkDown` where that takes over 5 s."""
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                broker = self._broker
                await asyncio.to_thread(
                    self._client.connect, broker.host, broker.port, keepalive=KEEPALIVE_S
                )
                await self._step
                self._step = self._loop.create_future()
                self._client.subscribe(topic, qos=1)
                await self._step
        except TimeoutError:
            self.close()
            raise LinkDown("expected an answer of the broker within 5 s, got none") from None
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

    def publish(self, topic: str, payload: bytes) -> int:
        """Send with QoS 1; the message id that its PUBACK will name."""
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
        self._unwatch()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._gone("closed")

    def _make_client(self, client_id: str) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False
        )
        client.connect_timeout = CONNECT_S_MAX
        client.max_inflight_messages_set(0)  # the window is Session's
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.ca_path is not None:
            client.tls_set(ca_certs=self._broker.ca_path)
        client.on_socket_open = self._socket_opened
        client.on_socket_close = self._socket_closing
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._no_more_write
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = lambda _c, _u, message: self._on_message(bytes(message.payload))
        client.on_publish = lambda _c, _u, mid, _r, _p: self._on_puback(mid)
        return client

    # Socket callbacks may come from the thread that connects.

    def _socket_opened(self, _client: object, _userdata: object, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.call_soon_threadsafe(self._watch, sock)

    def _socket_closing(self, _client: object, _userdata: object, sock: Any) -> None:
        if sock is self._socket:
            self._unwatch()  # while its number is still its own

    def _want_write(self, _client: object, _userdata: object, sock: Any) -> None:
        self._loop.call_soon_threadsafe(self._add_writer, sock)

    def _no_more_write(self, _client: object, _userdata: object, sock: Any) -> None:
        self._loop.call_soon_threadsafe(self._remove_writer, sock)

    def _watch(self, sock: Any) -> None:
        if self.closed.is_set() or sock.fileno() < 0:
            sock.close()
            return
        self._socket = sock
        self._loop.add_reader(sock, self._client.loop_read)

    def _add_writer(self, sock: Any) -> None:
        if sock is self._socket and sock.fileno() >= 0:
            self._loop.add_writer(sock, self._client.loop_write)

    def _remove_writer(self, sock: Any) -> None:
        if sock is self._socket and sock.fileno() >= 0:
            self._loop.remove_writer(sock)

    def _unwatch(self) -> None:
        if self._socket is not None and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    # Protocol callbacks come from loop_read, loop_write and loop_misc: in the event loop.

    def _connected(self, _c: object, _u: object, _f: object, reason: Any, _p: object) -> None:
        if reason.is_failure:
            self._gone(f"the broker refused: {reason}")
        elif not self._step.done():
            self._step.set_result(None)

    def _subscribed(self, _c: object, _u: object, _m: int, reasons: Any, _p: object) -> None:
        if reasons[0].is_failure:
            self._gone(f"the broker refused the subscription: {reasons[0]}")
        elif not self._step.done():
            self._step.set_result(None)

    def _disconnected(self, _c: object, _u: object, _f: object, reason: Any, _p: object) -> None:
        self._unwatch()
        self._gone(str(reason))

    def _gone(self, why: str) -> None:
        self.closed.set()
        if not self._step.done():
            self._step.set_exception(LinkDown(f"expected a connection, got: {why}"))
            self._step.exception()  # noted even where nobody waits
