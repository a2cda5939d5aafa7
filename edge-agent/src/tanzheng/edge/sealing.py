"""Sealing: the spool's oldest entries become the next signed batch of the chain.

The batch is built, signed and read back in memory; then one transaction puts it in and takes its
entries out. A kill at any instant leaves either the entries or the batch. A batch that was not
stored was not published either, so the place it had in mind is still free.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import zstandard

from tanzheng.core.batch import Batch, ClockState, SignedBatch, check_successor, sign
from tanzheng.core.keys import SigningKey
from tanzheng.edge.rounds import LINE_BUSY
from tanzheng.edge.sealer import Builder, Content, SealPolicy, next_place
from tanzheng.edge.spool.records import is_packed, unpack
from tanzheng.edge.spool.store import Sealed, Spool, Unsealed
from tanzheng.edge.steps import Counter, Standing, account

ZSTD_LEVEL = -1
"""Half the time of level 3, batches 7 % larger."""
WORK_S_MAX = 0.1
"""A backlog is sealed in pieces of about this time, so that live slots come in between."""


@dataclass(frozen=True, slots=True)
class SealLimits:
    """When batches are due and what they are made of; `counters` by point name.

    `sealed_bytes_max`: no more is sealed while so much waits for the platform (None: no limit). A
    spool that drops its oldest to make room can only drop what is not yet part of the chain.
    """

    policy: SealPolicy
    interval_ms: int
    counters: Mapping[str, Counter]
    sealed_bytes_max: int | None = None


class Sealing:
    """Signs one gateway's batches into its spool. Used by one thread at a time."""

    def __init__(
        self,
        spool: Spool,
        key: SigningKey,
        gateway: str,
        limits: SealLimits,
        now_ms: Callable[[], int],
        clock_state: Callable[[], ClockState],
    ) -> None:
        self.limits = limits
        self._spool, self._key, self._gateway = spool, key, gateway
        self._now_ms, self._clock_state = now_ms, clock_state
        self._zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self._oldest_s = float("-inf")  # what an earlier process left has waited long enough
        self._ledger = spool.ledger()

    @property
    def ledger(self) -> Mapping[str, Standing]:
        """The lines of all counters, by point name, as of the last batch."""
        return self._ledger

    def is_due(self, full: bool) -> bool:
        """Whether `seal_due` would seal now: quick, for the event loop."""
        now_s = time.monotonic()
        if not self._spool.unsealed:
            self._oldest_s = now_s
        age_s = now_s - self._oldest_s
        return self._allowed and self.limits.policy.due(self._spool.unsealed, age_s, full)

    def seal_due(self, full: bool, everything: bool = False) -> int:
        """Seal while the policy says so (`everything`: what is left, too); how many batches.

        After `WORK_S_MAX` it pauses: call again.
        """
        sealed = 0
        end_s = time.monotonic() + WORK_S_MAX
        while self._spool.unsealed and self._allowed and (everything or self.is_due(full)):
            if not self._seal_one(everything):
                break
            self._oldest_s = time.monotonic()
            sealed += 1
            if self._oldest_s >= end_s:
                if self.limits.policy.slots_max <= self._spool.unsealed:
                    self._oldest_s = float("-inf")  # a backlog: the rest is as old
                break
        return sealed

    @property
    def _allowed(self) -> bool:
        most = self.limits.sealed_bytes_max
        return most is None or self._spool.sealed_bytes - self._spool.orphan_bytes < most

    def _seal_one(self, everything: bool) -> bool:
        """One batch, built and stored while nothing else happens to the spool."""
        spool = self._spool
        with spool.guard:
            unsealed = spool.oldest(self.limits.policy.slots_max)
            assert unsealed is not None
            builder = Builder(len(unsealed.points), self.limits.interval_ms)
            last_id = _fill(builder, unsealed, everything)
            if not builder.entries:
                return False
            names = {point: unsealed.points[point] for point in sorted(builder.arrived)}
            known = {
                at: instants
                for at, name in names.items()
                if (instants := spool.arrived(name, *builder.span_ms))
            }
            content = builder.finish(known)
            signed, changed = self._sign(unsealed, content)
            span_ms = signed.batch.span_ms
            wire = self._zstd.compress(signed.raw)
            spool.seal(
                Sealed(
                    signed.head, wire, span_ms[0] if span_ms else None, signed.batch.readings,
                    last_id, changed,
                    [(names[at], t_ms) for at in names for t_ms in content.columns[at].t_ms],
                )
            )  # fmt: skip
        self._ledger.update(changed)
        return True

    def _sign(
        self, unsealed: Unsealed, content: Content
    ) -> tuple[SignedBatch, dict[str, Standing]]:
        """The next batch of the chain, read back as the platform will read it."""
        place = next_place(self._spool.head, self._spool.opens_epoch)
        changed, told = account(
            unsealed.points, content.columns, content.events, self.limits.counters, self._ledger
        )
        batch = Batch(
            gw=self._gateway,
            epoch=place.epoch,
            seq=place.seq,
            prev=place.prev,
            made_ms=self._now_ms(),
            clock=self._clock_state(),
            points=unsealed.points,
            columns=content.columns,
            gaps=content.gaps,
            events=(*content.events, *told),
        )
        check_successor(self._spool.head, batch)
        return sign(batch, self._key), changed


def _fill(builder: Builder, unsealed: Unsealed, everything: bool) -> int:
    """Put into `builder` what fits; the id of the last entry it took.

    The newest slot is left for the next batch while one of its lines is still busy: the readings
    that come late then stand in one batch with it, and no gap is told for them.
    """
    last_id = 0
    for entry_id, body in unsealed.entries:
        newest = body is unsealed.entries[-1][1]
        if newest and not everything and builder.entries and _is_open(body):
            break
        if not builder.add(body):
            break
        last_id = entry_id
    return last_id


def _is_open(body: bytes) -> bool:
    return is_packed(body) and any(miss.reason == LINE_BUSY for miss in unpack(body)[1])
