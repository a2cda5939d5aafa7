"""Sealing: the spool's oldest entries become the next signed batch of the chain.

The batch is built, signed and read back in memory; then one transaction puts it in and takes its
entries out. A kill at any instant leaves either the entries or the batch. A batch that was not
stored was not published either, so the place it had in mind is still free.
"""

import time
from collections.abc import Callable

import zstandard

from tanzheng.core.batch import ClockState, SignedBatch, check_successor, sign
from tanzheng.core.errors import EncodingError
from tanzheng.core.keys import SigningKey
from tanzheng.edge.sealer import SealPolicy, build, next_place
from tanzheng.edge.spool.store import Sealed, Spool, Unsealed

ZSTD_LEVEL = 3


class Sealing:
    """Signs one gateway's batches into its spool."""

    def __init__(
        self,
        spool: Spool,
        key: SigningKey,
        gateway: str,
        interval_ms: int,
        policy: SealPolicy,
        now_ms: Callable[[], int],
        clock_state: Callable[[], ClockState],
    ) -> None:
        self._spool, self._key, self._gateway = spool, key, gateway
        self._interval_ms, self._policy = interval_ms, policy
        self._now_ms, self._clock_state = now_ms, clock_state
        self._zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self._oldest_s = float("-inf")  # what an earlier process left has waited long enough

    def seal_due(self, full: bool, everything: bool = False) -> int:
        """Seal while the policy says so (`everything`: what is left, too); how many batches."""
        sealed = 0
        now_s = time.monotonic()
        if not self._spool.unsealed:
            self._oldest_s = now_s
        while self._spool.unsealed and (
            everything or self._policy.due(self._spool.unsealed, now_s - self._oldest_s, full)
        ):
            self._seal_one()
            self._oldest_s = now_s
            sealed += 1
        return sealed

    def _seal_one(self) -> None:
        spool, limit = self._spool, self._policy.slots_max
        while True:
            unsealed = spool.oldest(limit)
            assert unsealed is not None
            try:
                signed = self._sign(unsealed)
                break
            except EncodingError:  # more readings or gaps than one batch may carry
                if limit == 1:
                    raise
                limit //= 2
        span_ms = signed.batch.span_ms
        spool.seal(
            Sealed(
                signed.head,
                self._zstd.compress(signed.raw),
                span_ms[0] if span_ms else None,
                signed.batch.readings,
                unsealed.last_id,
            )
        )

    def _sign(self, unsealed: Unsealed) -> SignedBatch:
        """The next batch of the chain, checked as the platform will check it."""
        spool = self._spool
        batch = build(
            self._gateway,
            next_place(spool.head, spool.opens_epoch),
            unsealed.points,
            self._interval_ms,
            unsealed.entries,
            self._now_ms(),
            self._clock_state(),
        )
        check_successor(spool.head, batch)
        signed = sign(batch, self._key)
        signed.verify(self._key.public)
        return signed
