"""The gateway's side of a re-enrolment: the spool goes on in the epoch that the document opens."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tanzheng.core.batch import Batch, Event, open_signed
from tanzheng.core.enrolment import open_enrolment
from tanzheng.core.errors import BadInput
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.wire import unpack
from tanzheng.edge.plan import PLAN_NAME, Plan, load_plan
from tanzheng.edge.spool.orphaned import told
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.swap import as_owner_of
from tanzheng.edge.timekeeping.scheduler import Grid


@dataclass(frozen=True, slots=True)
class Reopened:
    """The epoch that the next batch opens; own batches that stay behind as orphans.

    Each of their `readings` is told as a gap in the new epoch.
    """

    epoch: int
    orphans: int
    readings: int = 0


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
            return Reopened(enrolment.opens_epoch, 0)  # taken before
        if spool.head is not None and spool.head.epoch >= enrolment.opens_epoch:
            raise BadInput(
                f"expected a re-enrolment that opens an epoch after {spool.head.epoch}, "
                f"got one of epoch {enrolment.opens_epoch}"
            )
        grid = Grid(plan.interval_ms, plan.phase_ms)
        remains = told(_unacknowledged(spool), plan.points, plan.grids, grid)
        detail: dict[str, str | int] = {
            "reason": "re_enrolled",
            "document": signed.digest.hex(),
            "platform_epoch": enrolment.head.epoch,
            "platform_seq": enrolment.head.seq,
            "platform_head": enrolment.head.digest.hex(),
            "own_epoch": spool.head.epoch if spool.head else 0,
            "own_seq": spool.head.seq if spool.head else 0,
            "orphan_readings": remains.readings,
        }
        event = Event(now_ms, "epoch_opened", detail)
        orphans = spool.open_epoch(enrolment.head, event, remains.entries)
        return Reopened(enrolment.opens_epoch, orphans, remains.readings)
    finally:
        spool.close()


def plan_of(spool: Path, key: Path) -> Plan:
    """The plan with which the agent ran last, in whose points the spool is kept."""
    return replace(load_plan(spool / PLAN_NAME), spool_path=str(spool), key_path=str(key))


def _unacknowledged(spool: Spool) -> Iterator[Batch]:
    place = (0, 0)
    while found := spool.next_batch(*place):
        head, wire = found
        place = head.epoch, head.seq
        yield open_signed(unpack(wire)).batch


def read_bytes(path: Path) -> bytes:
    """The bytes of a file the user named; `BadInput` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: expected a readable file, got {error.strerror}") from error
