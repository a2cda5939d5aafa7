"""One point's month, and hours from readings, each against plain SQL on the same table."""

from limits import Row
from storage.database import ask, execute, timed
from storage.fleet import HISTORY_DAYS, HISTORY_INTERVAL_MS, LIVE_MS, START_MS, Fleet
from tanzheng.analytics import hour_store, source
from tanzheng.analytics.database import connected
from tanzheng.core.plant import Plant
from tanzheng.ingest.rows import DAY_MS

QUERY_MS_MAX = 50.0
ROUNDS = 7
WORKERS = 2
PLAIN = (
    "SELECT t, value, quality FROM reading WHERE point_id = %s "
    "AND t >= to_timestamp(%s) AND t < to_timestamp(%s) ORDER BY t"
)
GROUP_BY = """
    SELECT count(*) FROM (
        SELECT point_id, time_bucket('1 hour', t) AS hour, avg(value), count(*), max(quality)
        FROM reading WHERE t >= to_timestamp(%s) GROUP BY 1, 2) AS hours
"""
NOW_MS = LIVE_MS + 365 * DAY_MS
END_MS = START_MS + HISTORY_DAYS * DAY_MS


def rows(url: str) -> list[Row]:
    """Best of the rounds, the two ways in turns."""
    [(point_id, gw, name)] = ask(url, "SELECT point_id, gw, name FROM point ORDER BY 1 LIMIT 1")
    ours, plain = list[float](), list[float]()
    expected = HISTORY_DAYS * DAY_MS // HISTORY_INTERVAL_MS
    with connected(url) as connection:

        def read() -> int:
            return len(source.series(connection, gw, name, START_MS, END_MS - 1).t_ms)

        def select() -> int:
            given = (point_id, START_MS / 1000, END_MS / 1000)
            with connection.cursor(binary=True) as cursor:
                return len(cursor.execute(PLAIN, given).fetchall())

        for _ in range(ROUNDS):
            for work, kept in ((read, ours), (select, plain)):
                taken_s, found = timed(work)
                assert found == expected, found
                kept.append(taken_s)
    against = f"{expected:,} rows of {HISTORY_DAYS} days; plain SQL {min(plain) * 1000:.1f} ms"
    return [
        Row("one point, one month", min(ours) * 1000, "ms", against, QUERY_MS_MAX),
        Row("… ÷ the same by plain SQL", min(ours) / min(plain), "×", "psycopg, binary", 1.5),
    ]


def hours(url: str, fleet: Fleet, day: int) -> list[Row]:
    """Hours of a live day by a service that made those of the day before, rows written, against
    one plain GROUP BY."""
    execute(url, "DELETE FROM dirty_hour")
    plants = [Plant.parse((fleet.folder / f"{p.gw}.toml").read_bytes()) for p in fleet.plants]
    with hour_store.processes(WORKERS) as pool:
        _mark(url, fleet, LIVE_MS + (day - 1) * DAY_MS)
        hour_store.refresh(url, plants, NOW_MS, pool)
        first_ms = LIVE_MS + day * DAY_MS
        _mark(url, fleet, first_ms)
        ours_s, done = timed(lambda: hour_store.refresh(url, plants, NOW_MS, pool))
    count = ask(url, "SELECT count(*) FROM reading WHERE t >= to_timestamp(%s)", first_ms / 1000)
    plain_s, _ = timed(lambda: ask(url, GROUP_BY, first_ms / 1000))
    assert done.written == done.hours
    assert done.readings == count[0][0]
    said = (
        f"{done.hours:,} hours of {done.readings:,} readings, written by {WORKERS} processes; "
        f"plain {plain_s:.2f} s"
    )
    return [Row("hours, beside time_bucket GROUP BY", plain_s / ours_s, "×", said, 0.8, least=True)]


def _mark(url: str, fleet: Fleet, first_ms: int) -> None:
    for plant in fleet.plants:
        ask(url, "SELECT mark_dirty(%s, %s, %s)", plant.gw, first_ms, first_ms + DAY_MS)
