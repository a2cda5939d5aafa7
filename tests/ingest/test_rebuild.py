"""Rows made anew: equal to the evidence, whatever was done to them, also after kill −9."""

import json
import os
import signal
import subprocess
import sys
import time
from array import array
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from ingest.boxes import Box, enrolled, message, put, write_files
from ingest.test_audit import SHIFTED, TOUCHED_RECORDS, TOUCHED_ROWS, WHERE, Plant, target
from tanzheng.core.batch import Column, SignedBatch
from tanzheng.core.calendar import Month
from tanzheng.ingest.audit import audit
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.rebuild import Counts, RebuildReport, rebuild
from tanzheng.ingest.replay import GROUP_READINGS
from tanzheng.ingest.writer import Writer

PIECES = 12
SECONDS = 4000


@pytest.fixture
def plant(database_url: str) -> Plant:
    return Plant(database_url)


def rebuilt(plant: Plant) -> RebuildReport:
    return rebuild(plant.url, plant.gateways)


def rows_of(plant: Plant) -> list[tuple[object, ...]]:
    """Everything that a rebuild may touch, whoever wrote it."""
    found: list[tuple[object, ...]] = []
    with psycopg.connect(plant.url) as connection:
        for table in ("reading", "gap", "event"):
            query = f"SELECT whole::text FROM {table} whole ORDER BY 1"
            found += connection.execute(query.encode()).fetchall()
    return found


def test_what_is_right_is_left_alone(plant: Plant) -> None:
    report = rebuilt(plant)
    assert report.holds
    assert (report.batches, report.readings, report.gaps) == (44, 3720, 2)
    assert (report.first, report.pieces_rebuilt) == (None, 0)


STATEMENTS = {
    f"UPDATE reading SET value = value * (1 + 2.3e-16) {WHERE}": Counts(changed=1),
    f"UPDATE reading SET quality = 2 {WHERE}": Counts(changed=1),
    f"UPDATE reading SET value = -value, quality = 3 {WHERE}": Counts(changed=1),
    f"DELETE FROM reading {WHERE}": Counts(missing=1),
    f"INSERT INTO reading SELECT * FROM reading {WHERE}": Counts(extra=1),
    f"{SHIFTED} FROM reading {WHERE}": Counts(extra=1),
    f"UPDATE reading SET t = t + interval '1 microsecond' {WHERE}": Counts(1, 1),
    f"UPDATE reading SET t = t + interval '1 minute' {WHERE}": Counts(1, 1),
    f"UPDATE reading SET batch_id = 999999 {WHERE}": Counts(1, 1),
    f"UPDATE reading SET batch_id = batch_id - 1 {WHERE}": Counts(1, 1),
}


def test_touched_rows_are_put_right(plant: Plant) -> None:
    before = rows_of(plant)
    assert set(TOUCHED_ROWS) <= set(STATEMENTS)
    for statement, counts in STATEMENTS.items():
        plant.do(statement, values=target(plant))
        looked = rebuild(plant.url, plant.gateways, check=True)
        assert not looked.holds
        assert rows_of(plant) != before  # --check changes nothing
        report = rebuilt(plant)
        assert report.holds, statement
        assert report.differed["reading"] == looked.differed["reading"] == counts, statement
        assert report.first == looked.first is not None
        assert rows_of(plant) == before, statement


def test_touched_gaps_and_events_are_put_right(plant: Plant) -> None:
    before = rows_of(plant)
    for statement in TOUCHED_RECORDS:
        plant.do(statement)
        report = rebuilt(plant)
        assert report.holds
        assert report.first is not None
        assert report.differed["gap"] or report.differed["event"]
        assert rows_of(plant) == before, statement


def test_all_rows_of_one_gateway_lost(plant: Plant) -> None:
    before = rows_of(plant)
    plant.do("DELETE FROM reading", "DELETE FROM gap", "DELETE FROM event")
    one = rebuild(plant.url, {"gw2": plant.gateways["gw2"]})
    assert one.differed["reading"] == Counts(missing=90)
    report = rebuilt(plant)
    assert report.differed["reading"] == Counts(missing=3630)
    assert report.differed["gap"] == Counts(missing=2)
    assert report.differed["event"] == Counts(missing=1)
    assert report.first is not None
    assert (report.first.kind, report.first.gw, report.first.seq) == ("row missing", "gw1", 1)
    assert rows_of(plant) == before


def test_lost_days_are_made_again(plant: Plant) -> None:
    """A partition or chunk dropped behind our back: its place is made again, too."""
    before = rows_of(plant)
    with psycopg.connect(plant.url) as connection:
        native = connection.execute("SELECT to_regclass('reading_20180701')").fetchone()
        assert native is not None
        chunk = native[0] or connection.execute("SELECT show_chunks('reading')").fetchone()[0]  # type: ignore[index]
        connection.execute(f"DROP TABLE {chunk}".encode())
    assert rebuilt(plant).holds
    assert rows_of(plant) == before


def test_a_month_alone(plant: Plant) -> None:
    plant.do(f"DELETE FROM reading {WHERE}", values=target(plant))
    assert rebuild(plant.url, plant.gateways, Month(2018, 8)).first is None
    assert rebuild(plant.url, plant.gateways, Month(2018, 7)).differed["reading"].missing == 1
    assert plant.audit().difference is None


def test_a_month_whose_edge_lies_in_a_batch(database_url: str) -> None:
    """Of that batch the readings of the month alone are made anew: the others are there."""
    box = Box(t_ms=Month(2018, 7).bounds_ms(enrolled(Box())["gw1"].zone)[1] - 300_000)
    migrate(database_url)
    with closing(Writer(database_url, enrolled(box))) as writer:
        put(writer, [message(box.next())])  # five minutes in July, five in August
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE reading SET value = 0 WHERE t < '2018-08-01 06:58Z'")
    assert rebuild(database_url, enrolled(box), Month(2018, 7)).holds
    assert audit(database_url, enrolled(box)).difference is None


def test_wrong_evidence_is_never_built_from(plant: Plant) -> None:
    flipped = bytearray(plant.signed[11].raw)
    flipped[len(flipped) // 2] ^= 1
    plant.do(f"UPDATE reading SET quality = 2 {WHERE}", values=target(plant))
    plant.do("UPDATE batch SET raw = %s WHERE gw = 'gw1' AND seq = 12", values=(bytes(flipped),))
    before = rows_of(plant)
    report = rebuilt(plant)
    assert not report.holds
    assert report.refused is not None
    assert (report.refused.gw, report.refused.seq) == ("gw1", 12)
    assert rows_of(plant) == before


def test_ingest_goes_on_meanwhile(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """New batches between two pieces: neither lost nor doubled, nor taken for extra rows."""
    monkeypatch.setattr("tanzheng.ingest.replay.GROUP_BATCHES", 5)
    plant.do("DELETE FROM reading")
    with closing(Writer(plant.url, plant.gateways)) as writer:

        def advance(gw: str, batches: int, readings: int) -> None:
            put(writer, [message(plant.box.next())])

        report = rebuild(plant.url, plant.gateways, advance=advance)
    assert report.holds
    assert plant.audit().difference is None


def test_killed_in_the_middle_it_goes_on(database_url: str, tmp_path: Path) -> None:
    """A real process, kill −9 while it writes: whole pieces only; the next run ends the work."""
    box = Box()
    gateways = enrolled(box)
    path = write_files(tmp_path, box)
    migrate(database_url)
    per_piece = GROUP_READINGS // (3 * SECONDS)
    with closing(Writer(database_url, gateways)) as writer:
        for _ in range(PIECES):
            put(writer, [message(by_the_second(box)) for _ in range(per_piece)])
    piece = per_piece * 3 * SECONDS
    total = PIECES * piece
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE reading")
    command = [str(Path(sys.executable).with_name("tanzheng")), "ingest", "rebuild"]
    command += ["--gateways", str(path), "--json"]
    environment = {**os.environ, "TANZHENG_DATABASE_URL": database_url}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not 0 < stored(database_url) < total and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    left = stored(database_url)
    assert 0 < left < total
    assert left % piece == 0
    assert audit(database_url, gateways).difference is not None
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["differed"]["reading"]["missing"] == total - left  # what was done stays
    assert (report["readings"], report["pieces_rebuilt"]) == (total, (total - left) // piece)
    assert stored(database_url) == total
    assert audit(database_url, gateways).difference is None


def by_the_second(box: Box) -> SignedBatch:
    """The next batch: `SECONDS` readings of each point, a second apart."""
    times = array("q", range(box.t_ms, box.t_ms + SECONDS * 1000, 1000))
    column = Column(times, array("d", [float(t % 9973) for t in times]), bytes(SECONDS))
    signed = box.next(0, columns=(column,) * 3)
    box.t_ms += SECONDS * 1000
    return signed


def stored(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM reading").fetchone()
    assert row is not None
    return int(row[0])


def test_every_row_twice(plant: Plant) -> None:
    before = rows_of(plant)
    plant.do("INSERT INTO reading SELECT * FROM reading")
    report = rebuilt(plant)
    assert report.differed["reading"] == Counts(extra=3720)
    assert rows_of(plant) == before
