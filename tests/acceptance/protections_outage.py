"""What spool, uplink and clock do against each fault, taken away. See `runner.py`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from acceptance.switches import protection, put
from edge.world import GATEWAY
from tanzheng.core import cose
from tanzheng.core.batch import ChainHead
from tanzheng.edge.acquisition import Acquisition
from tanzheng.edge.spool import store
from tanzheng.edge.spool.records import Entry
from tanzheng.edge.spool.writer import Writer
from tanzheng.edge.timekeeping.steady import Observed, SteadyTime
from tanzheng.edge.uplink import acks
from tanzheng.edge.uplink.acks import AckDesk
from tanzheng.edge.uplink.conversation import Uplink
from tanzheng.edge.uplink.resend import Session

HELD_SLOTS = 8


@protection("resend above the ack")
def sent_once() -> None:
    def begin_again(self: Session, now_s: float) -> None:
        self._progress_s = self._broker_s = now_s

    def disconnect(self: Session) -> None:
        self.connected = False

    put(Session, "_begin_again", begin_again)
    put(Session, "disconnect", disconnect)


@protection("space is freed by the signed ack only")
def freed_by_puback() -> None:
    confirmed, pump = Session.confirmed, Uplink.pump
    uplinks: list[Uplink] = []

    def remember(self: Uplink) -> None:
        uplinks[:] = [self]
        pump(self)

    def free(self: Session, message_id: int, now_s: float) -> None:
        sent = self._unconfirmed.get(message_id)
        confirmed(self, message_id, now_s)
        spool = uplinks[0]._spool
        digest = sent and spool.digest_at(*sent.place)
        if sent and digest:
            spool.free(ChainHead(*sent.place, digest))
            self.acknowledged(sent.place, now_s)

    put(Uplink, "pump", remember)
    put(Session, "confirmed", free)


@protection("signature of an ack")
def unsigned_acks() -> None:
    put(cose.Sign1, "verify", lambda _self, _key: None)


@protection("an ack names its gateway")
def anybodys_acks() -> None:
    open_ack: Any = vars(acks)["open_ack"]
    put(acks, "open_ack", lambda raw, key: replace(open_ack(raw, key), gw=GATEWAY))


@protection("a slot is durable before it is done")
def held_in_memory() -> None:
    written = Writer.put
    held: list[Entry] = []

    def later(self: Writer, entries: Sequence[Entry], urgent: bool = False) -> Any:
        held.extend(entries)
        if len(held) >= HELD_SLOTS:
            together = tuple(held)
            held.clear()
            return written(self, together, urgent)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    put(Writer, "put", later)


@protection("a new epoch from the platform's head")
def old_epoch() -> None:
    put(AckDesk, "_continue_after", lambda *_: None)
    put(AckDesk, "behind", property(lambda _self: False))


@protection("a steady time scale")
def wall_time() -> None:
    def follow(self: SteadyTime, monotonic_s: float, wall_ms: float, _synced: bool) -> Observed:
        self._anchor_s, self._anchor_ms = monotonic_s, wall_ms
        return Observed()

    put(SteadyTime, "observe", follow)


@protection("a leap is a gap record")
def gaps_untold() -> None:
    put(Acquisition, "_owe", lambda *_: None)


@protection("the write-ahead log")
def written_in_place() -> None:
    open_spool: Any = vars(store)["open_owned"]

    def in_place(*arguments: Any) -> Any:
        db = open_spool(*arguments)
        db.execute("PRAGMA journal_mode = OFF")
        return db

    put(store, "open_owned", in_place)
