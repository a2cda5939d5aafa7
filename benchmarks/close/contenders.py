"""The same close, mapped over the plants in four ways. Each runs in a process of its own.

    python -m close.contenders HOW FOLDER PLANTS POINTS

prints one line of JSON: seconds, plants, bytes, sha256, peak RSS. Progress goes to the terminal.
"""

import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from close.store import load
from tanzheng.analytics.fleet import close_fleet, plant_json

WORKERS = 2
AHEAD = 64
"""Plants handed to the cluster at a time: what bounds the memory of the one that gathers."""

Close = Callable[[int], bytes]


def closed(folder: Path, count: int, number: int) -> bytes:
    """One plant, from its file to its line."""
    return plant_json(load(folder, number, count))


def loaded(folder: Path, count: int, number: int) -> bytes:
    """The floor: the same plant read and checked, and nothing made of it."""
    return load(folder, number, count).enterprise.encode()


@contextmanager
def loop(close: Close, plants: int) -> Iterator[Iterator[bytes]]:
    yield map(close, range(plants))


@contextmanager
def pool(close: Close, plants: int) -> Iterator[Iterator[bytes]]:
    with multiprocessing.get_context("spawn").Pool(WORKERS) as workers:
        yield workers.imap(close, range(plants), chunksize=8)


@contextmanager
def dask(close: Close, plants: int) -> Iterator[Iterator[bytes]]:
    from dask.distributed import Client, LocalCluster

    options: dict[str, Any] = {"dashboard_address": None, "memory_limit": 0}
    cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, **options)
    with cluster, Client(cluster) as client:

        def lines() -> Iterator[bytes]:
            for begin in range(0, plants, AHEAD):
                numbers = range(begin, min(begin + AHEAD, plants))
                gathered: Any = client.gather(client.map(close, numbers, pure=False))
                yield from gathered

        yield lines()


def measure(how: str, folder: Path, plants: int, count: int) -> dict[str, object]:
    """Close all plants and say what it took."""
    ways = {"loop": loop, "pool": pool, "dask": dask, "read": pool}
    close = partial(loaded if how == "read" else closed, folder, count)
    progress = Progress(
        TextColumn(f"{how:>4}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    begin = time.monotonic()
    with progress, ways[how](close, plants) as lines:
        task = progress.add_task(how, total=plants)
        done = close_fleet(lines, lambda number: progress.update(task, completed=number))
    seconds = time.monotonic() - begin
    return {
        "how": how,
        "seconds": seconds,
        "plants": done.plants,
        "size_bytes": done.size_bytes,
        "sha256": done.sha256.hex(),
        "own_rss_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "worker_rss_kib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
    }


def main(arguments: list[str]) -> None:
    how, folder, plants, count = arguments
    print(json.dumps(measure(how, Path(folder), int(plants), int(count))))


if __name__ == "__main__":
    main(sys.argv[1:])
