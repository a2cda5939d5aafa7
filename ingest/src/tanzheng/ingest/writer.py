"""Writes a group of examined messages in one transaction: all they lead to, or nothing of it.

Batches, readings, gaps, events and quarantine entries of the group become visible together with
the ledger rows that make them exactly-once. The acks may be sent when `write` has returned.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from tanzheng.core.batch import ChainHead
from tanzheng.ingest import ledger, migrate, rows
from tanzheng.ingest.decide import (
    Accept,
    Checked,
    Duplicate,
    Reason,
    Refused,
    Repeated,
    decide,
    decide_repeated,
    fault,
)
from tanzheng.ingest.enrolment import Gateway

LOG = logging.getLogger(__name__)
# A transaction that waits this long belongs to a frozen worker; the server ends it and its locks.
IDLE_IN_TRANSACTION_MS_MAX = 60_000


@dataclass(slots=True)
class Outcome:
    """What became of a group. `heads`: gateways to acknowledge, with what is committed now."""

    heads: dict[str, ChainHead] = field(default_factory=dict)
    accepted: int = 0
    readings: int = 0
    duplicates: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)


@dataclass(slots=True)
class _Sorted:
    """Decisions of one group."""

    accepted: list[Checked] = field(default_factory=list)
    repeated: list[Checked] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


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
        self._connection = connect(database_url)
        self._days: set[int] = set()  # known to have a place in `reading`
        try:
            migrate.check_schema(self._connection)
            with self._connection.transaction():
                self._point_ids = ledger.enrol(self._connection, gateways)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; what is not committed is gone."""
        self._connection.close()

    def heads(self) -> dict[str, ChainHead]:
        """The committed head of each gateway that has one and is not suspended."""
        with self._connection.transaction():
            suspended = ledger.lock_gateways(self._connection, self.gateways)
            heads = ledger.heads(self._connection, self.gateways)
        return {gw: head for gw, head in heads.items() if not suspended[gw]}

    def write(self, examined: Sequence[Checked | Refused]) -> Outcome:
        """Decide and store a group in order.

        Raises psycopg's `OperationalError` where the server is away: nothing is stored then. A
        message the server refuses for another reason goes to quarantine, the others are stored.
        """
        try:
            return self._transaction(examined)
        except psycopg.OperationalError:
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
        gateways = {item.signed.batch.gw for item in examined if isinstance(item, Checked)}
        with connection.transaction():
            suspended = ledger.lock_gateways(connection, gateways)
            heads = ledger.heads(connection, gateways)
            found = _sort(examined, heads, suspended)
            duplicates = self._resolve_repeated(found, suspended)
            readings, days = self._store(found.accepted)
            ledger.quarantine(connection, found.refused)
        self._days.update(days)
        return Outcome(
            heads={gw: head for gw, head in heads.items() if not suspended[gw]},
            accepted=len(found.accepted),
            readings=readings,
            duplicates=duplicates,
            refused=Counter(item.reason for item in found.refused),
        )

    def _resolve_repeated(self, found: _Sorted, suspended: dict[str, bool]) -> int:
        """Tell duplicates from forks; a fork suspends its gateway. Number of duplicates."""
        known = {_place(item): item.digest for item in found.accepted}
        places = [_place(item) for item in found.repeated]
        known |= ledger.digests(self._connection, [place for place in places if place not in known])
        duplicates = 0
        for item in found.repeated:
            verdict = decide_repeated(item, known.get(_place(item)))
            if isinstance(verdict, Duplicate):
                duplicates += 1
                continue
            found.refused.append(verdict)
            if verdict.reason is Reason.FORK:
                gw = item.signed.batch.gw
                suspended[gw] = True
                ledger.suspend(self._connection, gw, verdict.detail)
                LOG.error("gateway %s suspended, it signed two histories: %s", gw, verdict.detail)
        return duplicates

    def _store(self, accepted: Sequence[Checked]) -> tuple[int, set[int]]:
        """Everything accepted batches hold; the number of readings and the days they lie in."""
        if not accepted:
            return 0, set()
        connection = self._connection
        batch_ids = ledger.insert_batches(connection, accepted)
        batches = [(i, item.signed.batch) for i, item in zip(batch_ids, accepted, strict=True)]
        ids = self._point_ids
        readings = rows.join([rows.readings_of(b, i, ids[b.gw]) for i, b in batches])
        days = set(rows.days_of(readings))
        ledger.ensure_days(connection, sorted(days - self._days))
        ledger.copy_readings(connection, readings)
        gaps = [row for i, b in batches for row in ledger.gap_rows(b, i, ids[b.gw])]
        ledger.insert_gaps(connection, gaps)
        ledger.insert_events(connection, batches)
        ledger.mark_accepted(connection, [item.digest for item in accepted])
        return len(readings), days


def _sort(
    examined: Iterable[Checked | Refused],
    heads: dict[str, ChainHead],
    suspended: Mapping[str, bool],
) -> _Sorted:
    """Decide in order of arrival; `heads` moves along with what is accepted."""
    found = _Sorted()
    for item in examined:
        if isinstance(item, Refused):
            found.refused.append(item)
            continue
        batch = item.signed.batch
        verdict = decide(heads.get(batch.gw), suspended[batch.gw], item)
        if isinstance(verdict, Accept):
            heads[batch.gw] = ChainHead(batch.epoch, batch.seq, item.digest)
            found.accepted.append(item)
        elif isinstance(verdict, Repeated):
            found.repeated.append(item)
        else:
            found.refused.append(verdict)
    return found


def _place(item: Checked) -> ledger.Place:
    return item.signed.batch.gw, item.signed.batch.epoch, item.signed.batch.seq


def _sum(outcomes: Iterable[Outcome]) -> Outcome:
    total = Outcome()
    for outcome in outcomes:
        total.heads |= outcome.heads
        total.accepted += outcome.accepted
        total.readings += outcome.readings
        total.duplicates += outcome.duplicates
        total.refused += outcome.refused
    return total
