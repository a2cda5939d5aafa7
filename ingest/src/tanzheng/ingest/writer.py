"""Writes a group of examined messages in one transaction: all they lead to, or nothing of it.

Batches, readings, gaps, events and quarantine entries of the group become visible together with
the ledger rows that make them exactly-once. The acks may be sent when `write` has returned.
"""

import contextlib
import logging
import os
import socket
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from tanzheng.core.batch import ChainHead
from tanzheng.ingest import enrolments, hours_dirty, ledger, migrate, rows
from tanzheng.ingest.chain import Accept, Chain, Duplicate, Early, decide, joined
from tanzheng.ingest.decide import Checked, Reason, Refused, fault, refuse
from tanzheng.ingest.enrolment import Gateway

LOG = logging.getLogger(__name__)
# A transaction that waits this long belongs to a frozen worker; the server ends it and its locks.
IDLE_IN_TRANSACTION_MS_MAX = 60_000


@dataclass(slots=True)
class Outcome:
    """What became of a group.

    `heads`: gateways to acknowledge, with the last batch of their gapless chain that is committed;
    `tops`: the highest sequence stored ahead of it, where there is one. `accepted` batches have
    `readings`; of them `early` were ahead of their chain.
    """

    heads: dict[str, ChainHead] = field(default_factory=dict)
    tops: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    early: int = 0
    readings: int = 0
    duplicates: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)


@dataclass(slots=True)
class _Sorted:
    """Decisions of one group; `stored` in the order in which the chains took them."""

    stored: list[Checked] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    early: int = 0
    duplicates: int = 0


def connect(database_url: str) -> psycopg.Connection:
    """A connection that notices a dead server within half a minute."""
    return psycopg.connect(
        database_url,
        autocommit=True,
        application_name="tanzheng-ingest",
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=30_000,
        options=f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS_MAX}",
    )


class Writer:
    """Verified batches into one database, over one connection."""

    def __init__(self, database_url: str, gateways: Mapping[str, Gateway]) -> None:
        """Connects; raises `SchemaMismatch`, `BadInput` for a changed key, psycopg's errors."""
        self.gateways = gateways
        """As in the file, with the key history that the database has."""
        self._connection = connect(database_url)
        self._copy_rows = rows.CopyRows()
        self._days: set[int] = set()  # known to have a place in `reading`
        try:
            migrate.check_schema(self._connection)
            with self._connection.transaction():
                self.gateways = enrolments.with_history(self._connection, gateways)
                self._point_ids = ledger.enrol(self._connection, self.gateways)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; what is not committed is gone."""
        self._connection.close()

    def abandon(self) -> None:
        """Cut the line under a call that another thread is in: it fails as if the server were
        away."""
        with contextlib.suppress(OSError, psycopg.Error):
            line = socket.socket(fileno=os.dup(self._connection.fileno()))
            with line:
                line.shutdown(socket.SHUT_RDWR)

    def standing(self) -> Outcome:
        """The committed head of each gateway that has one and is not suspended."""
        with self._connection.transaction():
            chains = ledger.lock_chains(self._connection, self.gateways)
        return _standing(chains)

    def write(self, examined: Sequence[Checked | Refused]) -> Outcome:
        """Decide and store a group in order.

        Raises psycopg's `OperationalError` where the server is away: nothing is stored then. A
        message the server refuses for another reason goes to quarantine, the others are stored.
        """
        try:
            outcome = self._transaction(examined)
            if outcome.refused[Reason.SIGNATURE]:  # a key that is new since we began?
                self.gateways = enrolments.with_history(self._connection, self.gateways)
            return outcome
        except psycopg.OperationalError:
            self._days.clear()  # what was made for this group is rolled back
            raise
        except psycopg.Error as error:
            self._days.clear()  # a partition that was dropped behind our back
            if len(examined) > 1:
                LOG.warning("a group was refused, writing it one by one: %s", error)
                return _sum(self.write([item]) for item in examined)
            message = examined[0].message
            LOG.exception("the database refused a message on %s", message.topic)
            return self._transaction([fault(message, error)])

    def _transaction(self, examined: Sequence[Checked | Refused]) -> Outcome:
        connection = self._connection
        checked = [item for item in examined if isinstance(item, Checked)]
        with connection.transaction():
            chains = ledger.lock_chains(connection, {item.batch.gw for item in checked})
            for gw, links in ledger.links(connection, map(_place, checked)).items():
                chains[gw].links = links
            before = {gw: chain.head for gw, chain in chains.items()}
            found = _sort(self._by_keys_of_now(examined, chains), chains)
            self._suspend_forked(found.refused, chains)
            # Before what is stored: a batch refused and then taken in one group is no open entry.
            ledger.quarantine(connection, found.refused)
            readings, days = self._store(found.stored)
            for gw, chain in chains.items():
                if chain.head is not None and chain.head != before[gw]:
                    self._move_head(gw, chain, chain.head)
        self._days.update(days)
        outcome = _standing(chains)
        outcome.accepted, outcome.early = len(found.stored), found.early
        outcome.readings, outcome.duplicates = readings, found.duplicates
        outcome.refused = Counter(item.reason for item in found.refused)
        return outcome

    def _by_keys_of_now(
        self, examined: Sequence[Checked | Refused], chains: Mapping[str, Chain]
    ) -> list[Checked | Refused]:
        """What was examined before a re-enrolment may bear a key that signs no more."""
        for gw, chain in chains.items():
            if chain.public_key != self.gateways[gw].newest_key.raw:
                self.gateways = enrolments.with_history(self._connection, self.gateways)
                break
        return [_if_key_holds(item, self.gateways) for item in examined]

    def _suspend_forked(self, refused: Iterable[Refused], chains: Mapping[str, Chain]) -> None:
        for item in refused:
            if item.reason is Reason.FORK and item.gw is not None:
                self._suspend(item.gw, chains[item.gw], item.detail)

    def _suspend(self, gw: str, chain: Chain, why: str) -> None:
        chain.suspended = True
        ledger.suspend(self._connection, gw, why)
        LOG.error("gateway %s suspended, it signed two histories: %s", gw, why)

    def _move_head(self, gw: str, chain: Chain, head: ChainHead) -> None:
        """The chain has grown: early batches that follow without a hole join it, others of an
        epoch that ended leave."""
        connection = self._connection
        for last in chain.closed:
            if stranded := ledger.strand(connection, gw, last):
                LOG.warning("%s: %d early batches stranded in epoch %d", gw, stranded, last.epoch)
        chain.head, misfit = joined(head, ledger.following(connection, gw, head))
        ledger.set_head(connection, gw, chain.head)
        if misfit is not None:
            why = f"{gw} epoch {misfit.epoch} seq {misfit.seq}: does not name the stored one before"
            self._suspend(gw, chain, why)

    def _store(self, accepted: Sequence[Checked]) -> tuple[int, set[int]]:
        """Everything accepted batches hold; the number of readings and the days they lie in."""
        if not accepted:
            return 0, set()
        connection = self._connection
        batch_ids = ledger.insert_batches(connection, accepted)
        batches = [(i, item.batch) for i, item in zip(batch_ids, accepted, strict=True)]
        ids = self._point_ids
        packed, days = self._copy_rows.of(batches, ids)
        ledger.ensure_days(connection, sorted(days - self._days))
        ledger.copy_readings(connection, packed)
        gaps = [row for i, b in batches for row in ledger.gap_rows(b, i, ids[b.gw])]
        ledger.insert_gaps(connection, gaps)
        ledger.insert_events(connection, batches)
        hours_dirty.mark(connection, ((b.gw, *b.span_ms) for _, b in batches if b.span_ms))
        ledger.mark_accepted(connection, [item.digest for item in accepted])
        return sum(batch.readings for _, batch in batches), days


def _if_key_holds(item: Checked | Refused, gateways: Mapping[str, Gateway]) -> Checked | Refused:
    if isinstance(item, Refused):
        return item
    batch = item.batch
    key = gateways[batch.gw].key_at(batch.epoch)
    if item.kid == key.kid:  # the signature was checked with the key of that id
        return item
    detail = f"expected key {key.kid.hex()} since a re-enrolment, got {item.kid.hex()}"
    return refuse(item, Reason.SIGNATURE, detail)


def _sort(examined: Iterable[Checked | Refused], chains: Mapping[str, Chain]) -> _Sorted:
    """Decide in order of arrival; the chains move along with what is stored.

    A fork stops its gateway at once: nothing behind it in the group is taken.
    """
    found = _Sorted()
    for item in examined:
        if isinstance(item, Refused):
            found.refused.append(item)
            continue
        chain = chains[item.batch.gw]
        verdict = decide(chain, item)
        if isinstance(verdict, Accept | Early):
            chain.take(verdict)
            found.stored.append(item)
            found.early += isinstance(verdict, Early)
        elif isinstance(verdict, Duplicate):
            found.duplicates += 1
        else:
            found.refused.append(verdict)
            chain.suspended = chain.suspended or verdict.reason is Reason.FORK
    return found


def _standing(chains: Mapping[str, Chain]) -> Outcome:
    open_ones = {gw: chain for gw, chain in chains.items() if not chain.suspended}
    heads = {gw: chain.head for gw, chain in open_ones.items() if chain.head is not None}
    tops = {gw: open_ones[gw].top for gw, head in heads.items() if open_ones[gw].top > head.seq}
    return Outcome(heads, tops)


def _place(item: Checked) -> ledger.Place:
    return item.batch.gw, item.batch.epoch, item.batch.seq


def _sum(outcomes: Iterable[Outcome]) -> Outcome:
    total = Outcome()
    for outcome in outcomes:
        total.heads |= outcome.heads
        total.tops |= outcome.tops
        total.accepted += outcome.accepted
        total.early += outcome.early
        total.readings += outcome.readings
        total.duplicates += outcome.duplicates
        total.refused += outcome.refused
    return total
