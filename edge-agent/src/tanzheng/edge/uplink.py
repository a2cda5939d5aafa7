"""From the spool to the broker, and from the platform's acks back to the spool.

One task: connect, subscribe to the ack topic, publish what lies above the ack, watch for silence,
start anew. What to publish is `resend.Session`'s to say, what an ack means `acks.AckDesk`'s.
"""

import asyncio
import time
from collections.abc import Callable

from tanzheng.core.topics import ack_topic, batch_topic
from tanzheng.edge import log
from tanzheng.edge.acks import AckDesk
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.counters import Counters
from tanzheng.edge.mqtt_link import LinkDown, MqttLink
from tanzheng.edge.plan import BrokerPlan
from tanzheng.edge.resend import Session, Silence
from tanzheng.edge.spool.store import Spool

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
        self.synced = False
        """True once the spool was compared with the platform's signed head, or there is none.

        Before that nothing may be sealed: a restored spool would sign a fork.
        """
        self._gateway, self._broker, self._spool = gateway, broker, spool
        self._desk, self._counters, self._now_ms = desk, counters, now_ms
        self._session = Session(WINDOW_BATCHES, WINDOW_BYTES, resend_after_s)
        self._link: MqttLink | None = None
        if spool.acked is not None:
            self._session.acknowledged((spool.acked.epoch, spool.acked.seq), time.monotonic())

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
        backoff = Backoff(delay_s_max=10.0)
        try:
            while True:
                await asyncio.sleep(max(0.0, backoff.next_try_s - time.monotonic()))
                try:
                    await self._connect()
                except LinkDown as error:
                    backoff.failed(time.monotonic())
                    if backoff.failures.bit_count() == 1:  # 1, 2, 4 …: a long outage is no flood
                        log.warning("broker_away", detail=str(error), failures=backoff.failures)
                    continue
                since_s = time.monotonic()
                await self._serve()
                self._session.disconnect()
                if time.monotonic() - since_s >= STEADY_S:
                    backoff.succeeded()
                backoff.failed(time.monotonic())
                log.warning("broker_lost", in_spool_bytes=self._spool.bytes_used)
        finally:
            self._session.disconnect()
            if self._link is not None and not self._link.closed.is_set():
                self._link.say_goodbye()

    def pump(self) -> None:
        """Publish what the window has room for: to be called after sealing."""
        while self._link is not None and self._session.room():
            found = self._spool.next_batch(*self._session.cursor)
            if found is None:
                return
            head, wire = found
            try:
                message_id = self._link.publish(batch_topic(self._gateway), wire)
            except LinkDown:
                return
            place = (head.epoch, head.seq)
            self._session.published(place, len(wire), message_id, time.monotonic())
            self._counters.published += 1

    async def _connect(self) -> None:
        self._link = MqttLink(
            self._broker, f"tanzheng-{self._gateway}", self._ack_arrived, self._session.confirmed
        )
        await self._link.open(ack_topic(self._gateway))
        self._counters.connections += 1
        log.info("broker_connected", broker=self._link.where)

    async def _serve(self) -> None:
        assert self._link is not None
        opened_s = time.monotonic()
        self._session.connect(opened_s)
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
        self.synced = self.synced or now_s - opened_s >= RETAINED_ACK_S_MAX
        self._link.tick()
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
        self.synced = True
        acked = self._spool.acked
        if acked is not None:
            self._session.acknowledged((acked.epoch, acked.seq), time.monotonic())
        self.pump()
