"""Gateways that send again what is not acknowledged, as the agent does, and keep what they sent."""

import random
import threading
import time

from ingest.boxes import Box
from ingest.service import Uplink
from tanzheng.core.batch import SignedBatch
from tanzheng.core.topics import batch_topic
from tanzheng.ingest.broker import Broker

WINDOW = 100
RESEND_S_MIN, RESEND_S_MAX = 1.0, 8.0


class Sender(Uplink):
    """One gateway. `copies` of each publication; `shuffled`: in any order."""

    def __init__(self, broker: Broker, box: Box, seed: int) -> None:
        super().__init__(broker, box)
        self.copies, self.shuffled = 1, False
        self.delivered = 0
        """How many of `box.signed` are acknowledged: no longer ours to send."""
        self._random = random.Random(seed)
        self._signing = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def offer(self, batches: int, slots: int) -> None:
        """Sign so many batches more; they go out by themselves."""
        with self._signing:  # two at once would sign two histories
            for _ in range(batches):
                self.box.next(slots)

    def publish_payload(self, payload: bytes) -> None:
        """Something else on this gateway's topic, once."""
        self.client.publish(batch_topic(self.box.gw), payload, qos=1)

    def _waiting(self) -> list[SignedBatch]:
        """Hear the acks; the oldest of what is not acknowledged."""
        for ack in self.acks[:]:
            signed = self.box.signed[ack.seq - 1]
            assert (ack.epoch, ack.head) == (1, signed.digest), f"an ack of nothing: {ack}"
            self.delivered = max(self.delivered, ack.seq)
            self.acks.remove(ack)
        return self.box.signed[self.delivered : self.delivered + WINDOW]

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        super().close()

    def _run(self) -> None:
        silence_s = RESEND_S_MIN
        while not self._stopping.is_set():
            waiting, before = self._waiting(), self.delivered
            if not waiting or not self.client.is_connected():
                self._stopping.wait(0.02)
                continue
            order = waiting * self.copies
            if self.shuffled:
                self._random.shuffle(order)
            self.publish(*order)
            self._listen(before + len(waiting), silence_s)
            moved = self.delivered > before
            silence_s = RESEND_S_MIN if moved else min(2 * silence_s, RESEND_S_MAX)

    def _listen(self, wanted: int, silence_s: float) -> None:
        """Until everything sent is acknowledged, or nothing was for so long."""
        until_s = time.monotonic() + silence_s
        while not self._stopping.is_set() and time.monotonic() < until_s:
            before = self.delivered
            self._waiting()
            if self.delivered >= wanted:
                return
            if self.delivered > before:
                until_s = time.monotonic() + silence_s
            self._stopping.wait(0.01)
