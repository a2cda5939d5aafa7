"""The audit names what was changed behind the evidence's back."""

import random
from array import array
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
import zstandard

from ingest.boxes import POINTS, Box, enrolled, message, put, second_box
from tanzheng.core.batch import sign
from tanzheng.core.calendar import Month
from tanzheng.core.keys import SigningKey
from tanzheng.ingest import progress
from tanzheng.ingest.audit import audit
from tanzheng.ingest.compare import Difference
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.replay import GROUP_BATCHES, Report
from tanzheng.ingest.writer import Writer

TABLES = ("batch", "reading", "gap", "event")


class Plant:
    """A database with 41 batches of gw1 and 3 of gw2, and hands to damage it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.box, self.other = Box(), second_box()
        self.gateways = enrolled(self.box, self.other)
        migrate(url)
        self.signed = [*self.box.chain(40, slots=30), self.box.with_gap()]
        messages = [message(item) for item in self.signed]
        messages[5:5] = [message(item, "gw2") for item in self.other.chain(3)]
        with closing(Writer(url, self.gateways)) as writer:
            put(writer, messages)

        self.do(*(f"CREATE TABLE saved_{table} AS TABLE {table}" for table in TABLES))

    def do(self, *statements: str, values: tuple[object, ...] = ()) -> None:
        """Change the database as someone would who may do everything."""
        with psycopg.connect(self.url) as connection:
            connection.execute("SET session_replication_role = replica")  # no foreign keys
            for statement in statements:
                connection.execute(statement.encode(), values or None)

    def mend(self) -> None:
        """Undo all changes of rows."""
        for table in TABLES:
            insert = f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE saved_{table}"
            self.do(f"DELETE FROM {table}", insert)

    def audit(self, month: Month | None = None) -> Report:
        return audit(self.url, self.gateways, month)

    def difference(self) -> Difference:
        """The difference found; the damage is undone."""
        found = self.audit().difference
        assert found is not None
        self.mend()
        return found


@pytest.fixture
def plant(database_url: str) -> Plant:
    return Plant(database_url)


# Reading 17 of point 1 in batch 12.
WHERE = (
    "WHERE point_id = (SELECT point_id FROM point WHERE gw = 'gw1' AND name = %s) AND "
    "t = to_timestamp(%s / 1000.0)"
)


def target(plant: Plant) -> tuple[str, int]:
    return POINTS[1], plant.signed[11].batch.columns[1].t_ms[16]


def test_nothing_changed(plant: Plant) -> None:
    report = plant.audit()
    assert report.difference is None
    assert (report.batches, report.readings, report.gaps) == (44, 3720, 2)
    assert report.heads == {"gw1": plant.signed[-1].head, "gw2": plant.other.signed[-1].head}


def test_who_waits_hears_how_far_it_is(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[tuple[str, int, int]] = []
    audit(plant.url, plant.gateways, advance=lambda *piece: heard.append(piece))
    assert heard == [("gw1", 41, 3630), ("gw2", 3, 90)]
    assert progress.batches_of(plant.url, plant.gateways) == 44
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "LINE_EVERY_S", 0.0)
        with progress.shown("audit", 44) as advance:
            for piece in heard:
                advance(*piece)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "audit: 41 of 44 batches, 3630 readings, at gw1",
        "audit: 44 of 44 batches, 3720 readings, at gw2",
    ]


def test_blocks_and_groups_of_any_size(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the streams are cut must not matter."""
    sizes = random.Random(7)
    for _ in range(5):
        monkeypatch.setattr("tanzheng.ingest.replay.GROUP_BATCHES", sizes.randint(1, 9))
        monkeypatch.setattr("tanzheng.ingest.replay.BLOCK_ROWS", sizes.randint(1, 200))
        report = plant.audit()
        assert report.difference is None
        assert report.readings == 3720


def test_a_changed_value_is_named(plant: Plant) -> None:
    point, t_ms = target(plant)
    # The smallest change there is: one bit of the fraction.
    plant.do(f"UPDATE reading SET value = value * (1 + 2.3e-16) {WHERE}", values=target(plant))
    found = plant.difference()
    value = plant.signed[11].batch.columns[1].value[16]
    assert (found.kind, found.gw, found.epoch, found.seq) == ("row changed", "gw1", 1, 12)
    assert (found.point, found.expected) == (point, f"{value!r} quality 0")
    assert found.got != found.expected
    assert found.time == "2018-07-01T12:46:00.000Z"
    assert t_ms == 1_530_449_160_000


def test_zero_is_not_minus_zero(database_url: str) -> None:
    box = Box()
    zero = box.batch(slots=1)
    column = replace(zero.columns[0], value=array("d", [0.0]))
    migrate(database_url)
    with closing(Writer(database_url, enrolled(box))) as writer:
        put(writer, [message(box.next(slots=1, columns=(column,) * 3))])
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE reading SET value = '-0'")
    found = audit(database_url, enrolled(box)).difference
    assert found is not None
    assert (found.expected, found.got) == ("0.0 quality 0", "-0.0 quality 0")


SHIFTED = "INSERT INTO reading SELECT point_id, t + interval '1 second', value, quality, batch_id"
TOUCHED_ROWS = {
    f"UPDATE reading SET quality = 2 {WHERE}": "row changed",
    f"DELETE FROM reading {WHERE}": "row missing",
    f"INSERT INTO reading SELECT * FROM reading {WHERE}": "row duplicated",
    f"{SHIFTED} FROM reading {WHERE}": "row inserted",
    f"UPDATE reading SET t = t + interval '1 microsecond' {WHERE}": "row inserted",
    f"UPDATE reading SET t = t + interval '1 minute' {WHERE}": "row missing",
}
# An instant within a millisecond is nobody's: it is shown as the one before 1970.
TIMES = {
    "row changed": {"2018-07-01T12:46:00.000Z"},
    "row missing": {"2018-07-01T12:46:00.000Z"},
    "row duplicated": {"2018-07-01T12:46:00.000Z"},
    "row inserted": {"2018-07-01T12:46:01.000Z", "1969-12-31T23:59:59.999Z"},
}


def test_a_touched_row_is_named(plant: Plant) -> None:
    for statement, kind in TOUCHED_ROWS.items():
        plant.do(statement, values=target(plant))
        found = plant.difference()
        assert (found.kind, found.gw, found.seq, found.point) == (kind, "gw1", 12, POINTS[1])
        assert found.time in TIMES[kind]
    plant.do("INSERT INTO reading SELECT point_id, t, value, quality, 999 FROM reading LIMIT 1")
    found = plant.difference()
    assert (found.kind, found.seq) == ("row inserted", 0)
    assert plant.audit().difference is None


def test_a_changed_signed_batch_is_named(plant: Plant) -> None:
    twelfth, thirteenth = plant.signed[11:13]
    flipped = bytearray(twelfth.raw)
    flipped[len(flipped) // 2] ^= 1
    edited = sign(twelfth.batch, SigningKey.generate()).raw  # an operator with a key of its own
    refused = "signed batch refused (SignatureInvalid)"
    for raw, kind in (
        (bytes(flipped), "signed batch refused"),  # bare, as batches were kept once
        (zstandard.compress(bytes(flipped)), "signed batch refused"),
        (zstandard.compress(twelfth.raw)[:-1], "signed batch refused (FrameInvalid)"),
        (zstandard.compress(edited), refused),
        (zstandard.compress(thirteenth.raw), "ledger seq changed"),
    ):
        plant.do("UPDATE batch SET raw = %s WHERE gw = 'gw1' AND seq = 12", values=(raw,))
        found = plant.difference()
        assert (found.gw, found.seq) == ("gw1", 12)
        assert found.kind.startswith(kind)


def test_a_removed_batch_is_named(plant: Plant) -> None:
    plant.do(
        "DELETE FROM reading USING batch WHERE reading.batch_id = batch.batch_id "
        "AND gw = 'gw1' AND seq = 12",
        "DELETE FROM batch WHERE gw = 'gw1' AND seq = 12",
    )
    found = plant.difference()
    assert (found.kind, found.seq) == ("batch missing", 13)


def test_a_removed_batch_is_named_also_at_the_end_of_the_chain(plant: Plant) -> None:
    plant.do("DELETE FROM gap", "DELETE FROM event", "DELETE FROM batch WHERE seq = 41")
    plant.do("DELETE FROM reading WHERE batch_id NOT IN (SELECT batch_id FROM batch)")
    found = plant.audit().difference
    assert found is not None
    assert (found.kind, found.gw, found.seq) == ("ledger head changed", "gw1", 41)


def test_a_changed_ledger_row_is_named(plant: Plant) -> None:
    for column in ("digest", "prev", "made_ms", "first_ms", "last_ms", "readings"):
        value = "sha256('')" if column in {"digest", "prev"} else f"{column} + 1"
        plant.do(f"UPDATE batch SET {column} = {value} WHERE gw = 'gw1' AND seq = 12")
        found = plant.difference()
        assert (found.kind, found.seq) == (f"ledger {column} changed", 12)


TOUCHED_RECORDS = {
    "DELETE FROM gap WHERE ctid = (SELECT ctid FROM gap LIMIT 1)": "gap record missing",
    "INSERT INTO gap SELECT * FROM gap LIMIT 1": "gap record inserted",
    "UPDATE gap SET reason = 'planned'": "gap record missing",
    "UPDATE event SET detail = '{}'": "event missing",
    "DELETE FROM event": "event missing",
}


def test_a_touched_record_is_named(plant: Plant) -> None:
    for statement, kind in TOUCHED_RECORDS.items():
        plant.do(statement)
        found = plant.difference()
        assert (found.kind, found.gw, found.seq) == (kind, "gw1", 41)


def test_swapped_point_names_are_named(plant: Plant) -> None:
    swap = "CASE name WHEN %s THEN %s WHEN %s THEN %s ELSE name END"
    names = (*POINTS[:2], *POINTS[1::-1])
    plant.do("ALTER TABLE point DROP CONSTRAINT point_gw_name_key")
    plant.do(f"UPDATE point SET name = {swap} WHERE gw = 'gw1'", values=names)
    assert plant.difference().kind == "row changed"


def test_a_month_alone(plant: Plant) -> None:
    """A month without readings has nothing to compare; damage outside is not looked for."""
    plant.do(f"DELETE FROM reading {WHERE}", values=target(plant))
    august = plant.audit(Month(2018, 8))
    assert (august.difference, august.readings, august.batches) == (None, 0, 44)
    assert plant.audit(Month(2018, 7)).difference is not None


@pytest.mark.timeout(60)
def test_a_difference_at_the_start_of_many_rows_ends_the_audit(database_url: str) -> None:
    """More rows behind the first group than a block and the socket hold: the COPY is under way."""
    box = Box()
    gateways = enrolled(box, second_box())
    migrate(database_url)
    with closing(Writer(database_url, gateways)) as writer:
        chain = [*box.chain(GROUP_BATCHES, slots=2), *box.chain(20, slots=4000)]
        put(writer, [message(item) for item in chain])
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE reading SET value = value + 1 WHERE (point_id, t) ="
            " (SELECT point_id, t FROM reading ORDER BY batch_id, point_id, t LIMIT 1)"
        )
    found = audit(database_url, gateways).difference
    assert found is not None
    assert found.kind == "row changed"
    assert found.seq == 1
