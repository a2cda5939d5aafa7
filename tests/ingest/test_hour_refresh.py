"""Hours follow what ingest stored: only what was marked, and exactly as from scratch."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ingest.boxes import Box, enrolled, message, plant_toml, put
from tanzheng.analytics import hour_store
from tanzheng.analytics.hour_store import Refreshed, refresh
from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.plant import Plant
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

PLANT = Plant.parse(plant_toml().encode())
POINTS = 3
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
    refresh(url, [PLANT])
    again = current(url)
    assert len(kept) == len(again)
    return again


def test_hours_of_what_came_and_nothing_twice(url: str, writer: Writer, box: Box) -> None:
    put(writer, [message(item) for item in box.chain(4, slots=30)])  # two hours
    done = refresh(url, [PLANT])
    assert done.marks == 1
    assert done.written == done.hours == POINTS * 3  # the counters' hour before, too
    rows = current(url)
    full = [row for row in rows if row[0] == "meter/active_power_kw" and row[4]]
    assert [row[5] for row in full] == [HOUR_MS, HOUR_MS]
    assert all(row[2] is not None and row[4] == 60 for row in full)
    assert refresh(url, [PLANT]) == Refreshed()
    ask(url, "SELECT mark_dirty(gw, min(first_ms), max(last_ms)) FROM batch GROUP BY gw")
    assert refresh(url, [PLANT]).written == 0
    assert from_scratch(url) == rows


def test_late_data_changes_the_hours_it_reaches(url: str, writer: Writer, box: Box) -> None:
    first, late, last = (box.next(slots=60) for _ in range(3))
    put(writer, [message(first)])
    refresh(url, [PLANT])
    put(writer, [message(last)])  # ahead of its chain: an early batch
    refresh(url, [PLANT])
    before = {row[:2]: row for row in current(url)}
    put(writer, [message(late)])
    done = refresh(url, [PLANT])
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
    refresh(url, [PLANT])
    name, start, *_ = next(r for r in current(url) if r[0] == "meter/active_power_kw" and r[4])
    correct = (
        "INSERT INTO correction (point_id, from_ms, to_ms, value, quality, reason, author) "
        "SELECT point_id, %s, %s, %s, 2, 'meter read by hand', 'Li Lei' FROM point WHERE name = %s"
    )
    half = HOUR_MS // 2
    ask(url, correct, start, start + half, 10, name)
    refresh(url, [PLANT])
    ask(url, correct, start + half, start + HOUR_MS, 20, name)
    refresh(url, [PLANT])
    told = {row[:2]: row[2:4] for row in current(url)}
    assert told[name, start] == (Decimal(15), 2)
    ask(url, correct, start, start + HOUR_MS, None, name)
    refresh(url, [PLANT])
    assert {row[:2]: row[2] for row in current(url)}[name, start] is None
    history = "SELECT count(*) FROM hour JOIN point USING (point_id) WHERE name = %s AND hour = %s"
    assert ask(url, history, name, hour_store.instant(start)) == [(4,)]


def test_a_correction_fills_hours_that_have_no_reading(url: str, writer: Writer, box: Box) -> None:
    put(writer, [message(box.next(slots=60))])
    refresh(url, [PLANT])
    name = "meter/active_power_kw"
    [start] = [row[1] for row in current(url) if row[0] == name and row[4]]
    ask(
        url,
        "INSERT INTO correction (point_id, from_ms, to_ms, value, quality, reason, author) "
        "SELECT point_id, %s, %s, 7.5, 2, 'read by hand', 'Li Lei' FROM point WHERE name = %s",
        *(start + HOUR_MS, start + 3 * HOUR_MS, name),
    )
    refresh(url, [PLANT])
    filled = [row[1:] for row in current(url) if row[0] == name and row[1] > start]
    assert filled == [(start + n * HOUR_MS, Decimal("7.5"), 2, 60, HOUR_MS) for n in (1, 2)]


def test_a_mark_that_is_set_again_meanwhile_stays(url: str, writer: Writer, box: Box) -> None:
    put(writer, [message(box.next(slots=60))])
    again = "SELECT mark_dirty(gw, from_ms, to_ms) FROM dirty_hour"
    assert refresh(url, [PLANT], lambda _: ask(url, again)).marks == 0
    assert len(ask(url, "SELECT mark FROM dirty_hour")) == 1
    refresh(url, [PLANT])
    assert ask(url, "SELECT mark FROM dirty_hour") == []


def test_long_marks_go_in_stretches(
    url: str, writer: Writer, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(writer, [message(item) for item in box.chain(6, slots=60)])
    monkeypatch.setattr(hour_store, "READINGS_MAX", POINTS * 60 * 2)
    refresh(url, [PLANT])
    rows = current(url)
    monkeypatch.undo()
    assert from_scratch(url) == rows
