"""A closed day gets its index beside running ingest, also after a kill in the middle."""

import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ingest.boxes import START_MS, Box, enrolled, message, put
from tanzheng.ingest.audit import audit
from tanzheng.ingest.maintenance import Maintained, Maintenance, maintain
from tanzheng.ingest.migrate import files, migrate
from tanzheng.ingest.writer import Writer

FIRST_DAY = datetime(2018, 7, 1, tzinfo=UTC)
LATER = FIRST_DAY + timedelta(days=60)
OWN = (
    "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON indexrelid = oid "
    "WHERE relname ~ '_point_t$' AND relname <> 'reading_point_t'"
)


@pytest.fixture
def box(database_url: str) -> Box:
    """A gateway with three days of hourly batches in the database."""
    migrate(database_url)
    box = Box()
    with closing(Writer(database_url, enrolled(box))) as writer:
        put(writer, [message(item) for item in box.chain(66, slots=60)])
    return box


def days_indexed(url: str) -> list[bool]:
    """Of each day with an index of its own, whether it is whole."""
    with psycopg.connect(url) as connection:
        return [valid for _, valid in connection.execute(OWN.encode())]


def plan(url: str, day: str) -> str:
    query = (
        f"EXPLAIN SELECT value FROM reading WHERE point_id = 1 AND t >= '{day} 00:00Z' "
        f"AND t < '{day} 00:10Z'"
    )
    with psycopg.connect(url) as connection:
        connection.execute("SET enable_seqscan = off")
        return "\n".join(line for (line,) in connection.execute(query.encode()))


def test_a_day_is_indexed_when_it_is_closed(database_url: str, box: Box) -> None:
    assert (FIRST_DAY + timedelta(hours=7)).timestamp() * 1000 == START_MS
    before_close = FIRST_DAY + timedelta(days=1, minutes=59)
    assert maintain(database_url, before_close) == Maintained()
    assert "_reading_t" in plan(database_url, "2018-07-01") or "_t_idx" in plan(
        database_url, "2018-07-01"
    )  # BRIN on an open day
    assert len(maintain(database_url, FIRST_DAY + timedelta(days=1, hours=1)).indexed) == 1
    assert "_point_t" in plan(database_url, "2018-07-01")
    assert "_point_t" not in plan(database_url, "2018-07-02")
    assert len(maintain(database_url, LATER).indexed) == 3  # into the fourth UTC day
    assert maintain(database_url, LATER) == Maintained()
    assert days_indexed(database_url) == [True] * 4


def test_late_rows_go_through_the_index(database_url: str, box: Box) -> None:
    maintain(database_url, LATER)
    with closing(Writer(database_url, enrolled(box))) as writer:
        assert put(writer, [message(box.next())]).accepted == 1
    assert maintain(database_url, LATER) == Maintained()
    assert audit(database_url, enrolled(box)).difference is None


def test_killed_in_the_middle_it_begins_again(database_url: str, box: Box) -> None:
    """The index waits for an open writer: there its connection is ended, as by a kill; meanwhile
    ingest goes on."""
    errors: list[psycopg.Error] = []

    def run() -> None:
        try:
            maintain(database_url, LATER)
        except psycopg.Error as error:
            errors.append(error)

    with psycopg.connect(database_url) as slow, psycopg.connect(database_url) as hand:
        slow.execute("UPDATE reading SET quality = quality WHERE t < '2018-07-02Z'")
        thread = threading.Thread(target=run)
        thread.start()
        hand.autocommit = True
        deadline = time.monotonic() + 30
        while days_indexed(database_url) != [False] and time.monotonic() < deadline:
            time.sleep(0.02)
        assert days_indexed(database_url) == [False]  # begun, not whole
        assert maintain(database_url, LATER).busy
        with closing(Writer(database_url, enrolled(box))) as writer:
            assert put(writer, [message(box.next())]).accepted == 1
        hand.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'tanzheng-maintain' AND datname = current_database()"
        )
        thread.join(30)
    assert len(errors) == 1
    assert days_indexed(database_url) == [False]
    assert len(maintain(database_url, LATER).indexed) == 4
    assert days_indexed(database_url) == [True] * 4
    assert audit(database_url, enrolled(box)).difference is None


def test_on_a_timer_beside_the_service(database_url: str, box: Box) -> None:
    with closing(Maintenance(database_url, every_s=0.01, now=lambda: LATER)):
        deadline = time.monotonic() + 30
        while days_indexed(database_url) != [True] * 4 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert days_indexed(database_url) == [True] * 4


def test_a_live_table_keeps_its_index_until_each_day_has_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the schema before, with rows in it: never without an index."""
    old = {name: text for name, text in files().items() if name < "0005"}
    with monkeypatch.context() as patch:
        patch.setattr("tanzheng.ingest.migrate.files", lambda: old)
        migrate(database_url)
    with psycopg.connect(database_url) as connection:
        for day in ("2018-07-01", "2018-07-02"):
            connection.execute("SELECT ensure_reading_day(%s)", (day,))
            connection.execute("INSERT INTO reading VALUES (1, %s, 1, 0, 1)", (f"{day} 12:00Z",))
    migrate(database_url)
    assert "reading_point_t" in plan(database_url, "2018-07-01") or "point_id_t_idx" in plan(
        database_url, "2018-07-01"
    )
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM reading")  # a reader that does not end
        assert maintain(database_url, LATER).common_index
    assert days_indexed(database_url) != []
    done = maintain(database_url, LATER)
    assert (done.indexed, done.common_index) == ([], False)
    assert "_point_t" in plan(database_url, "2018-07-01")
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT ensure_reading_day('2018-07-03')")
        connection.execute("INSERT INTO reading VALUES (1, '2018-07-03 12:00Z', 1, 0, 1)")
    new = plan(database_url, "2018-07-03")
    assert "_reading_t" in new or "_t_idx" in new  # BRIN on a day that is new
