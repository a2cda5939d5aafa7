"""Hours follow what ingest stored: only what was marked, and exactly as from scratch."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from decimal import Decimal
from multiprocessing import get_context
from typing import Any

import psycopg
import pytest

from ingest.boxes import Box, enrolled, message, plant_toml, put, second_box
from tanzheng.analytics import hour_store
from tanzheng.analytics.hour_store import Refreshed
from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.plant import Plant
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

PLANT = Plant.parse(plant_toml().encode())
POINTS = 3
NOW_MS = 1_900_000_000_000  # all that comes is over
Row = tuple[str, int, Decimal | None, int, int, int]


@pytest.fixture
def url(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def writer(url: str, box: Box) -> Iterator[Writer]:
    with closing(Writer(url, enrolled(box))) as made:
        yield made


def refresh(url: str, now_ms: int = NOW_MS, **more: Any) -> Refreshed:
    return hour_store.refresh(url, [PLANT], now_ms, **more)


def current(url: str) -> list[Row]:
    """The rows that count."""
    return ask(
        url,
        "SELECT DISTINCT ON (p.name, hour) p.name, (extract(epoch FROM hour) * 1000)::bigint, "
        "value, quality, readings, valid_ms FROM hour JOIN point p USING (point_id) "
        "ORDER BY p.name, hour, computed_at DESC",
    )


def ask(url: str, query: str, *values: Any) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []


def from_scratch(url: str) -> list[Row]:
    """What a refresh of everything makes of the same batches, in an empty table."""
    kept = current(url)
    ask(url, "ALTER TABLE hour DISABLE TRIGGER ALL")
    ask(url, "DELETE FROM hour")
    ask(url, "ALTER TABLE hour ENABLE TRIGGER ALL")
    ask(url, "SELECT mark_dirty(gw, min(first_ms), max(last_ms) + 1) FROM batch GROUP BY gw")
    refresh(url)
    again = current(url)
    assert len(kept) == len(again)
    return again


def test_hours_of_what_came_and_nothing_twice(url: str, writer: Writer, box: Box) -> None:
    put(writer, [message(item) for item in box.chain(4, slots=30)])  # two hours
    done = refresh(url)
    assert done.marks == 1
    assert done.written == done.hours == POINTS * 3  # the counters' hour before, too
    rows = current(url)
    full = [row for row in rows if row[0] == "meter/active_power_kw" and row[4]]
    assert [row[5] for row in full] == [HOUR_MS, HOUR_MS]
    assert all(row[2] is not None and row[4] == 60 for row in full)
    assert refresh(url) == Refreshed()
    ask(url, "SELECT mark_dirty(gw, min(first_ms), max(last_ms)) FROM batch GROUP BY gw")
    assert refresh(url).written == 0
    assert from_scratch(url) == rows


def test_late_data_changes_the_hours_it_reaches(url: str, writer: Writer, box: Box) -> None:
    first, late, last = (box.next(slots=60) for _ in range(3))
    put(writer, [message(first)])
    refresh(url)
    put(writer, [message(last)])  # ahead of its chain: an early batch
    refresh(url)
    before = {row[:2]: row for row in current(url)}
    put(writer, [message(late)])
    done = refresh(url)
    after = {row[:2]: row for row in current(url)}
    changed = {key[1] for key, row in after.items() if before.get(key) != row}
    start = late.batch.columns[0].t_ms[0] // HOUR_MS * HOUR_MS
    assert start in changed
    assert changed <= {start - HOUR_MS, start}  # the counter's hour that ends with it
    assert done.hours == 2 * POINTS
    assert from_scratch(url) == [after[key] for key in sorted(after)]


def test_a_correction_counts_and_a_later_one_counts_more(
    url: str, writer: Writer, box: Box
) -> None:
    put(writer, [message(item) for item in box.chain(2, slots=60)])
    refresh(url)
    name, start, *_ = next(r for r in current(url) if r[0] == "meter/active_power_kw" and r[4])
    correct = (
        "INSERT INTO correction (point_id, from_ms, to_ms, value, quality, reason, author) "
        "SELECT point_id, %s, %s, %s, 2, 'meter read by hand', 'Li Lei' FROM point WHERE name = %s"
    )
    half = HOUR_MS // 2
    ask(url, correct, start, start + half, 10, name)
    refresh(url)
    ask(url, correct, start + half, start + HOUR_MS, 20, name)
    refresh(url)
    told = {row[:2]: row[2:4] for row in current(url)}
    assert told[name, start] == (Decimal(15), 2)
    ask(url, correct, start, start + HOUR_MS, None, name)
    refresh(url)
    assert {row[:2]: row[2] for row in current(url)}[name, start] is None
    history = "SELECT count(*) FROM hour JOIN point USING (point_id) WHERE name = %s AND hour = %s"
    assert ask(url, history, name, hour_store.instant(start)) == [(4,)]


def test_a_correction_fills_hours_that_have_no_reading(url: str, writer: Writer, box: Box) -> None:
    put(writer, [message(box.next(slots=60))])
    refresh(url)
    name = "meter/active_power_kw"
    [start] = [row[1] for row in current(url) if row[0] == name and row[4]]
    ask(
        url,
        "INSERT INTO correction (point_id, from_ms, to_ms, value, quality, reason, author) "
        "SELECT point_id, %s, %s, 7.5, 2, 'read by hand', 'Li Lei' FROM point WHERE name = %s",
        *(start + HOUR_MS, start + 3 * HOUR_MS, name),
    )
    refresh(url)
    filled = [row[1:] for row in current(url) if row[0] == name and row[1] > start]
    assert filled == [(start + n * HOUR_MS, Decimal("7.5"), 2, 60, HOUR_MS) for n in (1, 2)]


def test_a_mark_that_is_set_again_meanwhile_stays(url: str, writer: Writer, box: Box) -> None:
    put(writer, [message(box.next(slots=60))])
    again = "SELECT mark_dirty(gw, from_ms, to_ms) FROM dirty_hour"
    assert refresh(url, progress=lambda *_: ask(url, again)).marks == 0
    assert len(ask(url, "SELECT mark FROM dirty_hour")) == 1
    refresh(url)
    assert ask(url, "SELECT mark FROM dirty_hour") == []


def test_long_marks_go_in_stretches(
    url: str, writer: Writer, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(writer, [message(item) for item in box.chain(6, slots=60)])
    monkeypatch.setattr(hour_store, "READINGS_MAX", POINTS * 60 * 2)
    refresh(url)
    rows = current(url)
    monkeypatch.undo()
    assert from_scratch(url) == rows


def test_an_hour_that_goes_on_is_left_for_later(url: str, writer: Writer, box: Box) -> None:
    put(writer, [message(item) for item in box.chain(4, slots=30)])
    [(begin, end)] = ask(url, "SELECT from_ms, to_ms FROM dirty_hour")
    assert end == begin + 2 * HOUR_MS
    refresh(url, end - 1)
    assert max(row[1] for row in current(url)) == end - 2 * HOUR_MS
    assert ask(url, "SELECT from_ms, to_ms FROM dirty_hour") == [(end - HOUR_MS, end)]
    assert refresh(url, end - 1) == Refreshed()
    refresh(url, end)
    assert ask(url, "SELECT count(*) FROM dirty_hour") == [(0,)]
    assert from_scratch(url) == current(url)


def test_readings_that_come_twice_take_the_other_way(url: str, writer: Writer, box: Box) -> None:
    """Sums refuse a slot they have seen; the hours are those of the readings once."""
    put(writer, [message(item) for item in box.chain(300, slots=60)])
    refresh(url)
    rows = current(url)
    [(raw, first, last)] = ask(url, "SELECT raw, first_ms, last_ms FROM batch WHERE seq = 2")
    ask(
        url,
        "INSERT INTO batch (gw, epoch, seq, digest, prev, made_ms, first_ms, last_ms, readings, "
        "raw, received_at) VALUES ('gw1', 0, 1, %s, %s, 0, %s, %s, 0, %s, now())",
        *(bytes(32), bytes(32), first, last, raw),
    )
    ask(url, "SELECT mark_dirty(gw, min(first_ms), max(last_ms) + 1) FROM batch GROUP BY gw")
    done = refresh(url)
    assert (done.marks, done.written, done.faults) == (1, 0, ())
    assert done.hours == POINTS * 301
    assert current(url) == rows


def test_a_damaged_batch_is_named_and_other_gateways_go_on(
    url: str, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hour_store, "PIECES_MAX", 1)  # over the same connection
    other = second_box()
    with closing(Writer(url, enrolled(box, other))) as writer:
        put(writer, [message(item) for item in box.chain(300, slots=60)])
        put(writer, [message(other.next(slots=60), "gw2")])
    ask(url, "UPDATE batch SET raw = substr(raw, 1, 200) WHERE gw = 'gw1' AND seq = 2")
    done = refresh(url)
    [fault] = done.faults
    assert fault.startswith("gw1: expected one zstd frame")
    with_readings = {row[0].partition("/")[0] for row in current(url) if row[4]}
    assert with_readings == {"gas2", "meter2"}
    assert ask(url, "SELECT DISTINCT gw FROM dirty_hour") == [("gw1",)]


def test_gateways_are_dealt_out_to_processes(url: str, box: Box) -> None:
    other = second_box()
    with closing(Writer(url, enrolled(box, other))) as writer:
        put(writer, [message(box.next(slots=60)), message(other.next(slots=60), "gw2")])
    told = list[tuple[int, int]]()
    with ProcessPoolExecutor(2, get_context("forkserver")) as pool:
        done = refresh(url, pool=pool, progress=lambda *each: told.append(each))
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert done.marks == 2
    assert from_scratch(url) == current(url)
