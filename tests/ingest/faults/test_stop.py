"""SIGTERM: the group under way is committed or left to come again, and the exit code is 0."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from ingest.faults.counting import count
from ingest.faults.place import Place, place
from tanzheng.ingest.consumer import STOP_S_MAX

ORDERLY_S_MAX = 4.0


@contextmanager
def nothing_wrong(there: Place) -> Iterator[None]:
    assert there.answers
    yield


@contextmanager
def database_down(there: Place) -> Iterator[None]:
    there.database_killed()
    time.sleep(1)
    yield
    there.server.start()


@contextmanager
def broker_frozen(there: Place) -> Iterator[None]:
    there.broker.pause()
    yield
    there.broker.resume()


@contextmanager
def broker_down(there: Place) -> Iterator[None]:
    there.broker.kill()
    yield
    there.broker.start()


@pytest.mark.parametrize(
    ("trouble", "seconds"),
    [
        (nothing_wrong, ORDERLY_S_MAX),
        (database_down, ORDERLY_S_MAX),
        (Place.database_frozen, STOP_S_MAX + ORDERLY_S_MAX),
        (broker_frozen, ORDERLY_S_MAX),
        (broker_down, ORDERLY_S_MAX),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_ends_in_order_whatever_is_wrong(
    trouble: Callable[[Place], AbstractContextManager[None]], seconds: float, tmp_path: Path
) -> None:
    with place(tmp_path, "embedded", seed=1) as there:
        with there.flow(every_s=0.02):
            there.progress()
            with trouble(there):
                time.sleep(0.2)
                begun = time.monotonic()
                assert there.service.terminate() == 0
                assert time.monotonic() - begun < seconds
            there.service.start()
            there.progress()
        there.settle()
        counted = count(there.service.url, [each.box for each in there.senders], there.refusals)
    assert counted.clean, counted
