"""What can go wrong between the contract and a registry's books, named for what to do next."""

from tanzheng.core.errors import BadInput, CheckFailed, TanzhengError


class NodeUnavailable(TanzhengError):
    """The node did not answer in time, or with an error: try again, nothing is lost."""


class NodeRefused(NodeUnavailable):
    """The node answered that it cannot: it has pruned that state, or does not know the call."""


class FeedUnavailable(TanzhengError):
    """The feed's server did not answer: run the command again, it goes on where it stopped."""


class FeedInput(BadInput):
    """A file, an option or an answer has the wrong form."""


class FeedBusy(TanzhengError):
    """Another process works on this folder or ledger."""


class DiskFault(TanzhengError):
    """A file could not be written, the disk is full perhaps: what is on it is whole."""


class LedgerUnavailable(TanzhengError):
    """The books cannot be written now: they are those of before, run the command again."""


class OutboxDamaged(CheckFailed):
    """The outbox is not the chain of signed items that it was: restore it from a copy."""


class ChainChanged(CheckFailed):
    """Events that were final are gone or others: the feed stays as it is and does not go on."""

    def diagnostics(self) -> str:
        """What the operator does now."""
        return (
            "The chain took back what it had called final, or this is another chain or contract. "
            "Items that were given out are never changed. Compare the node with others; raise "
            "--finality where this chain reorganises deeper."
        )


class NotProved(CheckFailed):
    """An item claims what it does not prove: it is not booked."""


class Unbooked(CheckFailed):
    """Items are in quarantine, or held back: `tanzheng feed ledger` lists them."""
