"""The place of a checked batch in its gateway's chain: pure.

A chain is gapless from the first batch to its head. After an outage a gateway sends its newest
batch first, and the backlog behind it, so a batch of the head's epoch may come *early*: it is
stored, and no part of the chain until every batch before it is there. Two batches side by side
always fit, early or not: whichever of them comes second is held against the first, so a run of
early batches is a piece of one history, and joining it to the head is a walk.

A re-enrolment closes the epoch of the head it names: what else was signed there is refused, and
is no second fork.

Only the head's own epoch has early batches. Which head a new epoch continues is said by its first
batch alone, so that one is taken first, and the gateway sends nothing else of it before its ack.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tanzheng.core.batch import ChainHead, check_successor
from tanzheng.core.errors import ChainBroken, EpochInvalid, SequenceRepeated, SequenceSkipped
from tanzheng.ingest.decide import Checked, Reason, Refused, refuse

# A stolen key must not fill the disk with batches that never join. Three days of 10-second batches
# are 26,000; with 50 devices of 30 points each such a batch has 0.2 MB.
EARLY_AHEAD_MAX = 100_000
EARLY_BATCHES_MAX = 30_000
EARLY_BYTES_MAX = 8 << 30


@dataclass(frozen=True, slots=True)
class Link:
    """What the chain needs to know of a stored batch."""

    digest: bytes
    prev: bytes


@dataclass(slots=True)
class Chain:
    """What is stored of one gateway's chain, as far as the batches at hand need to know.

    `links`: stored batches by (epoch, seq), at least those in the places of the batches at hand
    and next to them. `early`, `early_bytes`: the stored batches that are ahead of the head.
    """

    head: ChainHead | None = None
    suspended: bool = False
    links: dict[tuple[int, int], Link] = field(default_factory=dict)
    early: int = 0
    early_bytes: int = 0
    top: int = 0
    """The highest early sequence, 0 where there is none."""
    opens_epoch: int = 0
    """Re-enrolled: the first epoch that may go on, everything below it is closed. 0: never."""
    public_key: bytes = field(default=b"", compare=False)
    """What the gateway signs with now, as the database says."""
    closed: list[ChainHead] = field(default_factory=list)
    """Last batches of the epochs that ended here: what is early in them can never join."""

    def take(self, item: "Accept | Early") -> None:
        """`item` is stored."""
        batch = item.checked.batch
        self.links[batch.epoch, batch.seq] = Link(item.checked.digest, batch.prev)
        if isinstance(item, Early):
            self.early += 1
            self.early_bytes += len(item.checked.message.payload)
            self.top = max(self.top, batch.seq)
            return
        if self.head is not None and batch.epoch > self.head.epoch:
            self.closed.append(self.head)
            self.early = self.early_bytes = self.top = 0
        self.head = ChainHead(batch.epoch, batch.seq, item.checked.digest)
        while link := self.links.get((self.head.epoch, self.head.seq + 1)):
            if link.prev != self.head.digest:  # see `joined`
                break
            self.head = ChainHead(self.head.epoch, self.head.seq + 1, link.digest)


@dataclass(frozen=True, slots=True)
class Accept:
    """The batch is the next of its chain: store it; then it is the head."""

    checked: Checked


@dataclass(frozen=True, slots=True)
class Early:
    """The batch is ahead of the head: store it; it joins when all before it are there."""

    checked: Checked


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The batch is stored already: acknowledge the head again."""

    checked: Checked


Verdict = Accept | Early | Duplicate | Refused


def decide(chain: Chain, checked: Checked) -> Verdict:
    """What becomes of a batch. Other bytes in a place that is taken, or beside one that is, are a
    fork: the gateway's key signed two histories."""
    batch = checked.batch
    if chain.suspended:
        return refuse(checked, Reason.SUSPENDED, "the gateway is suspended until re-enrolled")
    stored = chain.links.get((batch.epoch, batch.seq))
    if stored is not None and stored.digest == checked.digest:
        return Duplicate(checked)
    if batch.epoch < chain.opens_epoch:
        detail = f"{_place(checked)}: expected epoch {chain.opens_epoch}, opened by re-enrolment"
        return refuse(checked, Reason.CLOSED, detail)
    if stored is not None:
        return _fork(checked, f"batch {stored.digest.hex()}", checked.digest)
    try:
        check_successor(chain.head, batch)
    except SequenceRepeated:
        detail = f"{_place(checked)}: expected a batch before the epoch was closed, got one after"
        return refuse(checked, Reason.CLOSED, detail)
    except SequenceSkipped as error:
        return _ahead(chain, checked, str(error))
    except ChainBroken as error:
        return refuse(checked, Reason.CHAIN, str(error))
    except EpochInvalid as error:
        return refuse(checked, Reason.EPOCH, str(error))
    return _contradiction(chain, checked) or Accept(checked)


def joined(
    head: ChainHead, following: Iterable[tuple[int, Link]]
) -> tuple[ChainHead, ChainHead | None]:
    """The head after all stored batches that follow it without a hole, and the first that does not
    fit (None: there is none).

    `following`: sequence and link of the stored batches of the head's epoch above it, rising.
    """
    for seq, link in following:
        if seq != head.seq + 1:
            break
        found = ChainHead(head.epoch, seq, link.digest)
        if link.prev != head.digest:  # not by `decide`: somebody changed the database
            return head, found
        head = found
    return head, None


def _ahead(chain: Chain, checked: Checked, skipped: str) -> Early | Refused:
    batch, head = checked.batch, chain.head
    if head is None or batch.epoch != head.epoch:
        return refuse(checked, Reason.SKIPPED, skipped)
    limits = {
        "places ahead": (batch.seq - head.seq, EARLY_AHEAD_MAX),
        "early batches": (chain.early + 1, EARLY_BATCHES_MAX),
        "early bytes": (chain.early_bytes + len(checked.message.payload), EARLY_BYTES_MAX),
    }
    for what, (number, most) in limits.items():
        if number > most:
            detail = f"{skipped}: expected at most {most} {what}, got {number}"
            return refuse(checked, Reason.SKIPPED, detail)
    return _contradiction(chain, checked) or Early(checked)


def _contradiction(chain: Chain, checked: Checked) -> Refused | None:
    """Against the stored neighbours: each batch names the one before it."""
    batch = checked.batch
    before = chain.links.get((batch.epoch, batch.seq - 1))
    after = chain.links.get((batch.epoch, batch.seq + 1))
    if before is not None and before.digest != batch.prev:
        return _fork(checked, f"prev {before.digest.hex()}", batch.prev)
    if after is not None and after.prev != checked.digest:
        return _fork(checked, f"what the next batch names, {after.prev.hex()}", checked.digest)
    return None


def _fork(checked: Checked, expected: str, got: bytes) -> Refused:
    detail = f"{_place(checked)}: expected {expected}, got {got.hex()}"
    return refuse(checked, Reason.FORK, detail)


def _place(checked: Checked) -> str:
    batch = checked.batch
    return f"{batch.gw} epoch {batch.epoch} seq {batch.seq}"
