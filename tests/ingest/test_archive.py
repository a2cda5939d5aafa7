"""A month to files and back: the same rows, bit by bit, or nothing is dropped."""

import json
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import psycopg
import pytest
from typer.testing import CliRunner

from ingest.boxes import INTERVAL_MS, Box, enrolled, message, put, second_box
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput, EncodingError
from tanzheng.core.hashing import sha256, sm3
from tanzheng.ingest import archive as work
from tanzheng.ingest.archive import Archived, DatabaseBusy, MonthHasHoles, RowsChanged
from tanzheng.ingest.archive_files import MANIFEST, ArchiveDamaged, read_manifest
from tanzheng.ingest.audit import audit
from tanzheng.ingest.commands import app
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.rebuild import rebuild
from tanzheng.ingest.writer import Writer

JULY = Month(2018, 7)
NOW = datetime(2018, 9, 1, tzinfo=UTC)
LAST_DAYS_MS = 1_532_995_200_000  # 2018-07-31 00:00 UTC
SLOTS = 180


@dataclass
class Platform:
    """Two gateways from the last day of July into August, two UTC days each."""

    url: str
    out: Path
    box: Box = field(default_factory=lambda: Box(t_ms=LAST_DAYS_MS))
    other: Box = field(default_factory=second_box)

    def __post_init__(self) -> None:
        migrate(self.url)
        self.other.t_ms = LAST_DAYS_MS
        self.put(self.box.chain(9, SLOTS))
        self.put(self.other.chain(9, SLOTS), "gw2")

    def put(self, signed: Any, gw: str = "gw1") -> None:
        with closing(Writer(self.url, enrolled(self.box, self.other))) as writer:
            outcome = put(writer, [message(item, gw) for item in signed])
            assert outcome.accepted == len(signed)

    def archive(self, **changes: Any) -> Archived:
        return work.archive(self.url, JULY, self.out, NOW, **changes)

    def rows(self) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(
                "SELECT * FROM reading ORDER BY batch_id, point_id, t"
            ).fetchall()

    def do(self, statement: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.encode())

    def audited(self) -> bool:
        return audit(self.url, enrolled(self.box, self.other)).difference is None


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Platform:
    return Platform(database_url, tmp_path / "archive")


def test_files_are_as_the_manifest_says_and_anybody_reads_them(platform: Platform) -> None:
    found = platform.archive()
    assert found.dropped == ()
    assert [file.path for file in found.manifest.files] == [
        "gw1/2018-07-31.parquet",
        "gw2/2018-07-31.parquet",
    ]
    assert found.manifest.readings == 2 * 3 * 1440
    for file in found.manifest.files:
        data = (found.folder / file.path).read_bytes()
        assert (sha256(data), sm3(data), len(data)) == (file.sha256, file.sm3, file.size_bytes)
        table = pl.read_parquet(found.folder / file.path)
        assert table.sort("point", "t").equals(table)
        assert table.schema["t"] == pl.Datetime("ms", "UTC")
        said = pl.read_parquet_metadata(found.folder / file.path)
        assert said["gw"] == file.gw
        assert [int(said[key]) for key in ("batch_first", "batch_last")] == [
            table["batch_id"].min(), table["batch_id"].max()
        ]  # fmt: skip
    first = pl.read_parquet(found.folder / "gw1/2018-07-31.parquet")
    column = platform.box.signed[0].batch.columns[2]  # gas: first by name
    assert first["value"][:SLOTS].to_list() == list(column.value)
    assert first["point"][0] == "gas/gas_volume_nm3"
    month = duckdb.read_parquet(f"{found.folder}/*/*.parquet", filename=True)
    [(rows, value, newest)] = month.aggregate(
        "count(*), sum(value::decimal(18, 6)), max(t)"
    ).fetchall()
    both = pl.read_parquet(found.folder / "*/*.parquet")
    assert (rows, newest) == (len(both), both["t"].max())
    assert value == both["value"].cast(pl.Decimal(18, 6)).sum()


def test_dropped_and_restored_the_rows_are_the_same(platform: Platform) -> None:
    before = platform.rows()
    found = platform.archive(drop=True)
    assert found.dropped == (date(2018, 7, 31),)
    assert len(platform.rows()) == len(before) - 2 * 3 * 1440
    assert platform.audited()
    assert rebuild(platform.url, enrolled(platform.box, platform.other)).pieces_rebuilt == 0
    assert platform.archive(drop=True).dropped == ()  # again: nothing more to do
    with pytest.raises(BadInput, match="restore it first"):
        work.archive(platform.url, JULY, platform.out / "elsewhere", NOW)
    assert work.restore(platform.url, found.folder) == (1, 2 * 3 * 1440)
    assert platform.rows() == before
    assert platform.audited()
    assert work.restore(platform.url, found.folder) == (0, 0)


def test_without_the_files_rows_come_from_the_signed_batches(platform: Platform) -> None:
    before = platform.rows()
    platform.archive(drop=True)
    report = rebuild(platform.url, enrolled(platform.box, platform.other), archived=True)
    assert report.holds
    assert report.differed["reading"].missing == 2 * 3 * 1440
    assert platform.rows() == before


def test_late_readings_of_a_dropped_day_are_live(platform: Platform) -> None:
    found = platform.archive(drop=True)
    platform.box.t_ms = LAST_DAYS_MS + 1  # a batch that was long on its way
    late = platform.box.next(5)
    platform.put([late])
    assert platform.audited()
    platform.do("DELETE FROM reading WHERE t < '2018-07-31 12:00Z'")
    assert not platform.audited()  # a late row is missed like any other
    assert rebuild(platform.url, enrolled(platform.box, platform.other)).holds
    work.restore(platform.url, found.folder)
    assert platform.audited()
    assert platform.box.t_ms == LAST_DAYS_MS + 1 + 5 * INTERVAL_MS


def test_rows_that_came_after_are_not_dropped(platform: Platform) -> None:
    platform.archive()
    platform.box.t_ms = LAST_DAYS_MS + 1
    platform.put([platform.box.next(5)])
    before = platform.rows()
    with pytest.raises(RowsChanged, match="archive anew"):
        platform.archive(drop=True)
    assert platform.rows() == before


@pytest.mark.parametrize(
    "damage",
    ["UPDATE reading SET value = -value", "UPDATE reading SET batch_id = batch_id + 1",
     "DELETE FROM reading WHERE point_id = 1"],
)  # fmt: skip
def test_rows_that_changed_are_not_dropped(platform: Platform, damage: str) -> None:
    platform.archive()
    platform.do(damage)
    before = platform.rows()
    with pytest.raises(RowsChanged):
        platform.archive(drop=True)
    assert platform.rows() == before


def test_a_damaged_file_is_not_believed(platform: Platform) -> None:
    found = platform.archive()
    before = platform.rows()
    path = found.folder / "gw2/2018-07-31.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArchiveDamaged, match="gw2"):
        platform.archive(drop=True)
    path.unlink()
    with pytest.raises(ArchiveDamaged, match="expected a file"):
        platform.archive(drop=True)
    assert platform.rows() == before
    path.write_bytes(whole)
    platform.archive(drop=True)
    path.write_bytes(whole[:-1])
    with pytest.raises(ArchiveDamaged):
        work.restore(platform.url, found.folder)
    assert platform.audited()  # nothing half restored


@pytest.mark.parametrize(
    ("old", "new"),
    [('"version":1', '"version":2'), ('"gw1/', '"../'), ('"gw1/', '"/gw1/'), ('"files"', '"flies"'),
     ('"month"', ' "month"'), ("2018-07-31", "2018-07-32")],
)  # fmt: skip
def test_a_manifest_of_another_form_is_refused(platform: Platform, old: str, new: str) -> None:
    path = platform.archive().folder / MANIFEST
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises((BadInput, EncodingError)):
        read_manifest(path.parent)


def test_a_month_that_is_not_over_or_empty_is_refused(platform: Platform) -> None:
    with pytest.raises(BadInput, match="a month that is over"):
        work.archive(platform.url, Month(2018, 9), platform.out, NOW)
    with pytest.raises(BadInput, match="expected readings in 2018-06"):
        work.archive(platform.url, Month(2018, 6), platform.out, NOW)


def test_holes_are_refused_or_told(database_url: str, tmp_path: Path) -> None:
    platform = Platform(database_url, tmp_path / "archive")
    platform.do("UPDATE gateway SET head_seq = 3 WHERE gw = 'gw2'")
    with pytest.raises(MonthHasHoles, match="gw2: batches wait for others"):
        platform.archive()
    assert not platform.out.exists() or list(platform.out.iterdir()) == []
    assert platform.archive(with_holes=True).manifest.holes == (
        "gw2: batches wait for others before them",
    )


def test_a_chain_that_ends_in_the_month_is_a_hole(database_url: str, tmp_path: Path) -> None:
    box = Box(t_ms=LAST_DAYS_MS)
    migrate(database_url)
    with closing(Writer(database_url, enrolled(box))) as writer:
        put(writer, [message(item) for item in box.chain(2)])
    with pytest.raises(MonthHasHoles, match="gw1: its chain ends before the month does"):
        work.archive(database_url, JULY, tmp_path, NOW)


def test_killed_while_it_wrote_it_begins_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tanzheng.ingest.archive.publish", killed)
        with pytest.raises(KeyboardInterrupt):
            platform.archive(drop=True)
    assert [path.name for path in platform.out.iterdir()] == [".2018-07.partial"]
    assert platform.archive(drop=True).dropped == (date(2018, 7, 31),)
    assert [path.name for path in platform.out.iterdir()] == ["2018-07"]


def test_a_reader_in_the_way_is_named(platform: Platform) -> None:
    before = platform.rows()
    with psycopg.connect(platform.url) as reader:
        reader.execute("SELECT count(*) FROM reading")
        with pytest.raises(DatabaseBusy, match="run it again"):
            platform.archive(drop=True)
        platform.put([platform.box.next()])  # ingest goes on
    assert len(platform.rows()) == len(before) + 30
    assert platform.archive(drop=True).dropped == (date(2018, 7, 31),)


def test_by_command(platform: Platform) -> None:
    runner = CliRunner(env={"TANZHENG_DATABASE_URL": platform.url})
    given = ["archive", "--month", "2018-07", "--out", str(platform.out), "--drop", "--json"]
    assert json.loads(runner.invoke(app, given).output) == {
        "files": 2, "readings": 8640, "holes": [], "dropped": 1,
    }  # fmt: skip
    restored = runner.invoke(app, ["archive", "--restore", str(platform.out / "2018-07")])
    assert "1 days, 8640 readings" in restored.output
    both = runner.invoke(app, ["archive", "--month", "2018-07", "--restore", "x"])
    assert isinstance(both.exception, BadInput)
    assert "archive restore" in runner.invoke(app, ["audit-log", "list", "--json"]).output
