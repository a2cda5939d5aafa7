"""From the spool to the broker, and from the platform's acks back to the spool.

One task: connect, subscribe to the ack topic, publish what lies above the ack, watch for silence,
start anew. What to publish is `resend.Session`'s to say, what an ack means `acks.AckDesk`'s.
"""

import asyncio
import random
import time
from collections.abc import Callable

from paho.mqtt.enums import MQTTProtocolVersion

from tanzheng.core.topics import ack_topic, batch_topic
from tanzheng.edge import log
from tanzheng.edge.counters import Counters
from tanzheng.edge.plan import BrokerPlan
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.uplink.acks import AckDesk
from tanzheng.edge.uplink.mqtt_link import LinkDown, MqttLink, VersionRefused
from tanzheng.edge.uplink.resend import Session, Silence, place_of, reconnect_delay_s

WINDOW_BATCHES = 32
WINDOW_BYTES = 4 << 20
TICK_S = 0.25
STEADY_S = 5.0
"""A connection that held so long ends a run of failures; a flapping broker is met with delays."""
RETAINED_ACK_S_MAX = 1.0
"""How long after SUBACK a retained ack may take; without one the platform has none to show."""


class Uplink:
    """The agent's side of the conversation with the platform."""

    def __init__(
        self,
        gateway: str,
        broker: BrokerPlan,
        resend_after_s: float,
        spool: Spool,
        desk: AckDesk,
        counters: Counters,
        now_ms: Callable[[], int],
    ) -> None:
        self._compared = False
        self._gateway, self._broker, self._spool = gateway, broker, spool
        self._desk, self._counters, self._now_ms = desk, counters, now_ms
        self._session = Session(WINDOW_BATCHES, WINDOW_BYTES, resend_after_s)
        self._link: MqttLink | None = None
        self._version = MQTTProtocolVersion.MQTTv5
        self._unsent = (False, 0)
        if spool.acked is not None:
            self._session.acknowledged((spool.acked.epoch, spool.acked.seq), time.monotonic())

    @property
    def synced(self) -> bool:
        """True once the spool was compared with the platform's signed head, or there is none.

        Before that nothing may be sealed: a restored spool would sign a fork. Nor while the
        platform holds batches of this epoch that the spool does not know.
        """
        return self._compared and not self._desk.behind

    @property
    def connected(self) -> bool:
        """True while batches can be published."""
        return self._session.connected

    @property
    def in_flight(self) -> int:
        """Batches published and not acknowledged."""
        return self._session.in_flight

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        failures = 0
        try:
            while True:
                await asyncio.sleep(reconnect_delay_s(failures, random.random()))  # noqa: S311
                try:
                    await self._connect()
                except LinkDown as error:
                    failures += 1
                    if failures.bit_count() == 1:  # 1, 2, 4 …: a long outage is no flood
                        log.warning("broker_away", detail=str(error), failures=failures)
                    continue
                since_s = time.monotonic()
                await self._serve()
                self._session.disconnect()
                steady = time.monotonic() - since_s >= STEADY_S
                failures = 1 if steady else failures + 1
                log.warning("broker_lost", in_spool_bytes=self._spool.bytes_used)
        finally:
            self._session.disconnect()
            if self._link is not None and not self._link.closed.is_set():
                self._link.say_goodbye()

    def pump(self) -> None:
        """Publish what the window has room for: to be called after sealing."""
        newest = place_of(self._spool.head)
        while self._link is not None and (after := self._session.next(newest)) is not None:
            found = self._spool.next_batch(*after)
            if found is None:
                return
            head, wire = found
            try:
                message_id = self._link.publish(batch_topic(self._gateway), wire)
            except LinkDown as error:
                log.warning("broker_lost", detail=str(error))
                return
            self._session.published(after, place_of(head), len(wire), message_id, time.monotonic())
            self._counters.published += 1

    async def _connect(self) -> None:
        """One try; a broker that does not speak MQTT 5 is asked in 3.1.1 at once."""
        try:
            await self._open()
        except VersionRefused:
            self._version = MQTTProtocolVersion.MQTTv311
            await self._open()

    async def _open(self) -> None:
        self._link = MqttLink(
            self._broker,
            f"tanzheng-{self._gateway}",
            self._ack_arrived,
            lambda message_id: self._session.confirmed(message_id, time.monotonic()),
            self._version,
        )
        try:
            await self._link.open(ack_topic(self._gateway))
        except VersionRefused:
            raise
        except LinkDown:
            self._version = MQTTProtocolVersion.MQTTv5
            raise
        self._counters.connections += 1
        log.info("broker_connected", broker=self._link.where, mqtt=int(self._version))

    async def _serve(self) -> None:
        assert self._link is not None
        opened_s = time.monotonic()
        self._session.connect(opened_s, self._link.receive_max)
        self.pump()
        while not self._link.closed.is_set():
            try:
                async with asyncio.timeout(TICK_S):
                    await self._link.closed.wait()
            except TimeoutError:
                self._tick(opened_s)

    def _tick(self, opened_s: float) -> None:
        assert self._link is not None
        now_s = time.monotonic()
        self._compared = self._compared or now_s - opened_s >= RETAINED_ACK_S_MAX
        self._link.tick()
        if (unsent := self._link.unsent) != self._unsent:
            self._unsent = unsent
            self._session.moving(now_s)
        silence = self._session.silence(now_s)
        if silence is Silence.RECONNECT:
            log.warning("broker_silent", in_flight=self._session.in_flight)
            self._link.close()
        elif silence is Silence.OFFER_AGAIN:
            log.warning("platform_silent", acked=self._session.acked)
            self._counters.offered_again += 1
            self.pump()

    def _ack_arrived(self, raw: bytes) -> None:
        if self._desk.receive(raw, self._now_ms()) is None:
            return
        self._compared = True
        acked = self._spool.acked
        if acked is not None:
            self._session.acknowledged((acked.epoch, acked.seq), time.monotonic())
        self.pump()
