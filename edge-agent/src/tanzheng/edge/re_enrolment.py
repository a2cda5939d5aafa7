"""The gateway's side of a re-enrolment: the spool goes on in the epoch that the document opens."""

from dataclasses import dataclass
from pathlib import Path

from tanzheng.core.batch import Event
from tanzheng.core.enrolment import open_enrolment
from tanzheng.core.errors import BadInput
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.edge.plan import Plan
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.swap import as_owner_of


@dataclass(frozen=True, slots=True)
class Reopened:
    """The epoch that the next batch opens, and how many own batches stay behind as orphans."""

    epoch: int
    orphans: int


def go_on(plan: Plan, document: bytes, operator: VerifyKey, now_ms: int) -> Reopened:
    """Take the signed re-enrolment into the spool of an agent that does not run.

    `BadInput` where it is for another gateway or key, or for an epoch that is past; `SpoolError`
    while the agent runs. A document taken before changes nothing.
    """
    signed = open_enrolment(document, operator)
    enrolment = signed.enrolment
    if enrolment.gw != plan.gateway:
        raise BadInput(f"expected a re-enrolment of {plan.gateway}, got one of {enrolment.gw}")
    own = SigningKey.from_pem(read_bytes(Path(plan.key_path)), plan.key_path).public
    if enrolment.new_key != own:
        raise BadInput(
            f"expected a re-enrolment with our key {own.kid.hex()}, "
            f"got {enrolment.new_key.kid.hex()}, at {plan.key_path}"
        )
    folder = Path(plan.spool_path)
    as_owner_of(folder)
    spool = Spool(folder, plan.gateway, plan.points)
    try:
        if spool.opens_epoch and spool.head == enrolment.head:
            return Reopened(enrolment.opens_epoch, 0)
        if spool.head is not None and spool.head.epoch >= enrolment.opens_epoch:
            raise BadInput(
                f"expected a re-enrolment that opens an epoch after {spool.head.epoch}, "
                f"got one of epoch {enrolment.opens_epoch}"
            )
        detail = {
            "reason": "re_enrolled",
            "document": signed.digest.hex(),
            "platform_epoch": enrolment.head.epoch,
            "platform_seq": enrolment.head.seq,
            "platform_head": enrolment.head.digest.hex(),
            "own_epoch": spool.head.epoch if spool.head else 0,
            "own_seq": spool.head.seq if spool.head else 0,
        }
        orphans = spool.open_epoch(enrolment.head, Event(now_ms, "epoch_opened", detail))
        return Reopened(enrolment.opens_epoch, orphans)
    finally:
        spool.close()


def read_bytes(path: Path) -> bytes:
    """The bytes of a file the user named; `BadInput` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: expected a readable file, got {error.strerror}") from error
