"""The judge is judged: it must see a lost row, a doubled row and a hole nobody speaks of."""

import json
from pathlib import Path

import psycopg
import pytest

from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant
from tanzheng.demo import judge
from tanzheng.ingest.migrate import migrate

PLANT = b"""
version = 1
enterprise = "E1"
name = "Plant"
name_zh = "x"
utc_offset = "+00:00"
[[unit]]
id = "U1"
kind = "gas"
rated_capacity_mw = "300"
rated_capacity_source = "assumed"
[[gateway]]
id = "g1"
interval_s = 3600
[[device]]
id = "m"
gateway = "g1"
unit = "U1"
profile = "schneider_iem3000"
[[device.point]]
field = "active_power_kw"
[[device.point]]
field = "run_state"
"""
MONTH = Month(2019, 2)
START_MS, END_MS = MONTH.bounds_ms(Plant.parse(PLANT).zone)
SLOTS = range(START_MS, END_MS, 3_600_000)
GAP = SLOTS[10:13]


def fill(url: str, log: Path) -> None:
    """A whole month of two points, with three slots in a gap record and a closing slot."""
    taken = [slot for slot in (*SLOTS, END_MS) if slot not in GAP]
    entries = [{"slot_ms": slot, "readings": 2, "missed": 0} for slot in taken]
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    with psycopg.connect(url) as db:
        db.execute("INSERT INTO gateway (gw, public_key) VALUES ('g1', %s)", (bytes(32),))
        db.execute(
            "INSERT INTO point (gw, name) VALUES ('g1','m/active_power_kw'),('g1','m/run_state')"
        )
        db.execute(
            "INSERT INTO batch (gw, epoch, seq, digest, prev, made_ms, readings, raw, received_at)"
            " VALUES ('g1', 1, 1, %s, %s, 0, 0, '', now())",
            (bytes(32), bytes(32)),
        )
        db.execute("SELECT ensure_reading_day(d::date) FROM generate_series("
                   "'2019-02-01'::date, '2019-03-01'::date, '1 day') d")  # fmt: skip
        for slot in taken:
            db.execute(
                "INSERT INTO reading "
                "SELECT point_id, to_timestamp(%s / 1000.0), 1.5, 0, 1 FROM point",
                (slot,),
            )
        db.execute(
            "INSERT INTO gap SELECT 1, 'g1', point_id, %s, %s, 3600000, 'agent_down' FROM point",
            (GAP[0], GAP[-1] + 3_600_000),
        )


@pytest.fixture
def month(database_url: str, tmp_path: Path) -> tuple[str, Path]:
    migrate(database_url)
    log = tmp_path / "taken.jsonl"
    fill(database_url, log)
    return database_url, log


def count(month: tuple[str, Path]) -> judge.Count:
    url, log = month
    return judge.count(url, Plant.parse(PLANT), MONTH, log)


def test_a_whole_month_and_what_the_judge_sees_when_it_is_not(month: tuple[str, Path]) -> None:
    whole = count(month)
    readings = 2 * (len(SLOTS) - len(GAP))
    assert (whole.taken, whole.stored, whole.in_gaps) == (readings, readings, 6)
    assert (whole.lost, whole.duplicated, whole.unexplained) == (0, 0, 0)
    assert whole.gap_reasons == {"agent_down": 6}
    at = f"t = to_timestamp({SLOTS[20]} / 1000.0)"
    with psycopg.connect(month[0]) as db:
        db.execute(
            f"INSERT INTO reading SELECT * FROM reading WHERE {at} AND point_id = 1".encode()
        )
        db.execute(f"DELETE FROM reading WHERE {at} AND point_id = 2".encode())
    # One row twice and one missing leave the total as it was: only counting each value tells.
    damaged = count(month)
    assert (damaged.stored, damaged.lost, damaged.duplicated) == (readings, 1, 1)
    with psycopg.connect(month[0]) as db:
        db.execute("DELETE FROM gap WHERE point_id = 1")
    assert count(month).unexplained == 3


def test_a_slot_logged_twice_is_named(tmp_path: Path) -> None:
    line = json.dumps({"slot_ms": START_MS, "readings": 2, "missed": 0}) + "\n"
    (tmp_path / "taken.jsonl").write_text(line + line)
    with pytest.raises(BadInput, match=r"line 2: expected each slot once"):
        judge.taken_slots(tmp_path / "taken.jsonl", START_MS, END_MS)
