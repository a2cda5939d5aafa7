"""The service takes from the broker what fits its memory, and leaves the rest there.

mosquitto sends as many messages as its in-flight limit anew after each acknowledgement, so a
database that is slower than the broker would have all of them in the service's memory.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from ingest.boxes import Box
from ingest.service import WAIT_S_MAX, Uplink, ask, ingest, rows_once, until
from tanzheng.core.batch import Event, SignedBatch
from tanzheng.ingest.broker import Broker, free_port
from tanzheng.ingest.lane import QUEUE_BYTES_MAX
from tanzheng.ingest.migrate import migrate

BATCHES = 400
SLOW = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$;
    CREATE TRIGGER slow BEFORE INSERT ON batch FOR EACH ROW EXECUTE FUNCTION slow();
"""


@pytest.fixture
def database(database_url: str) -> str:
    migrate(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(SLOW)
    return database_url


@pytest.fixture
def uplink(broker: Broker) -> Iterator[Uplink]:
    with closing(Uplink(broker, Box())) as made:
        yield made


def long_batches(box: Box) -> list[SignedBatch]:
    """Three readings and much text each: a fifth of a megabyte, some bytes when packed."""
    text = "x" * 200_000
    return [box.next(1, events=(Event(box.t_ms, "note", {"what": text}),)) for _ in range(BATCHES)]


def shown(port: int, name: str) -> int:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        found = re.search(rf"\ntanzheng_ingest_{name} (\S+)", answer.read().decode())
    assert found is not None
    return int(float(found[1]))


def test_a_slow_database_fills_a_queue_and_no_more(
    broker: Broker, database: str, uplink: Uplink, tmp_path: Path
) -> None:
    port, depths = free_port(), list[int]()
    signed = long_batches(uplink.box)
    fits = QUEUE_BYTES_MAX // len(signed[0].raw)
    assert fits < BATCHES / 4

    def all_acked() -> bool:
        depths.append(shown(port, "queue_depth"))
        return uplink.acked(signed[-1])

    options = ("--metrics", f"127.0.0.1:{port}")
    with ingest(broker, database, tmp_path, uplink.box, options=options):
        uplink.deliver(signed[0])
        uplink.publish(*signed[1:])
        until(all_acked)
        assert fits / 2 < max(depths) <= fits + 1
        assert shown(port, "batches_accepted_total") == BATCHES
        assert shown(port, "batches_duplicate_total") == 0
    assert rows_once(database) == BATCHES * 3
    assert ask(database, "SELECT count(*) FROM quarantine") == [(0,)]


def test_it_stops_though_its_queue_is_full(
    broker: Broker, database: str, uplink: Uplink, tmp_path: Path
) -> None:
    """What it had taken comes again at the next start."""
    signed = long_batches(uplink.box)
    with ingest(broker, database, tmp_path, uplink.box) as process:
        uplink.deliver(signed[0])
        uplink.publish(*signed[1:])
        until(lambda: uplink.head > BATCHES / 4)
        process.terminate()
        assert process.wait(WAIT_S_MAX) == 0
    assert not uplink.acked(signed[-1])
    with ingest(broker, database, tmp_path, uplink.box):
        until(lambda: uplink.acked(signed[-1]))
    assert rows_once(database) == BATCHES * 3
