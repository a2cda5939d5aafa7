"""kill -9 at every persisted step of sealing and publishing: `python -m anchor.crashes [KILLS]`.

Writes the table of docs/reliability.md between its markers. Exit code 1 where a checkpoint is
missing or there twice, a statement is lost, or a receipt does not verify.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import cycle, groupby, islice

from anchor.crash_faults import FAULTS
from anchor.crash_points import Moment, killed_after, killed_at, points
from anchor.crash_world import Count, World, world
from parts import REPOSITORY

PAGE = REPOSITORY / "docs/reliability.md"
BEGIN, END = "<!-- table: make crashes -->", "<!-- end of crashes -->"
HEAD = (
    "| step or fault · 步骤或故障 | moments | kills | checkpoints | on chain | lost | doubled "
    "| receipts valid |\n|---|---|---|---|---|---|---|---|\n"
)
KILLS = 200
SEED = 1
RANDOM_SHARE = 0.15
ANY_INSTANT = "any instant · 任意时刻"


def kill_at_points(place: World, where: Iterable[tuple[str, Moment]]) -> Counter[str]:
    """Seal one package for each point, killed there, then again to its end; kills a step."""
    kills: Counter[str] = Counter()
    for step, moment in where:
        number = place.begin()
        kills[step] += killed_at(step, moment, partial(place.seal, number))
        place.note()
        place.seal(number)
    return kills


def kill_at_random(place: World, times: int, seed: int) -> int:
    """The same at instants that nobody chose; counts those that came before the end."""
    generator, kills = random.Random(seed), 0
    started = time.monotonic()
    place.seal(place.begin())
    span_s = time.monotonic() - started
    while kills < times:
        number = place.begin()
        kills += killed_after(generator.uniform(0, span_s), partial(place.seal, number))
        place.note()
        place.seal(number)
    return kills


def rows(kills: int, seed: int) -> Iterator[tuple[str, str, int, Count]]:
    """(step or fault, moments, kills, count) of everything, each on a chain of its own."""
    chosen = Counter(islice(cycle(points()), kills - round(kills * RANDOM_SHARE)))
    for step, each in groupby(points(), key=lambda point: point[0]):
        moments = list(each)
        with world() as place:
            done = kill_at_points(place, [at for at in moments for _ in range(chosen[at])])
            yield step, ", ".join(moment for _, moment in moments), done[step], place.count()
    with world() as place:
        done_any = kill_at_random(place, kills - chosen.total(), seed)
        yield ANY_INSTANT, "–", done_any, place.count()
    for name, fault in FAULTS.items():
        with world() as place:
            yield name, "–", fault(place), place.count()


def main(words: Sequence[str]) -> int:
    """Run everything, write the table, and say whether all was as it should be."""
    kills, wrong, lines = int(words[0]) if words else KILLS, 0, list[str]()
    for name, moments, done, count in rows(kills, SEED):
        cells = [name, moments, done, count.checkpoints, count.on_chain, count.lost, count.doubled]
        lines.append(
            "| " + " | ".join([*map(str, cells), f"{count.valid}/{count.receipts}"]) + " |"
        )
        print(lines[-1], flush=True)
        wrong += not count.clean
    page = PAGE.read_text()
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{HEAD}" + "\n".join(lines) + f"\n{END}{after}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
