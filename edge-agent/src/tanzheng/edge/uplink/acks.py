"""Where an ack arrives: form, signature and meaning are judged before anything is freed."""

from tanzheng.core.ack import Ack, open_ack
from tanzheng.core.batch import ChainHead, Event
from tanzheng.core.errors import BadInput, SignatureInvalid
from tanzheng.core.keys import VerifyKey
from tanzheng.edge import log
from tanzheng.edge.counters import Counters
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.uplink.resend import NOTHING, Place, Verdict, judge, place_of


class AckDesk:
    """Applies the platform's acks to the spool. Only a verified one of our own batch frees."""

    def __init__(self, gateway: str, platform: VerifyKey, spool: Spool, counters: Counters) -> None:
        self._gateway, self._platform = gateway, platform
        self._spool, self._counters = spool, counters
        self._top: Place = NOTHING

    @property
    def behind(self) -> bool:
        """True where the platform holds batches that came early and that this spool never sealed.

        The spool is a copy from before. Nothing may be sealed, for the places are taken, until
        all it holds is acknowledged; then it goes on in a new epoch.
        """
        return not self._spool.opens_epoch and self._top > place_of(self._spool.head)

    def receive(self, raw: bytes, now_ms: int) -> Ack | None:
        """The ack in `raw` where the platform signed it for this gateway; None where refused.

        `now_ms` is the instant for an event, where one arises.
        """
        try:
            ack = open_ack(raw, self._platform)
        except SignatureInvalid as error:
            self._counters.ack_forged += 1
            log.error("ack_forged", detail=str(error))
            return None
        except BadInput as error:
            self._counters.ack_malformed += 1
            log.warning("ack_malformed", detail=str(error))
            return None
        if ack.gw != self._gateway:
            self._counters.ack_foreign += 1
            log.warning("ack_foreign", gateway=ack.gw)
            return None
        self._apply(ack, now_ms)
        return ack

    def _apply(self, ack: Ack, now_ms: int) -> None:
        spool, head = self._spool, ChainHead(ack.epoch, ack.seq, ack.head)
        self._top = max(self._top, (ack.epoch, ack.top))
        verdict = judge(ack, spool.acked, spool.head, spool.digest_at(ack.epoch, ack.seq))
        if verdict is Verdict.FREES:
            spool.free(head)
            self._counters.ack_accepted += 1
        elif verdict is Verdict.STALE:
            self._counters.ack_stale += 1
        elif verdict is Verdict.CONFLICT:
            self._counters.ack_conflict += 1
            log.error("ack_conflict", epoch=ack.epoch, seq=ack.seq, head=ack.head.hex())
        else:
            self._continue_after(head, now_ms)
        if self.behind and spool.acked is not None and spool.acked == spool.head:
            self._continue_after(spool.acked, now_ms)

    def _continue_after(self, platform: ChainHead, now_ms: int) -> None:
        """The platform is ahead: a disk restored from a backup, a box swapped."""
        own = self._spool.head
        event = Event(
            now_ms,
            "epoch_opened",
            {
                "reason": "platform_ahead",
                "platform_epoch": platform.epoch,
                "platform_seq": platform.seq,
                "platform_head": platform.digest.hex(),
                "platform_top": self._top[1],
                "own_epoch": own.epoch if own else 0,
                "own_seq": own.seq if own else 0,
            },
        )
        orphans = self._spool.open_epoch(platform, event)
        self._counters.epochs_opened += 1
        log.warning("epoch_opened", orphans=orphans, **event.detail)
