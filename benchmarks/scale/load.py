"""What a plant of 200 points sends, and what it costs ingest, database and broker: measured.

CPU time, not the wall's: neighbours of this machine change that less.
"""

import os
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import paho.mqtt.client as mqtt
import psycopg
import zstandard
from paho.mqtt.enums import CallbackAPIVersion

from tanzheng.core.batch import GENESIS, Batch, ClockState, Column, sign
from tanzheng.core.calendar import PlantZone
from tanzheng.core.keys import SigningKey
from tanzheng.core.topics import batch_topic
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.decide import Message, examine
from tanzheng.ingest.embedded import EmbeddedPostgres
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.lane import GROUP_MESSAGES_MAX, GROUP_READINGS_MAX
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.topics import ALL_BATCHES
from tanzheng.ingest.writer import Writer

POINTS = tuple(f"device{n // 10:02}/active_power_{n % 10}_kw" for n in range(200))
START_MS = 1_530_403_200_000  # a UTC midnight
PLANTS = 20
KEY = SigningKey.from_seed(b"scale".ljust(32, b"."))
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one reading: bytes on disk, of log and on the wire; microseconds of CPU."""

    row_b: float
    index_b: float
    raw_b: float
    wal_b: float
    wire_b: float
    ingest_us: float
    database_us: float
    readings_a_batch: int


def slots_a_batch(interval_s: int) -> int:
    """As the agent seals by default: after 10 s, or 60 slots."""
    return max(1, min(60, 10 // interval_s))


def messages(interval_s: int, readings: int) -> list[Message]:
    """So many readings of PLANTS plants, in the order of time."""
    slots = slots_a_batch(interval_s)
    rounds = readings // (PLANTS * len(POINTS) * slots)
    chains = [_chain(f"gw{n}", interval_s, slots, rounds) for n in range(PLANTS)]
    return [message for each in zip(*chains, strict=True) for message in each]


def _chain(gw: str, interval_s: int, slots: int, rounds: int) -> Iterator[Message]:
    random, prev = np.random.default_rng(len(gw)), GENESIS
    for seq in range(1, rounds + 1):
        start = START_MS + (seq - 1) * slots * interval_s * 1000
        times = array("q", range(start, start + slots * interval_s * 1000, interval_s * 1000))
        columns = tuple(
            Column(times, array("d", random.uniform(0, 1e6, slots).round(2).tolist()), bytes(slots))
            for _ in POINTS
        )
        batch = Batch(gw, 1, seq, prev, times[-1], ClockState("ntp", synced=True), POINTS, columns)
        signed = sign(batch, KEY)
        prev = signed.digest
        yield Message(batch_topic(gw), zstandard.compress(signed.raw), START_MS + 10**10)


def gateways() -> dict[str, Gateway]:
    """What the platform knows of these plants."""
    names = [f"gw{n}" for n in range(PLANTS)]
    return {gw: Gateway(gw, KEY.public, POINTS, PlantZone(0)) for gw in names}


def measured(interval_s: int, readings: int, *, index: bool = True) -> Cost:
    """Through examination and writer into an embedded database of its own."""
    sent = messages(interval_s, readings)
    with (
        tempfile.TemporaryDirectory(prefix="tz-") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        Path(folder).chmod(0o711)
        migrate(server.url())
        with psycopg.connect(server.url(), autocommit=True) as connection:
            if index:
                connection.execute("CREATE INDEX reading_point_t ON reading (point_id, t)")
            log, empty = _log_position(connection), _batches_size(connection)
            own_s, database_s = _written(server, sent)
            log = _log_position(connection) - log
            connection.execute("CHECKPOINT")
            sizes = _sizes(connection)
    count = sizes[3]
    return Cost(
        sizes[0] / count, sizes[1] / count, (sizes[2] - empty) / count, log / count,
        sum(len(each.payload) for each in sent) / count,
        own_s / count * 1e6, database_s / count * 1e6, count // len(sent),
    )  # fmt: skip


def _written(server: EmbeddedPostgres, sent: Sequence[Message]) -> tuple[float, float]:
    """CPU seconds of ingest and of the database for all messages, group by group."""
    known = gateways()
    group = min(
        GROUP_MESSAGES_MAX,
        GROUP_READINGS_MAX // (examine(sent[0], known).batch.readings),  # type: ignore[union-attr]
    )
    with closing(Writer(server.url(), known)) as writer:
        own, database = time.process_time(), family_s(server.pid)
        for start in range(0, len(sent), group):
            writer.write([examine(each, known) for each in sent[start : start + group]])
        return time.process_time() - own, family_s(server.pid) - database


def family_s(pid: int) -> float:
    """CPU seconds of a process, its children, and those of its children that ended."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for one in (str(pid), *children):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15] if one == str(pid) else fields[11:13]))
    return total / TICKS


def _log_position(connection: psycopg.Connection) -> int:
    found = connection.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
    return int((found or [0])[0])


def _sizes(connection: psycopg.Connection) -> tuple[int, int, int, int]:
    """Bytes of rows, of their index, of signed batches; number of readings."""
    found = connection.execute(
        "SELECT (SELECT sum(pg_table_size(relid)) FROM pg_partition_tree('reading')), "
        "(SELECT sum(pg_indexes_size(relid)) FROM pg_partition_tree('reading') WHERE isleaf), "
        "(SELECT count(*) FROM reading)"
    ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1]), _batches_size(connection), int(found[2])


def _batches_size(connection: psycopg.Connection) -> int:
    found = connection.execute("SELECT pg_total_relation_size('batch')").fetchone()
    return int((found or [0])[0])


def broker_us(interval_s: int, count: int = 4000) -> float:
    """Microseconds of mosquitto's CPU a message, from a gateway to ingest, QoS 1."""
    payload = messages(interval_s, PLANTS * len(POINTS) * slots_a_batch(interval_s))[0].payload
    come = threading.Semaphore(0)
    with tempfile.TemporaryDirectory(prefix="tz-") as folder, Broker(Path(folder)) as broker:
        Path(folder).chmod(0o711)
        sender, taker = _client(broker.gateway_url("gw0")), _client(broker.platform_url)
        taker.on_message = lambda *_: come.release()
        taker.subscribe(ALL_BATCHES, qos=1)
        time.sleep(0.5)
        before = family_s(broker.pid)
        for number in range(count):
            sender.publish(batch_topic("gw0"), payload, qos=1)
            if number >= 50:
                come.acquire()
        for _ in range(50):
            come.acquire()
        spent = family_s(broker.pid) - before
        for client in (sender, taker):
            client.disconnect()
            client.loop_stop()
    return spent / count * 1e6


def _client(url: str) -> mqtt.Client:
    parts = urlsplit(url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(parts.username, parts.password)
    client.connect(parts.hostname or "", parts.port or 0)
    client.loop_start()
    return client
