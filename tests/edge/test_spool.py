"""The spool: what was reported durable is there after kill −9, once, and the chain holds."""

import os
import random
import signal
import sqlite3
import time
from array import array
from collections import Counter
from pathlib import Path

import pytest
import zstandard

from edge.scripted import take
from edge.spools import ALL, INTERVAL_MS, POINTS, event, seal_all, sealing, slot, value_of
from edge.world import GATEWAY, GATEWAY_KEY, STRANGER_KEY, gap_slots, readings
from tanzheng.core import cbor
from tanzheng.core.batch import ChainHead, Event, open_signed
from tanzheng.edge.abc import Miss
from tanzheng.edge.spool import store
from tanzheng.edge.spool.database import SCHEMA_VERSION
from tanzheng.edge.spool.fsck import SpoolDamaged, check_spool
from tanzheng.edge.spool.records import ArrivalEntry, GapEntry, SlotEntry, decode_entry
from tanzheng.edge.spool.store import FILE_NAME, Spool, SpoolError
from tanzheng.edge.status import read_status
from tanzheng.edge.steps import Counter as CounterPoint

KILLS = 25


def test_what_is_committed_is_there_when_opened_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    assert spool.oldest(1) is None
    spool.commit([GapEntry(60_000, 240_000, "agent_down", ALL), slot(4)])
    spool.commit([event(5, "agent_started")])
    assert spool.durable_ms == 4 * INTERVAL_MS
    used = spool.bytes_used
    spool.close()
    again = Spool(tmp_path, GATEWAY, POINTS)
    assert (again.durable_ms, again.unsealed, again.bytes_used) == (4 * INTERVAL_MS, 3, used)
    found = again.oldest(10)
    assert found is not None
    assert decode_entry(found.entries[1][1]) == slot(4)
    again.close()


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """kill −9 leaves the page cache alone, so only the setting tells what a power cut would do."""
    spool = Spool(tmp_path, GATEWAY, POINTS)
    settings = [
        spool._db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    ]
    spool.close()
    assert settings == ["wal", 2]


def test_heads_and_the_newest_slot_outlive_the_batches(tmp_path: Path) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    for number in range(1, 15):
        spool.commit([slot(number)])
    assert sealing(spool).seal_due(full=False) == 2
    head = spool.head
    assert head is not None
    assert spool.free(head) == 2
    assert spool.bytes_used == 0
    spool.close()
    again = Spool(tmp_path, GATEWAY, POINTS)
    assert again.head == again.acked == head
    assert again.durable_ms == 14 * INTERVAL_MS
    again.commit([slot(15)])
    sealing(again).seal_due(full=False, everything=True)
    again.close()
    contents = check_spool(tmp_path, GATEWAY_KEY.public)
    assert [batch.batch.seq for batch in contents.batches] == [3]


def test_entries_of_another_point_set_are_sealed_apart(tmp_path: Path) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    spool.commit([slot(1)])
    spool.close()
    spool = Spool(tmp_path, GATEWAY, POINTS[:1])
    spool.commit([SlotEntry(2 * INTERVAL_MS, (take(2 * INTERVAL_MS, [0], [2.5]),))])
    assert sealing(spool).seal_due(full=False, everything=True) == 2
    spool.close()
    batches = [signed.batch for signed in check_spool(tmp_path, GATEWAY_KEY.public).batches]
    assert [batch.points for batch in batches] == [POINTS, POINTS[:1]]
    assert readings(batches) == [
        ("m/active_power_kw", 60_000, 1.5),
        ("g/gas_flow_nm3_per_h", 60_000, 1.0),
        ("m/active_power_kw", 120_000, 2.5),
    ]


def test_more_gaps_than_a_batch_may_carry_make_several_batches(tmp_path: Path) -> None:
    """Every slot misses other points: 12,000 gap records, of which a batch takes 10,000."""
    points = tuple(f"d{index}/active_power_kw" for index in range(12))
    spool = Spool(tmp_path, GATEWAY, points)
    spool.commit(
        SlotEntry(
            (number + 1) * INTERVAL_MS,
            misses=tuple(Miss((i,), f"r{(i + number) % 24}") for i in range(12)),
        )
        for number in range(1000)
    )
    assert seal_all(sealing(spool, slots_max=1000)) == 2
    spool.close()
    batches = [signed.batch for signed in check_spool(tmp_path, GATEWAY_KEY.public).batches]
    assert len(gap_slots(batches)) == 12_000


def test_a_spool_has_one_writer_and_one_gateway(tmp_path: Path) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    with pytest.raises(SpoolError, match="expected a free spool"):
        Spool(tmp_path, GATEWAY, POINTS)
    spool.close()
    with pytest.raises(SpoolError, match="expected a spool of gateway other"):
        Spool(tmp_path, "other", POINTS)


def test_a_spool_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Spool(tmp_path, GATEWAY, POINTS).close()
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(SpoolError, match=f"version 1 to {SCHEMA_VERSION}, got 9"):
        Spool(tmp_path, GATEWAY, POINTS)


def test_an_epoch_opened_keeps_what_was_not_acknowledged(tmp_path: Path) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    for number in range(1, 8):
        spool.commit([slot(number)])
    sealing(spool).seal_due(full=False)
    platform = ChainHead(1, 50, bytes([9]) * 32)
    assert spool.open_epoch(platform, Event(1, "epoch_opened", {"reason": "platform_ahead"})) == 1
    spool.commit([slot(8)])
    assert spool.next_batch(1, 50) is None
    sealing(spool).seal_due(full=False, everything=True)
    spool.close()
    contents = check_spool(tmp_path, GATEWAY_KEY.public)
    first = contents.batches[0].batch
    assert (first.epoch, first.seq, first.prev) == (2, 1, platform.digest)
    assert [event.kind for event in first.events] == ["epoch_opened"]
    assert contents.orphans == 1


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE entry SET body = x'00'", "entry 7: "),
        ("UPDATE entry SET last_ms = last_ms + 1", "entry 7: expected slot"),
        ("INSERT INTO point_set VALUES (9, 'a/b'); UPDATE entry SET point_set = 9", "its point"),
        ("INSERT INTO ledger VALUES ('m/x', 1, 9e999, 0, NULL, NULL, 0, 0)", "ledger m/x: "),
        ("UPDATE batch SET wire = x'00'", "batch epoch 1 seq 1: "),
        ("UPDATE batch SET digest = zeroblob(32)", "batch epoch 1 seq 1: expected its own place"),
        ("UPDATE chain SET seq = 3", "expected the chain's head"),
        ("DELETE FROM batch", "expected the chain's head"),
    ],
)
def test_the_checker_names_damage(tmp_path: Path, damage: str, named: str) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    for number in range(1, 8):
        spool.commit([slot(number)])
    sealing(spool).seal_due(full=False)
    spool.commit([event(1, "other"), slot(9)])
    spool.close()
    db = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    db.execute("UPDATE entry SET id = id + 6")
    db.executescript(damage)
    db.close()
    with pytest.raises(SpoolDamaged, match=named):
        check_spool(tmp_path, GATEWAY_KEY.public)


def test_the_checker_wants_the_gateways_signature(tmp_path: Path) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    spool.commit([slot(1)])
    sealing(spool).seal_due(full=False, everything=True)
    spool.close()
    with pytest.raises(SpoolDamaged, match="seq 1: expected a signature of key"):
        check_spool(tmp_path, STRANGER_KEY.public)


def test_status_is_read_while_the_agent_writes(tmp_path: Path) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    for number in range(1, 10):
        spool.commit([slot(number)])
    sealing(spool).seal_due(full=False)
    status = read_status(tmp_path)
    assert (status.batches, status.unsealed, status.head) == (1, 2, (1, 1))
    assert (status.oldest_ms, status.durable_ms) == (INTERVAL_MS, 9 * INTERVAL_MS)
    assert status.bytes_used == spool.bytes_used
    assert status.acked is None
    spool.close()


def work_until_killed(folder: Path, report: int) -> None:
    """A writer that never ends: commit, report the slot, seal, sometimes free the oldest batch."""
    spool = Spool(folder, GATEWAY, POINTS)
    sealer = sealing(spool)
    number = (spool.durable_ms or 0) // INTERVAL_MS
    if number:  # as the agent does: the time it was away is a gap
        number += 1
        end_ms = (number + 1) * INTERVAL_MS
        spool.commit([GapEntry(number * INTERVAL_MS, end_ms, "agent_down", ALL)])
    while True:
        number += 1
        spool.commit([slot(number)])
        os.write(report, number.to_bytes(4, "big"))
        sealer.seal_due(full=False)
        if number % 20 == 0 and (found := spool.next_batch(*_acked(spool))):
            # Freed batches are kept outside first: the test is their platform.
            kept = folder / f"freed-{found[0].seq:05d}"
            kept.with_suffix(".part").write_bytes(found[1])  # a kill leaves no half of one
            kept.with_suffix(".part").replace(kept)
            spool.free(found[0])


def _acked(spool: Spool) -> tuple[int, int]:
    return (spool.acked.epoch, spool.acked.seq) if spool.acked else (0, 0)


def run_and_kill(folder: Path, slots: int, seconds: float) -> list[int]:
    """Fork a writer, SIGKILL it `seconds` after `slots` reports; what it reported durable."""
    receive, report = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work_until_killed(folder, report)
        finally:
            os._exit(9)
    os.close(report)
    with os.fdopen(receive, "rb") as pipe:
        data = pipe.read(4 * slots)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        data += pipe.read()
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, "the writer failed by itself"
    return [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)]


def test_kill_at_random_instants_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(20180701)
    reported: list[int] = []
    for _ in range(KILLS):
        reported += run_and_kill(tmp_path, chance.randint(1, 25), chance.uniform(0, 0.004))
        check_spool(tmp_path, GATEWAY_KEY.public)
    spool = Spool(tmp_path, GATEWAY, POINTS)
    durable_ms = spool.durable_ms
    assert durable_ms is not None
    sealing(spool).seal_due(full=False, everything=True)
    spool.close()
    freed = [
        open_signed(zstandard.ZstdDecompressor().decompress(path.read_bytes()))
        for path in sorted(tmp_path.glob("freed-?????"))
    ]
    kept = check_spool(tmp_path, GATEWAY_KEY.public).batches
    chain = {signed.batch.seq: signed for signed in (*freed, *kept)}
    assert sorted(chain) == list(range(1, len(chain) + 1)), "a batch of the chain is missing"
    batches = [chain[seq].batch for seq in sorted(chain)]

    stored = [t // INTERVAL_MS for point, t, _ in readings(batches) if point == POINTS[0]]
    assert max(Counter(stored).values()) == 1
    assert set(reported) <= set(stored), "a slot reported durable is lost"
    assert len(set(stored) - set(reported)) <= KILLS  # durable, killed before it could say so
    gaps = {t // INTERVAL_MS for point, t, _ in gap_slots(batches) if point == POINTS[0]}
    assert not gaps & set(stored)
    assert gaps | set(stored) == set(range(1, durable_ms // INTERVAL_MS + 1))
    for point, t, value in readings(batches):
        assert value == value_of(point, t // INTERVAL_MS)
    assert len(freed) > 0


def test_a_spool_of_version_1_is_taken_over(tmp_path: Path) -> None:
    """As the first release left it: its entries are sealed, nothing is asked again."""
    Spool(tmp_path, GATEWAY, POINTS).close()
    db = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    for table in ("ledger", "inbox", "arrived"):
        db.execute(f"DROP TABLE {table}")
    db.execute("PRAGMA user_version = 1")
    values = array("d", [1.5, float("nan")]).tobytes()
    body = cbor.dumps([0, 60_000, 0, values, {"refused": [1]}])
    db.execute("INSERT INTO entry VALUES (1, 1, 60000, ?)", (body,))
    db.close()
    check_spool(tmp_path, GATEWAY_KEY.public)
    spool = Spool(tmp_path, GATEWAY, POINTS)
    assert spool.durable_ms == 60_000
    assert seal_all(sealing(spool)) == 1
    spool.close()
    db = sqlite3.connect(tmp_path / FILE_NAME)
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    db.close()
    batches = [signed.batch for signed in check_spool(tmp_path, GATEWAY_KEY.public).batches]
    assert readings(batches) == [(POINTS[0], 60_000, 1.5)]
    assert gap_slots(batches) == [(POINTS[1], 60_000, "refused")]


def test_the_newest_slot_waits_for_a_line_that_is_busy(tmp_path: Path) -> None:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    busy = SlotEntry(2 * INTERVAL_MS, misses=(Miss((0, 1), "line_busy"),))
    spool.commit([slot(1), busy])
    sealer = sealing(spool, slots_max=2)
    assert sealer.seal_due(full=False) == 1
    assert spool.unsealed == 1
    late = take(2 * INTERVAL_MS + 5, [0, 1], [1.0, 2.0])
    spool.commit([SlotEntry(3 * INTERVAL_MS, (late,))])
    assert sealer.seal_due(full=False) == 1
    spool.close()
    batches = [signed.batch for signed in check_spool(tmp_path, GATEWAY_KEY.public).batches]
    assert gap_slots(batches) == []


def test_no_more_is_sealed_than_may_wait(tmp_path: Path) -> None:
    """What is sealed cannot be dropped any more: half of the spool stays unsealed."""
    spool = Spool(tmp_path, GATEWAY, POINTS)
    spool.commit(map(slot, range(1, 101)))
    sealer = sealing(spool, sealed_bytes_max=1500)
    assert 1 <= seal_all(sealer) < 14
    assert spool.sealed_bytes < 1500 + 1000
    head = spool.head
    assert head is not None
    spool.free(head)
    assert seal_all(sealer) > 0
    spool.open_epoch(ChainHead(1, 99, bytes(32)), Event(1, "epoch_opened", {}))
    assert seal_all(sealer) > 0  # orphans wait for nobody
    spool.close()


def test_the_ledger_is_as_durable_as_the_batch(tmp_path: Path) -> None:
    counters = {POINTS[0]: CounterPoint(rollover=100.0)}
    values = [98.0, 99.0, 1.0, 2.0]
    spool = Spool(tmp_path, GATEWAY, POINTS)
    for number, value in enumerate(values, 1):
        spool.commit([SlotEntry(number, (take(number, [0], [value]),))])
        if number == 2:
            assert seal_all(sealing(spool, counters=counters)) == 1
            spool.close()
            spool = Spool(tmp_path, GATEWAY, POINTS)
    seal_all(sealing(spool, counters=counters))
    line = spool.ledger()[POINTS[0]]
    assert (line.value, line.offset) == (2.0, 100.0)
    spool.close()
    contents = check_spool(tmp_path, GATEWAY_KEY.public)
    assert contents.counters == 1
    told = [each.detail for each in contents.batches[-1].batch.events]
    assert told == [
        {"device": "m", "field": "active_power_kw", "kind": "rollover", "from": "99.0",
         "to": "1.0", "offset": "100.0", "lift": "100.0"}
    ]  # fmt: skip


def test_what_is_sent_again_after_a_restart_is_left_out(tmp_path: Path) -> None:
    """Of the same point and instant: not of another point, not of a point that is polled."""
    first = ArrivalEntry((take(60_000, [0], [1.0]), take(120_000, [0], [2.0])))
    again = ArrivalEntry((take(120_000, [0], [2.0]), take(180_000, [0], [3.0])))
    other = ArrivalEntry((take(120_000, [1], [7.0]),))
    for entries in ([first], [again, other], [again]):
        spool = Spool(tmp_path, GATEWAY, POINTS)
        spool.commit(entries)
        assert seal_all(sealing(spool)) == 1
        spool.close()
    batches = [signed.batch for signed in check_spool(tmp_path, GATEWAY_KEY.public).batches]
    assert [readings([batch]) for batch in batches] == [
        [(POINTS[0], 60_000, 1.0), (POINTS[0], 120_000, 2.0)],
        [(POINTS[0], 180_000, 3.0), (POINTS[1], 120_000, 7.0)],
        [],
    ]
    told = [each.detail["count"] for batch in batches for each in batch.events]
    assert told == [1, 2]


def test_a_spool_of_version_2_is_taken_over(tmp_path: Path) -> None:
    Spool(tmp_path, GATEWAY, POINTS).close()
    db = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    db.execute("DROP TABLE arrived")
    db.execute("PRAGMA user_version = 2")
    db.close()
    spool = Spool(tmp_path, GATEWAY, POINTS)
    assert spool.arrived(POINTS[0], 0, 1) == set()
    spool.close()


def test_the_spool_knows_a_bounded_number_of_arrivals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "ARRIVED_MAX", 3)
    spool = Spool(tmp_path, GATEWAY, POINTS)
    sealer = sealing(spool)
    for number in range(5):
        spool.commit([ArrivalEntry((take(number, [0], [1.0]),))])
        seal_all(sealer)
    assert spool.arrived(POINTS[0], 0, 9) == {2, 3, 4}
    spool.close()
