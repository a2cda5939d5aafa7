"""One connection to the database with the gateways that are written over it, in a thread.

Gateways are dealt out over the lanes of a service, so that a chain has one writer and no lane ever
waits for another: while one commits, the others copy.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import psycopg

from tanzheng.ingest.decide import Checked, Refused
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.meter import Meter
from tanzheng.ingest.writer import Outcome, Writer

LOG = logging.getLogger(__name__)
QUEUE_BYTES_MAX = 16 << 20
"""Some groups' worth. The broker may offer more: see `Lane.put`."""
MESSAGE_BYTES = 1 << 12
GROUP_MESSAGES_MAX = 128
GROUP_BYTES_MAX = 32 << 20
# About a second of writing: behind a backlog a live batch, and every ack, waits for a group.
GROUP_READINGS_MAX = 200_000
RETRY_DELAY_S_MIN = 0.1
RETRY_DELAY_S_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Received:
    """A message with what the broker wants to see acknowledged: message id and QoS."""

    item: Checked | Refused
    mid: int
    qos: int

    @property
    def size_bytes(self) -> int:
        """About what it takes up while it waits."""
        own = self.item.size_bytes if isinstance(self.item, Checked) else 0
        return own + len(self.item.message.payload) + MESSAGE_BYTES


class _Inbox(queue.Queue[Received]):
    """A queue bounded by bytes: its size is what its messages take up."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self.size_bytes = 0

    def _qsize(self) -> int:
        return self.size_bytes

    def _put(self, item: Received) -> None:
        super()._put(item)
        self.size_bytes += item.size_bytes

    def _get(self) -> Received:
        item: Received = super()._get()
        self.size_bytes -= item.size_bytes
        return item


class Link(Protocol):
    """What a lane tells the gateways and the broker; called from the lane's thread."""

    def settle(self, outcome: Outcome) -> None:
        """Acknowledge the heads of an outcome that is committed."""

    def done(self, group: Sequence[Received]) -> None:
        """The broker may forget these messages."""


def dealt(gateways: Mapping[str, Gateway], lanes: int) -> list[dict[str, Gateway]]:
    """The share of each lane, as equal as can be."""
    names = sorted(gateways)
    return [{gw: gateways[gw] for gw in names[lane::lanes]} for lane in range(lanes)]


class Lane:
    """Writes what `put` brings until `stopping`; may be killed at any moment."""

    def __init__(
        self,
        number: int,
        database_url: str,
        gateways: Mapping[str, Gateway],
        meter: Meter,
        link: Link,
        stopping: threading.Event,
    ) -> None:
        """`gateways`: those of this lane alone."""
        self.gateways = gateways
        self._inbox = _Inbox(QUEUE_BYTES_MAX)
        self.failure: BaseException | None = None
        self._number, self._database_url = number, database_url
        self._meter, self._link, self._stopping = meter, link, stopping
        self._greet = threading.Event()
        self._writer: Writer | None = None
        self._thread = threading.Thread(target=self._run, name=f"lane-{number}")

    def open(self) -> bool:
        """Wait for the database; False: stopped before. Raises what cannot mend itself."""
        return self._with_database(lambda writer: writer.standing())

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many messages wait to be written."""
        return len(self._inbox.queue)

    def put(self, received: Received) -> bool:
        """Hand a message over, when there is room; False: stopped before.

        Meanwhile the caller reads nothing from the broker. Its in-flight limit alone does not hold
        it back: mosquitto 2.0.11 sends as many anew after each acknowledgement.
        """
        while not self._stopping.is_set():
            with suppress(queue.Full):
                self._inbox.put(received, timeout=0.2)
                return True
        return False

    def greet(self) -> None:
        """Acknowledge every head anew, soon."""
        self._greet.set()

    def close(self) -> None:
        """Wait for the group under way, then leave the database."""
        if self._thread.is_alive():
            self._thread.join()
        self._drop_writer()

    def give_up(self) -> None:
        """Cut a call to a database that does not answer: its group comes again."""
        if self._writer is not None:
            LOG.warning("the database does not answer: giving up the group under way")
            self._writer.abandon()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._meter.alive(self._number)
                if self._greet.is_set():
                    self._greet.clear()
                    self._with_database(lambda writer: self._link.settle(writer.standing()))
                if group := self._next_group():
                    self._process(group)
        except BaseException as error:  # noqa: BLE001 - raised again by the service
            self.failure = error
            self._stopping.set()

    def _next_group(self) -> list[Received]:
        """What is waiting, up to the limits of a group; waits a moment for the first."""
        group: list[Received] = []
        size = readings = 0
        try:
            while (
                len(group) < GROUP_MESSAGES_MAX
                and size < GROUP_BYTES_MAX
                and readings < GROUP_READINGS_MAX
            ):
                received = self._inbox.get(block=not group, timeout=0.2)
                group.append(received)
                size += received.size_bytes
                if isinstance(received.item, Checked):
                    readings += received.item.batch.readings
        except queue.Empty:
            pass
        return group

    def _process(self, group: list[Received]) -> None:
        examined = [received.item for received in group]

        def write(writer: Writer) -> None:
            begun_s = time.monotonic()
            outcome = writer.write(examined)
            self._meter.wrote(outcome, time.monotonic() - begun_s)
            self._link.settle(outcome)

        if self._with_database(write):
            self._link.done(group)

    def _with_database(self, action: Callable[[Writer], object]) -> bool:
        """Do `action` as often as it takes the database to be there; False: stopped before."""
        delay = RETRY_DELAY_S_MIN
        while not self._stopping.is_set():
            try:
                if self._writer is None:
                    self._writer = Writer(self._database_url, self.gateways)
                action(self._writer)
                self.gateways = self._writer.gateways  # keys may have changed
            except psycopg.errors.DeadlockDetected as error:
                # With a migration. All is rolled back and the connection as good as before; over a
                # new one the changed schema would be refused.
                LOG.warning("deadlock, once more in %.1f s: %s", delay, error)
                self._stopping.wait(delay)
            except psycopg.OperationalError as error:
                self._meter.database(self._number, up=False)
                self._meter.alive(self._number)
                LOG.warning("database away, next try in %.1f s: %s", delay, error)
                self._drop_writer()
                self._stopping.wait(delay)
                delay = min(2 * delay, RETRY_DELAY_S_MAX)
            else:
                self._meter.database(self._number, up=True)
                return True
        return False

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
