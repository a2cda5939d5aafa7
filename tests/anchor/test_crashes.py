"""Killed at every persisted step, and broken around it: one checkpoint a sequence, nothing lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from anchor.crash_faults import FAULTS
from anchor.crash_points import points
from anchor.crash_world import World, world
from anchor.crashes import kill_at_points, kill_at_random
from anchor.logs import cut, flip


def test_killed_once_at_every_persisted_step() -> None:
    with world() as place:
        kills = kill_at_points(place, points())
        assert kills.total() == len(points())
        count = place.count()
    assert count.clean, count
    assert count.receipts == len(points())


def test_killed_at_any_instant() -> None:
    with world() as place:
        assert kill_at_random(place, 4, seed=7) == 4
        count = place.count()
    assert count.clean, count


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.__name__)
def test_broken_around_a_seal(fault: Callable[[World], int]) -> None:
    with world() as place:
        assert fault(place) > 0
        count = place.count()
    assert count.clean, count


def test_the_count_is_not_blind() -> None:
    """A receipt that was changed, a statement that is gone, one that was never made."""
    with world() as place:
        for _ in range(2):
            place.seal(place.begin())
        place.note()
        assert place.count().clean
        flip(place.receipt(1), 40)
        assert place.count().valid == 1
        for part in ("sha256", "sm3"):
            cut(place.log / f"log/tile/{part}/0/000", 32)
        assert place.count().lost == 2  # the statement that counted, the package without one
        (place.log / "log/checkpoints/000002.cose").unlink()
        assert (place.count().checkpoints, place.count().on_chain) == (1, 2)
