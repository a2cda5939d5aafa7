"""Plant time: only the agent moves it; what it misses while it is away is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.hardware.plant_time import PlantTime, PlantTimeError, Taken

MINUTE = 60_000
START, END = 100 * MINUTE, 400 * MINUTE
READINGS = 11


def plant_time() -> PlantTime:
    return PlantTime(START, END, READINGS)


def slot(number: int) -> int:
    return START + number * MINUTE


def advance(time: PlantTime, slots: int) -> int:
    """Take `slots` slots; returns the one on offer after them."""
    _, offered = time.next(None, 0, 0)
    for _ in range(slots):
        _, offered = time.next(offered, READINGS, 0)
    assert offered is not None
    return offered


def test_slots_come_one_after_another_and_the_closing_slot_last() -> None:
    time = plant_time()
    assert time.hello(MINUTE, None) is None
    taken: list[Taken] = []
    done, offered = None, time.next(None, 0, 0)[1]
    while offered is not None:
        done = offered
        one, offered = time.next(done, READINGS, 0)
        taken += [one] if one else []
    assert [one.slot_ms for one in taken] == list(range(START, END + 1, MINUTE))
    assert time.ended


def test_a_killed_agent_costs_the_pending_slot_and_ten_minutes() -> None:
    time = plant_time()
    time.hello(MINUTE, None)
    assert advance(time, 5) == slot(5)
    time.goodbye()
    assert time.now_ms == slot(15)
    assert time.hello(MINUTE, slot(4)) is None
    assert time.next(None, 0, 0) == (None, slot(16))


def test_a_slot_that_was_durable_when_the_agent_died_is_taken() -> None:
    time = plant_time()
    time.hello(MINUTE, None)
    advance(time, 5)
    time.goodbye()
    assert time.hello(MINUTE, slot(5)) == Taken(slot(5), READINGS, 0)
    assert time.next(None, 0, 0) == (None, slot(16))


def test_time_holds_while_the_agent_stays_away() -> None:
    time = plant_time()
    time.hello(MINUTE, None)
    time.goodbye()
    time.goodbye()
    assert time.now_ms == slot(9)


def test_the_closing_slot_is_offered_however_late_the_kill() -> None:
    time = plant_time()
    time.hello(MINUTE, None)
    last = advance(time, 296)
    time.goodbye()
    assert time.now_ms == END - MINUTE
    time.hello(MINUTE, last - MINUTE)
    assert time.next(None, 0, 0) == (None, END)
    time.goodbye()
    time.hello(MINUTE, last - MINUTE)
    assert time.next(None, 0, 0) == (None, END)
    assert time.next(END, READINGS, 0) == (Taken(END, READINGS, 0), None)


def test_after_the_end_every_question_is_answered_with_the_end() -> None:
    time = PlantTime(START, END, READINGS, last_taken_ms=END)
    time.hello(MINUTE, END)
    assert time.next(None, 0, 0) == (None, None)


def test_a_restarted_simulator_goes_on_after_its_log() -> None:
    time = PlantTime(START, END, READINGS, last_taken_ms=slot(7))
    assert time.hello(MINUTE, slot(8)) == Taken(slot(8), READINGS, 0)
    assert time.next(None, 0, 0) == (None, slot(19))


@pytest.mark.parametrize("interval_ms", [0, -MINUTE, 7 * MINUTE, 45_000, 11])
def test_an_interval_off_the_grid_is_refused(interval_ms: int) -> None:
    with pytest.raises(PlantTimeError, match="expected an interval"):
        plant_time().hello(interval_ms, None)


def test_what_the_protocol_does_not_have() -> None:
    time = plant_time()
    with pytest.raises(PlantTimeError, match="expected hello"):
        time.next(None, 0, 0)
    time.hello(MINUTE, None)
    with pytest.raises(PlantTimeError, match="expected done_ms None"):
        time.next(slot(0), READINGS, 0)
    time.next(None, 0, 0)
    with pytest.raises(PlantTimeError, match=f"expected done_ms {slot(0)}"):
        time.next(None, 0, 0)
    time.goodbye()
    with pytest.raises(PlantTimeError, match="as before"):
        time.hello(2 * MINUTE, None)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=20))
def test_taken_and_skipped_slots_make_up_the_month(
    lives: list[tuple[int, bool]],
) -> None:
    """Agents live for some slots and are killed before or after the last one is durable."""
    time = plant_time()
    taken: list[int] = []
    durable: int | None = None
    for slots, durable_at_death in [*lives, (1000, False)]:
        note(taken, time.hello(MINUTE, durable))
        done = None
        for _ in range(slots + 1):
            one, offered = time.next(done, READINGS, 0)
            note(taken, one)
            if offered is None:
                break
            durable, done = done if done is not None else durable, offered
        durable = done if durable_at_death and done is not None else durable
        time.goodbye()
    assert taken == sorted(set(taken))
    assert taken[-1] == END
    assert all(START <= at <= END and at % MINUTE == 0 for at in taken)
    skipped = (END - START) // MINUTE + 1 - len(taken)
    assert skipped <= 11 * len(lives)


def note(taken: list[int], one: Taken | None) -> None:
    if one is not None:
        taken.append(one.slot_ms)
