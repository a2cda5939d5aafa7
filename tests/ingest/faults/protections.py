"""What ingest does against each fault, taken away: the smallest thing that makes it what it is."""

import time
from typing import Any

import zstandard

from acceptance.switches import put
from ingest.faults.switches import switch
from tanzheng.core.ack import Ack, sign_ack
from tanzheng.core.topics import ack_topic
from tanzheng.ingest import chain, consumer, decide, ledger, writer
from tanzheng.ingest.chain import Duplicate
from tanzheng.ingest.decide import Checked, Refused
from tanzheng.ingest.lane import Lane

LATE_S = 0.3


@switch("acks after the commit only")
def ack_first() -> None:
    process = Lane._process

    def acked(self: Any, group: Any) -> None:
        for each in (received.item for received in group if isinstance(received.item, Checked)):
            batch = each.batch
            link = self._link
            ack = Ack(batch.gw, batch.epoch, batch.seq, each.digest, link._now_ms(), 0)
            link._client.publish(ack_topic(batch.gw), sign_ack(ack, link._key), qos=1)
        time.sleep(LATE_S)
        process(self, group)

    put(Lane, "_process", acked)


@switch("ledger and rows in one transaction")
def two_transactions() -> None:
    insert = ledger.insert_batches

    def committed(connection: Any, accepted: Any) -> list[int]:
        ids = insert(connection, accepted)
        connection.execute("COMMIT")
        connection.execute("BEGIN")
        return ids

    put(ledger, "insert_batches", committed)


@switch("known by gateway, epoch and sequence")
def store_again() -> None:
    choose, store = chain.decide, writer.Writer._store
    again: list[Checked] = []

    def chosen(place: Any, checked: Checked) -> Any:
        verdict = choose(place, checked)
        if isinstance(verdict, Duplicate):
            again.append(checked)
        return verdict

    def stored(self: Any, accepted: Any) -> tuple[int, set[int]]:
        result = store(self, accepted)
        rows = [(0, item.batch) for item in again]
        again.clear()
        if rows:
            packed, days = self._copy_rows.of(rows, self._point_ids)
            ledger.ensure_days(self._connection, sorted(days))
            ledger.copy_readings(self._connection, packed)
        return result

    put(writer, "decide", chosen)
    put(writer.Writer, "_store", stored)


@switch("a bad message costs that message only")
def no_quarantine() -> None:
    def examined(message: Any, gateways: Any) -> Any:
        found = decide.examine(message, gateways)
        assert not isinstance(found, Refused), found.detail
        return found

    put(consumer, "_examine", examined)


@switch("the size is read before memory is given")
def unpack_all() -> None:
    def unpacked(payload: bytes) -> bytes:
        try:
            return zstandard.ZstdDecompressor().decompress(payload, max_output_size=2 << 30)
        except zstandard.ZstdError as error:
            raise decide._Refusal(decide.Reason.ZSTD, error) from error

    put(decide, "_unpack", unpacked)


@switch("the database is tried again")
def no_second_try() -> None:
    def once(self: Any, action: Any) -> bool:
        if self._writer is None:
            self._writer = writer.Writer(self._database_url, self.gateways)
        action(self._writer)
        return True

    put(Lane, "_with_database", once)
