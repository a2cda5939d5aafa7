"""A spool that is no spool. See `runner.py`."""

from acceptance.switches import protection
from tanzheng.edge.spool.store import Sealed, Spool

KEPT_BATCHES = 4


@protection("what is not acknowledged stays on disk")
def bounded_queue() -> None:
    """Only the newest few batches wait for the broker, as in a queue in memory."""
    seal = Spool.seal

    def seal_and_forget(self: Spool, sealed: Sealed) -> None:
        seal(self, sealed)
        kept_from = sealed.head.seq - KEPT_BATCHES
        with self.guard:
            self._db.execute("DELETE FROM batch WHERE seq <= ?", (kept_from,))

    Spool.seal = seal_and_forget  # type: ignore[method-assign]
