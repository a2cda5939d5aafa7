"""Broker → verified → committed → acknowledged, against one bare COPY and against write_row."""

import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import zstandard

from limits import Row
from storage import database
from storage.fleet import LIVE_INTERVAL_MS, LIVE_MS, POINTS, SLOTS, START_MS, Fleet
from storage.platform_run import Gateways, Memory, ingest, login_s
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.rows import COPY_ROW, DAY_MS

TEXT = b"COPY reading (point_id, t, value, quality, batch_id) FROM STDIN"
TEXT_BATCHES = 60
MEMORY_DAYS = 3
READINGS = POINTS * SLOTS  # of a batch


@dataclass(frozen=True, slots=True)
class Bench:
    """What the rounds share."""

    url: str
    broker: Broker
    fleet: Fleet
    gateways: Gateways
    log: Path


@dataclass(frozen=True, slots=True)
class Round:
    """Rows a second of both ways on one day."""

    ingested: float
    copied: float


def begin(bench: Bench) -> None:
    """One batch of each plant, so that the broker has the service's session and each an ack."""
    made = [(plant, plant.next_batch(START_MS - DAY_MS)) for plant in bench.fleet.plants]
    first = [(plant, signed, zstandard.compress(signed.raw)) for plant, signed in made]
    with ingest(bench.broker, bench.url, bench.fleet, bench.log):
        while not all(bench.gateways.heads.values()):  # the service is not there at once
            bench.gateways.queue(first)
            time.sleep(1)


def one_round(bench: Bench, day: int) -> Round:
    """A day queued in the broker, then ingested; the same rows copied into the same table."""
    sent = bench.fleet.day(day)
    count, first_ms = len(sent) * READINGS, LIVE_MS + day * DAY_MS
    bench.gateways.queue(sent)
    database.execute(bench.url, "CHECKPOINT")
    with ingest(bench.broker, bench.url, bench.fleet, bench.log):
        ended_s = bench.gateways.await_acks(sent)
    ingested = count / (ended_s - login_s(bench.log))
    packed = database.copy_out(bench.url, first_ms)
    assert len(packed) == count * COPY_ROW.itemsize
    database.drop_since(bench.url, first_ms)
    taken_s, _ = database.timed(lambda: database.copy_in(bench.url, [packed]))
    return Round(ingested, count / taken_s)


def as_text(bench: Bench, day: int) -> float:
    """Rows a second of psycopg's text path, over batches that are decoded already."""
    named = database.ask(bench.url, "SELECT gw, name, point_id FROM point")
    ids = {f"{gw}/{name}": number for gw, name, number in named}
    decoded = [
        (ids[f"{plant.gw}/{name}"], column)
        for plant, signed, _ in bench.fleet.day(day)[:TEXT_BATCHES]
        for name, column in zip(signed.batch.points, signed.batch.columns, strict=True)
    ]

    def write() -> None:
        with psycopg.connect(bench.url) as connection, connection.cursor().copy(TEXT) as copy:
            for point_id, column in decoded:
                values = zip(column.t_ms, column.value, column.quality, strict=True)
                for t_ms, value, quality in values:
                    at = datetime.fromtimestamp(t_ms / 1000, UTC)
                    copy.write_row((point_id, at, value, quality, 0))

    taken_s, _ = database.timed(write)
    database.drop_since(bench.url, LIVE_MS + day * DAY_MS)
    return len(decoded) * SLOTS / taken_s


def at_half_load(bench: Bench, day: int, rows_per_s: float) -> tuple[float, float]:
    """Median and 99th percentile of seconds from publishing a batch to its signed ack."""
    sent = bench.fleet.day(day)
    every_s = READINGS / (rows_per_s / 2)
    published: dict[tuple[str, int], float] = {}
    bench.gateways.first_ack_s = 0.0
    with ingest(bench.broker, bench.url, bench.fleet, bench.log):
        while not bench.gateways.first_ack_s:
            time.sleep(0.02)
        begun_s = time.monotonic()
        for number, (plant, signed, payload) in enumerate(sent):
            time.sleep(max(0.0, begun_s + number * every_s - time.monotonic()))
            published[plant.gw, signed.batch.seq] = time.monotonic()
            bench.gateways.publish(plant, payload)
        bench.gateways.await_acks(sent)
    took = sorted(bench.gateways.acked_s[each] - at for each, at in published.items())
    return statistics.median(took), took[int(len(took) * 0.99)]


def memory(bench: Bench, day: int) -> tuple[int, int]:
    """Most resident bytes in the middle and the last third of a run as long as memory needs to
    show whether it grows: it is full after a second or two."""
    sent = [each for number in range(MEMORY_DAYS) for each in bench.fleet.day(day + number)]
    bench.gateways.queue(sent)
    with ingest(bench.broker, bench.url, bench.fleet, bench.log) as process:
        resident = Memory(process.pid)
        bench.gateways.await_acks(sent)
        samples = resident.stop()
    database.drop_since(bench.url, LIVE_MS + day * DAY_MS)
    third = len(samples) // 3
    return max(samples[third : 2 * third]), max(samples[-third:])


def rows(bench: Bench, rounds: int) -> list[Row]:
    """All of it, the days one after the other."""
    begin(bench)
    done = [one_round(bench, day) for day in range(rounds)]
    best = max(done, key=lambda each: each.ingested / each.copied)
    median_s, p99_s = at_half_load(bench, rounds, best.ingested)
    early, late = memory(bench, rounds + 1)
    text = as_text(bench, rounds + 1)  # last: its batches are never sent
    count = len(bench.fleet.plants) * DAY_MS // (SLOTS * LIVE_INTERVAL_MS)
    said = f"{count} batches of {READINGS:,} queued in the broker, {best.ingested:,.0f} rows/s"
    shown = ", ".join(f"{each.ingested / each.copied:.2f}" for each in done)
    bare = f"one bare binary COPY, {best.copied:,.0f} rows/s; rounds {shown}"
    return [
        Row("broker to signed ack", best.ingested / best.copied, "×", f"{said}; {bare}", 0.8, True),
        Row("… against copy.write_row", best.ingested / text, "×", f"{text:,.0f} rows/s", 3, True),
        Row(
            "publish to signed ack, p99",
            p99_s * 1e3,
            "ms",
            f"half load; median {median_s * 1e3:.0f}",
        ),
        Row("memory, last third ÷ second", late / early, "×", f"{late / 2**20:.0f} MiB", 1.1),
    ]
