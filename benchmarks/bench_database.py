"""What an open day's index costs, and what a viewer's filter costs, each against going without.

200 points by the minute on embedded PostgreSQL (fsync on). The open day: hourly COPYs into a day
as it is (BRIN), and into one with the B-tree that closed days have. The viewer: one point's month
of closed days through the view of an enterprise and of a province of 100,000 points.
"""

import tempfile
import time
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo

from measure import Measured
from tanzheng.ingest import ledger, rows, viewers
from tanzheng.ingest.embedded import EmbeddedPostgres
from tanzheng.ingest.maintenance import maintain
from tanzheng.ingest.migrate import migrate

POINTS, ENTERPRISES, DAYS, ROUNDS = 200, 500, 31, 3
MINUTES = 60
FIRST = date(2020, 1, 1)
DAY_0 = (FIRST - date(1970, 1, 1)).days
MONTH = (
    "SELECT t, value, quality FROM {} WHERE point_id = 7 "
    "AND t >= '2020-01-01Z' AND t < '2020-02-01Z'"
)
SITES = """
INSERT INTO enterprise (enterprise) SELECT 'E' || i FROM generate_series(1, {n}) i;
INSERT INTO plant (plant, enterprise_id) SELECT 'P' || i, i FROM generate_series(1, {n}) i;
INSERT INTO plant_version (plant_id, valid, name, name_zh, division, file_sha256)
    SELECT i, '[2000-01-01,)', 'n', 'n', '370102', sha256('x') FROM generate_series(1, {n}) i;
INSERT INTO gateway (gw, public_key, plant_id) SELECT 'gw' || i, sha256('k'), i
    FROM generate_series(1, {n}) i;
INSERT INTO point (gw, name) SELECT 'gw' || i, 'd/' || j
    FROM generate_series(1, {n}) i, generate_series(1, {points}) j ORDER BY i, j;
"""


def run() -> list[Measured]:
    """COPY rates into an open day, and milliseconds of one point's month."""
    with (
        tempfile.TemporaryDirectory(prefix="tz-") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        url = server.url()
        migrate(url)
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            days = [_day(connection, DAY_0 + n) for n in range(DAYS)]
            connection.execute("CREATE INDEX tree ON reading (point_id, t)")
            indexed = [_day(connection, DAY_0 + DAYS + n) for n in range(ROUNDS)]
            connection.execute("DROP INDEX tree")
            return [
                Measured(
                    "COPY into an open day (BRIN)", max(days), "rows/s",
                    "the same with a B-tree (point_id, t)", max(indexed),
                ),
                *_viewers(url, connection),
            ]  # fmt: skip


def _day(connection: psycopg.Connection, day: int) -> float:
    """Rows a second of a day's COPYs, an hour each."""
    ledger.ensure_days(connection, [day])
    hours = [_hour(day * 24 + hour) for hour in range(24)]
    begun_s = time.perf_counter()
    for packed in hours:
        ledger.copy_readings(connection, packed)
    return 24 * MINUTES * POINTS / (time.perf_counter() - begun_s)


def _hour(hour: int) -> memoryview:
    found = np.zeros(POINTS * MINUTES, rows.READING)
    found["batch_id"], found["value"] = 1, 1.5
    found["point_id"] = np.repeat(np.arange(1, POINTS + 1), MINUTES)
    found["t_ms"] = np.tile(hour * 3_600_000 + np.arange(MINUTES) * 60_000, POINTS)
    return rows.pack(found)


def _viewers(url: str, connection: psycopg.Connection) -> list[Measured]:
    connection.execute(SITES.format(n=ENTERPRISES, points=POINTS).encode())
    maintain(url, datetime(2021, 1, 1, tzinfo=UTC))
    connection.execute("VACUUM ANALYZE")
    found = []
    for login, scope in (("bench_e", "enterprise:E1"), ("bench_p", "province:370000")):
        password = viewers.add(connection, login, viewers.Scope.parse(scope))
        seen = make_conninfo(url, user=login, password=password)
        with closing(psycopg.connect(seen, autocommit=True)) as viewer:
            took = _milliseconds(viewer, MONTH.format("seen.reading"))
        owner = _milliseconds(connection, MONTH.format("reading"))
        name = f"one point's month, viewer of {scope.partition(':')[0]}"
        found.append(Measured(name, took, "ms", "the owner", owner))
    return found


def _milliseconds(connection: psycopg.Connection, query: str) -> float:
    """The best of some."""
    took = []
    for _ in range(2 * ROUNDS):
        begun_s = time.perf_counter()
        count = len(connection.execute(query.encode()).fetchall())
        took.append(1000 * (time.perf_counter() - begun_s))
        assert count == DAYS * 24 * MINUTES, count
    return min(took)
