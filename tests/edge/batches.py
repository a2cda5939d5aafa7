"""Signed batches put into a spool directly: for tests of what happens to them afterwards."""

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import zstandard

from edge.world import GATEWAY, GATEWAY_KEY
from tanzheng.core.batch import GENESIS, Batch, ClockState, Column, Event, SignedBatch, sign
from tanzheng.edge.sealer import next_place
from tanzheng.edge.spool.records import ArrivalEntry
from tanzheng.edge.spool.store import Sealed, Spool

START_MS = 1_700_000_000_000
SLOT_MS = 10_000


@dataclass
class Seal:
    """Makes the next batch of the spool's chain: `slots` readings of each of its points."""

    spool: Spool
    points: Sequence[str]
    slots: int = 1
    made: int = 0

    def next(self) -> SignedBatch:
        """Sign and store one batch; what was committed before goes with it."""
        spool = self.spool
        spool.commit([ArrivalEntry((), (Event(1, "test", {}),))])
        unsealed = spool.oldest(1000)
        assert unsealed is not None
        signed = sign(self._batch(), GATEWAY_KEY)
        wire = zstandard.compress(signed.raw, 3)
        last = unsealed.entries[-1][0]
        spool.seal(Sealed(signed.head, wire, START_MS, signed.batch.readings, last))
        self.made += 1
        return signed

    def chain(self, batches: int) -> list[SignedBatch]:
        """The next batches."""
        return [self.next() for _ in range(batches)]

    def _batch(self) -> Batch:
        place = next_place(self.spool.head, self.spool.opens_epoch)
        first = START_MS + self.made * self.slots * SLOT_MS
        times = array("q", range(first, first + self.slots * SLOT_MS, SLOT_MS))
        values = random.Random(self.made)
        columns = tuple(
            Column(times, array("d", [values.gauss(5e4, 10.0) for _ in times]), bytes(self.slots))
            for _ in self.points
        )
        assert place.seq > 1 or place.epoch > 1 or place.prev == GENESIS
        clock = ClockState("test", synced=True)
        return Batch(
            GATEWAY, place.epoch, place.seq, place.prev, first, clock, tuple(self.points), columns
        )
