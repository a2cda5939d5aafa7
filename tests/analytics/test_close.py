"""`tanzheng month close` on a real database that ingest filled from signed batches."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psycopg
import pytest
import zstandard
from typer.testing import CliRunner, Result

from analytics.chains import KEY, sign_chain, step_event
from analytics.plants import (
    END_MS,
    ENERGY,
    PLANT_TOML,
    START_MS,
    Run,
    hours_from_start,
    record,
    rolled_over,
    series,
    without,
)
from tanzheng.analytics import folder, package
from tanzheng.analytics.commands import app
from tanzheng.analytics.errors import (
    BacklogUnderWay,
    DatabaseFault,
    EvidenceMismatch,
    MonthArchived,
    NothingRecorded,
    PackageExists,
)
from tanzheng.analytics.series import PointGap, Series
from tanzheng.core import topics
from tanzheng.core.batch import SignedBatch
from tanzheng.core.calendar import DAY_MS, HOUR_MS
from tanzheng.core.errors import BadInput
from tanzheng.ingest.decide import Message, examine
from tanzheng.ingest.enrolment import read_gateways
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

MINUTE = 60_000
HOLE = hours_from_start(30)
GATEWAYS = """
version = 1
[[gateway]]
id = "gw1"
plant = "plant.toml"
public_key = "gw1.pem"
"""


def chain(span_ms: int = 12 * HOUR_MS) -> list[SignedBatch]:
    """February with an outage of ten minutes, and one day before and after it."""
    month = record([Run(START_MS, hours_from_start(500.3)), Run(hours_from_start(600), END_MS)])
    holed = {point: without(s, HOLE, HOLE + 10 * MINUTE) for point, s in month.items()}
    holed = {point: with_a_day_on_each_side(s) for point, s in holed.items()}
    gaps = [PointGap(point, HOLE, HOLE + 10 * MINUTE, MINUTE, "agent_down") for point in month]
    return sign_chain(holed, gaps, span_ms)


def with_a_day_on_each_side(readings: Series) -> Series:
    before = np.arange(START_MS - DAY_MS, START_MS, MINUTE)
    after = np.arange(END_MS + MINUTE, END_MS + DAY_MS, MINUTE)
    first, last = np.full(len(before), readings.value[0]), np.full(len(after), readings.value[-1])
    return series(
        np.concatenate([before, readings.t_ms, after]),
        np.concatenate([first, readings.value, last]),
    )


def ingest(
    database_url: str,
    tmp_path: Path,
    batches: Sequence[SignedBatch],
    plant_raw: bytes = PLANT_TOML,
) -> None:
    migrate(database_url)
    (tmp_path / "plant.toml").write_bytes(plant_raw)
    (tmp_path / "gw1.pem").write_bytes(KEY.public.to_pem())
    gateways = tmp_path / "gateways.toml"
    gateways.write_text(GATEWAYS)
    enrolled = read_gateways(gateways)
    writer = Writer(database_url, enrolled)
    pack = zstandard.ZstdCompressor().compress
    for batch in batches:
        message = Message(topics.batch_topic("gw1"), pack(batch.raw), END_MS * 2)
        assert writer.write([examine(message, enrolled)]).accepted == 1
    writer.close()


def close(database_url: str, tmp_path: Path, *more: str) -> Result:
    plant = tmp_path / "plant.toml"
    plant.write_bytes(PLANT_TOML)
    words = f"close --plant {plant} --unit G1 --month 2018-02 --out {tmp_path / 'bag'}"
    options = ["--database-url", database_url, "--today", "2018-03-05", *more]
    return CliRunner().invoke(app, [*words.split(), *options])


def test_a_month_is_closed_from_the_database(database_url: str, tmp_path: Path) -> None:
    ingest(database_url, tmp_path, chain())
    result = close(database_url, tmp_path, "--json")
    assert result.exit_code == 0, result.exception
    closed = json.loads(result.stdout)
    assert closed["parameters"]["generation_mwh"] == {"value": "137352.000", "unit": "MWh"}
    # a start on the hour lends half a minute to the hour before
    assert closed["hours"] == {"measured": 574, "not_operating": 98}
    assert closed["slots"] == {
        "readings": 9 * (672 * 60 + 1 - 10),
        "in_gaps": 90,
        "unexplained": 0,
    }
    assert closed["deposit"] == "ready"
    # of a batch every 12 hours: February's 56 and the one with the closing slot
    assert closed["batches"] == 57
    files = folder.read(tmp_path / "bag")
    assert [signed.batch.seq for signed in package.batches_of(files, "gw1")] == [*range(3, 60)]
    assert Path(closed["secret"]).stat().st_mode & 0o777 == 0o600

    again = close(database_url, tmp_path)
    assert isinstance(again.exception, PackageExists)


def test_a_month_across_a_roll_over_is_closed_by_its_ledger(
    database_url: str, tmp_path: Path
) -> None:
    """The package is read back and computed from its batches alone: it holds the ledger too."""
    month, told = rolled_over()
    ingest(database_url, tmp_path, sign_chain(month, span_ms=DAY_MS, events=[step_event(told)]))
    result = close(database_url, tmp_path, "--json")
    assert result.exit_code == 0, result.exception
    closed = json.loads(result.stdout)
    assert closed["parameters"]["generation_mwh"]["value"] == "161280.000"
    assert [finding["code"] for finding in closed["findings"]] == ["counter_rollover"]
    assert closed["deposit"] == "ready"


def test_the_page_for_a_person(database_url: str, tmp_path: Path) -> None:
    ingest(database_url, tmp_path, chain())
    result = close(database_url, tmp_path)
    assert result.exit_code == 0, result.exception
    for text in ("137,352.000", "发电量", "ready for deposit · 可存证", "2018-04-09", "理论极值"):
        assert text in result.stdout


def test_an_edited_row_does_not_become_evidence(database_url: str, tmp_path: Path) -> None:
    ingest(database_url, tmp_path, chain())
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE reading SET value = value + 1000 WHERE t = to_timestamp(%s / 1000) AND "
            "point_id = (SELECT point_id FROM point WHERE name = %s)",
            (END_MS, ENERGY),
        )
    result = close(database_url, tmp_path)
    assert isinstance(result.exception, EvidenceMismatch)
    assert result.exception.exit_code == 3
    assert "generation_mwh = 137352.000" in str(result.exception)
    assert not [path.name for path in tmp_path.iterdir() if "bag" in path.name]


def test_a_month_without_batches_is_named(database_url: str, tmp_path: Path) -> None:
    migrate(database_url)
    result = close(database_url, tmp_path)
    assert isinstance(result.exception, NothingRecorded)
    assert "gw1 for 2018-02" in str(result.exception)


def test_a_month_waits_for_the_backlog(database_url: str, tmp_path: Path) -> None:
    """The last that touches the month is batch 117. An early one behind the month shows that the
    month is not whole as much as one within it; a hole behind the month does not matter."""
    batches = chain(6 * HOUR_MS)
    for arrived, waiting in (
        ([*batches[:40], batches[119]], "1 batches await batches 41 to 119 of epoch 1"),
        ([batches[49]], "2 batches await batches 41 to 49 of epoch 1"),
        (batches[40:49], "1 batches await batches 51 to 119 of epoch 1"),
        (batches[50:116], "1 batches await batches 117 to 119 of epoch 1"),
    ):
        ingest(database_url, tmp_path, arrived)
        error = close(database_url, tmp_path).exception
        assert isinstance(error, BacklogUnderWay)
        assert error.exit_code == 1
        assert str(error) == f"the backlog of gateway gw1 is still under way: {waiting}"
        assert "补传" in error.diagnostics()
    ingest(database_url, tmp_path, [batches[116]])
    result = close(database_url, tmp_path, "--json")
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["slots"]["unexplained"] == 0


def test_a_month_in_an_archive_is_named(database_url: str, tmp_path: Path) -> None:
    """The first UTC day of a month that begins eight hours before it, and the last."""
    ingest(database_url, tmp_path, chain())
    for day, touches in (("2018-01-30", False), ("2018-02-14", True), ("2018-03-02", False)):
        with psycopg.connect(database_url) as connection:
            connection.execute("DELETE FROM archived_day")
            connection.execute("INSERT INTO archived_day VALUES (%s, 1, 1, sha256('x'))", (day,))
        error = close(database_url, tmp_path).exception
        assert isinstance(error, MonthArchived) == touches, day
        if isinstance(error, MonthArchived):
            assert f"from {day} to {day}" in str(error)
            assert "archive --restore" in error.diagnostics()
        shutil.rmtree(tmp_path / "bag", ignore_errors=True)


def test_a_database_that_is_away_is_named(tmp_path: Path) -> None:
    result = close("postgresql://127.0.0.1:1/nothing", tmp_path)
    assert isinstance(result.exception, DatabaseFault)


@pytest.mark.parametrize("more", [("--today", "yesterday"), ("--plant", "nowhere.toml")])
def test_bad_options_are_named(more: tuple[str, str], tmp_path: Path) -> None:
    result = close("postgresql://127.0.0.1:1/nothing", tmp_path, *more)
    assert isinstance(result.exception, BadInput)
    assert more[1] in str(result.exception)
