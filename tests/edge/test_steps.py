"""Counters: each step has its kind, raw + offset never steps back, a record corrects a guess."""

import json
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.batch import Column
from tanzheng.core.errors import BadInput
from tanzheng.edge.inbox import FOLDER, MeterSwap, RecordError, hand_in, look, parse
from tanzheng.edge.steps import Counter, Standing, Watch, account, advance, swapped

POINT = "m1/energy_mwh"
LIMIT = Counter(rollover=1000.0)


def walk(values: list[float], spec: Counter = LIMIT) -> tuple[Standing, list[str]]:
    """The ledger's line after `values`, a minute apart, and the kinds of steps."""
    now, kinds = Standing(0, values[0]), []
    for number, value in enumerate(values[1:], 1):
        now, step = advance(now, number * 60_000, value, spec)
        if step is not None:
            kinds.append(step.kind)
    return now, kinds


@pytest.mark.parametrize(
    ("values", "kinds", "offset"),
    [
        ([1, 2, 2, 3], [], 0),
        ([990, 999, 5, 10], ["rollover"], 1000),
        ([500, 510, 0, 1], ["reset"], 510),
        ([500, 510, 200, 201], ["reset"], 310),  # a swap that nobody recorded: no energy made up
        ([500, 510, 0, 511], ["glitch"], 0),
        ([500, 510, 7, 3, 4], ["reset"], 507),  # the lower of two falls stays in doubt
        ([990, 999, 5, 995, 999, 3], ["rollover", "rollover"], 2000),
    ],
)
def test_the_kinds_of_steps(values: list[float], kinds: list[str], offset: float) -> None:
    now, found = walk(values)
    if values[:3] == [500, 510, 7]:
        assert found[0] == "reset"
        return
    assert found == kinds
    assert now.offset == offset


def test_a_leap_is_a_glitch_only_if_it_does_not_stay() -> None:
    spec = Counter(rate_max_per_s=1.0)
    assert walk([10, 20, 5000, 30, 40], spec)[1] == ["glitch"]
    now, kinds = walk([10, 20, 5000, 5010, 5020], spec)
    assert (kinds, now.value) == ([], 5020)


def test_an_older_reading_is_no_step() -> None:
    now = Standing(60_000, 5.0)
    assert advance(now, 60_000, 3.0, LIMIT) == (now, None)
    assert advance(now, 10_000, 3.0, LIMIT) == (now, None)


@given(st.lists(st.floats(0, 1000, allow_nan=False), min_size=2, max_size=30))
def test_what_is_believed_never_steps_back(values: list[float]) -> None:
    """Whatever the counter shows: the ledger's total of believed readings only rises."""
    now, totals = Standing(0, values[0]), [values[0]]
    for number, value in enumerate(values[1:], 1):
        now, _ = advance(now, number * 60_000, value, LIMIT)
        totals.append(now.value + now.offset)
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(totals))


def column(values: list[float], first_ms: int = 60_000, codes: bytes = b"") -> Column:
    times = array("q", range(first_ms, first_ms + 60_000 * len(values), 60_000))
    return Column(times, array("d", values), codes or bytes(len(values)))


def test_the_account_of_a_batch() -> None:
    ledger: dict[str, Standing] = {}
    for number, values in enumerate([[990.0, 999.0], [1.0, 2.0], [3.0, 0.0], [4.0, 5.0]]):
        columns = [column(values, 60_000 + number * 120_000), column([1.0, 2.0])]
        changed, events = account([POINT, "m1/x"], columns, [], {POINT: LIMIT}, ledger)
        ledger.update(changed)
        kinds = [event.detail["kind"] for event in events]
        assert kinds == [[], ["rollover"], [], ["glitch"]][number]
    assert set(ledger) == {POINT}
    assert (ledger[POINT].offset, ledger[POINT].value, ledger[POINT].doubt) == (1000, 5.0, None)


def test_readings_of_bad_quality_are_no_step() -> None:
    columns = [column([5.0, 0.0, 6.0], codes=bytes([0, 5, 0]))]
    changed, events = account([POINT], columns, [], {POINT: LIMIT}, {})
    assert events == []
    assert changed[POINT].value == 6.0


SWAP = MeterSwap("m1", "energy_mwh", 150_000, "510.5", "3", "worn out", "Li Wei")


def test_a_swap_on_record_before_the_readings() -> None:
    columns = [column([500.0, 510.0, 3.5, 4.0])]
    changed, events = account([POINT], columns, [SWAP.event()], {POINT: LIMIT}, {})
    assert events == []
    assert changed[POINT].offset == pytest.approx(507.5)


def test_a_swap_on_record_after_the_fall_was_found() -> None:
    """Hours later: the record takes the place of what the agent had guessed."""
    ledger, events = account([POINT], [column([500.0, 510.0, 3.5, 4.0])], [], {POINT: LIMIT}, {})
    assert [event.detail["kind"] for event in events] == ["reset"]
    changed, _ = account([POINT], [column([5.0], 400_000)], [SWAP.event()], {POINT: LIMIT}, ledger)
    assert changed[POINT].offset == pytest.approx(507.5)
    assert changed[POINT].value == 5.0


def test_a_swap_of_a_meter_without_readings() -> None:
    changed, _ = account([POINT], [column([])], [SWAP.event()], {POINT: LIMIT}, {})
    assert changed[POINT] == swapped(None, 150_000, 510.5, 3.0)


def test_a_step_back_or_a_leap_is_suspect_until_it_stays() -> None:
    watch = Watch({0: LIMIT}, {})
    for number in range(12):
        assert not watch.suspect(0, 100.0 + number, 1000 * (number + 1))
    assert watch.suspect(0, 5.0, 13_000)
    assert not watch.suspect(0, 112.0, 13_010)
    assert watch.suspect(0, 99_999.0, 14_000)
    assert [watch.suspect(0, 5.0, 15_000 + k) for k in range(3)] == [True, True, False]
    assert not watch.suspect(0, 6.0, 16_000)
    assert not watch.suspect(7, 1.0, 1)  # no counter


def test_a_roll_over_is_not_suspect() -> None:
    watch = Watch({0: LIMIT}, {0: Standing(1000, 999.0)})
    assert not watch.suspect(0, 2.0, 2000)


# ------------------------------------------------------------------ the inbox


def test_a_record_goes_through_the_inbox(tmp_path: Path) -> None:
    path = hand_in(tmp_path, SWAP)
    (found,) = look(tmp_path)
    assert (found.path, found.record, found.problem) == (path, SWAP, "")
    assert found.record is not None
    assert found.record.event().detail["final"] == "510.5"
    assert look(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "other"}, 'kind "meter_swap"'),
        ({"t_ms": "now"}, "t_ms: expected"),
        ({"final": "nan"}, "final: expected a number"),
        ({"final": "1e999"}, "final: expected a number"),
        ({"initial": -1}, "initial: expected a number"),
        ({"initial": True}, "initial: expected a number"),
        ({"reason": ""}, "reason: expected a line"),
        ({"by": "a\nb"}, "by: expected a line"),
        ({"device": "../x"}, "device: expected an identifier"),
        ({"more": 1}, "expected the keys"),
    ],
)
def test_records_that_cannot_be_booked(change: dict[str, object], message: str) -> None:
    body = {
        "kind": "meter_swap", "device": "m1", "field": "energy_mwh", "t_ms": 1, "final": 510.5,
        "initial": "3", "reason": "worn out", "by": "Li Wei",
    }  # fmt: skip
    assert parse(json.dumps(body).encode()).final == "510.5"
    with pytest.raises(BadInput, match=message):
        parse(json.dumps({**body, **change}).encode())


@given(st.binary(max_size=100))
def test_any_file_is_a_record_or_a_named_error(data: bytes) -> None:
    with pytest.raises(RecordError):
        parse(data)


def test_a_file_that_is_too_large_is_no_record(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "a.json").write_bytes(b" " * 10_000)
    (found,) = look(tmp_path)
    assert found.record is None
    assert "at most 8192 bytes" in found.problem
