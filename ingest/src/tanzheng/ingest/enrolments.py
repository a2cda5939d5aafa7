"""Re-enrolments in the database: the history of each gateway's keys, and how it grows.

The documents are signed by the operator's enrolment key, which `gateways.toml` names, so the
database need not be trusted with them: one that was changed is refused, and one that is missing
leaves batches that no key explains.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from tanzheng.core.batch import GENESIS, ChainHead
from tanzheng.core.enrolment import (
    Enrolment,
    EnrolmentBroken,
    SignedEnrolment,
    check_history,
    open_enrolment,
    sign_enrolment,
)
from tanzheng.core.errors import BadInput, CheckFailed, EncodingError
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.ingest import audit_log
from tanzheng.ingest.compare import Difference, DifferenceFound
from tanzheng.ingest.enrolment import Gateway


class EnrolmentStale(BadInput):
    """The document does not fit what the database holds by now: make a new one."""


def with_history(
    connection: psycopg.Connection, gateways: Mapping[str, Gateway]
) -> dict[str, Gateway]:
    """The gateways with the keys that re-enrolments gave them; only what is new is read.

    `BadInput` where the file's key is none of the history, `CheckFailed` where the history itself
    does not hold.
    """
    found = connection.execute("SELECT gw, count(*) FROM enrolment GROUP BY gw")
    counted: dict[str, int] = dict(found.fetchall())
    return {
        gw: gateway
        if counted.get(gw, 0) == len(gateway.enrolments)
        else _with(gateway, history(connection, gateway))
        for gw, gateway in gateways.items()
    }


def audited(connection: psycopg.Connection, gateway: Gateway) -> Gateway:
    """The same for one gateway of an audit: a history that does not hold is a difference."""
    try:
        return with_history(connection, {gateway.gw: gateway})[gateway.gw]
    except (CheckFailed, EncodingError) as error:
        kind = f"re-enrolment refused ({type(error).__name__})"
        what = "the signed history of its keys"
        found = Difference(kind, gateway.gw, 0, 0, "", "", what, str(error))
        raise DifferenceFound(found) from error


def history(connection: psycopg.Connection, gateway: Gateway) -> list[SignedEnrolment]:
    """The re-enrolments of one gateway, the oldest first, each checked."""
    stored = connection.execute(
        "SELECT raw FROM enrolment WHERE gw = %s ORDER BY enrolment_id", (gateway.gw,)
    ).fetchall()
    if stored and gateway.operator is None:
        raise BadInput(
            f"gateway {gateway.gw}: expected enrolment_key in gateways.toml, got none: the "
            f"database has {len(stored)} re-enrolments of it"
        )
    operator = gateway.operator
    found = [open_enrolment(bytes(raw), operator) for (raw,) in stored if operator]
    check_history(gateway.gw, found)
    return found


def _with(gateway: Gateway, documents: list[SignedEnrolment]) -> Gateway:
    if not documents:  # the database has fewer than it had
        raise EnrolmentBroken(
            f"gateway {gateway.gw}: expected {len(gateway.enrolments)} re-enrolments, got none"
        )
    found = tuple(signed.enrolment for signed in documents)
    first = found[0].old_key
    known = {first, *(each.new_key for each in found)}
    if gateway.key not in known:
        raise BadInput(
            f"gateway {gateway.gw}: expected a key of its history "
            f"({', '.join(sorted(key.kid.hex() for key in known))}), got {gateway.key.kid.hex()}"
        )
    return replace(gateway, key=first, enrolments=found)


def make(
    connection: psycopg.Connection,
    gateway: Gateway,
    operator: SigningKey,
    new_key: VerifyKey | None,
    reason: str,
    by: str,
    t_ms: int,
) -> SignedEnrolment:
    """A re-enrolment after the head that the database has now; `new_key` None: the same key."""
    documents = history(connection, gateway)
    head, key = _standing(connection, gateway.gw)
    return sign_enrolment(
        Enrolment(
            gw=gateway.gw,
            previous=documents[-1].digest if documents else GENESIS,
            old_key=key,
            new_key=new_key or key,
            head=head,
            reason=reason,
            by=by,
            t_ms=t_ms,
        ),
        operator,
    )


def take(connection: psycopg.Connection, gateway: Gateway, signed: SignedEnrolment) -> bool:
    """Keep the document and let the gateway go on; False where it was taken before.

    One transaction, with the gateway's chain locked. `EnrolmentStale` where head or key moved.
    """
    enrolment = signed.enrolment
    with connection.transaction():
        connection.execute("SELECT FROM gateway WHERE gw = %s FOR UPDATE", (gateway.gw,))
        head, key = _standing(connection, gateway.gw)
        documents = history(connection, gateway)
        if signed.digest in {each.digest for each in documents}:
            return False
        if (enrolment.head, enrolment.old_key) != (head, key):
            raise EnrolmentStale(
                f"gateway {gateway.gw}: expected a re-enrolment of key {key.kid.hex()} after "
                f"epoch {head.epoch} seq {head.seq}, got key {enrolment.old_key.kid.hex()} after "
                f"epoch {enrolment.head.epoch} seq {enrolment.head.seq}"
            )
        check_history(gateway.gw, [*documents, signed])
        connection.execute(
            "INSERT INTO enrolment (gw, opens_epoch, digest, raw) VALUES (%s, %s, %s, %s)",
            (gateway.gw, enrolment.opens_epoch, signed.digest, signed.raw),
        )
        connection.execute(
            "UPDATE gateway SET public_key = %s, opens_epoch = %s, state = 'active', "
            "state_reason = %s, state_since = now() WHERE gw = %s",
            (
                enrolment.new_key.raw,
                enrolment.opens_epoch,
                f"re-enrolled by {enrolment.by}: {enrolment.reason}",
                gateway.gw,
            ),
        )
        detail = {"gw": gateway.gw, "opens_epoch": enrolment.opens_epoch, "by": enrolment.by}
        audit_log.add(connection, "enrol take", detail)
    return True


def check_operator(gateway: Gateway, operator: VerifyKey) -> None:
    """`BadInput` where `operator` is not the enrolment key of gateways.toml."""
    if gateway.operator != operator:
        wanted = gateway.operator.kid.hex() if gateway.operator else "one in gateways.toml"
        raise BadInput(f"enrolment key: expected {wanted}, got {operator.kid.hex()}")


def operator_of(gateways: Mapping[str, Gateway], path: Path) -> VerifyKey:
    """The enrolment key of the file at `path`; `BadInput` where it names none."""
    operator = next(iter(gateways.values())).operator
    if operator is None:
        raise BadInput(f"{path}: expected enrolment_key, got none: who may sign a re-enrolment?")
    return operator


def _standing(connection: psycopg.Connection, gw: str) -> tuple[ChainHead, VerifyKey]:
    row = connection.execute(
        "SELECT head_epoch, head_seq, head_digest, public_key FROM gateway WHERE gw = %s", (gw,)
    ).fetchone()
    if row is None or row[2] is None:
        raise BadInput(
            f"gateway {gw}: expected one that has sent, got none of its batches: "
            "a key that signed nothing is changed in gateways.toml"
        )
    return ChainHead(row[0], row[1], bytes(row[2])), VerifyKey(bytes(row[3]))


def listed(database_url: str, gateways: Mapping[str, Gateway]) -> list[dict[str, Any]]:
    """All re-enrolments of these gateways, checked, as JSON."""
    with psycopg.connect(database_url) as connection:
        return [
            as_json(signed)
            for gateway in gateways.values()
            for signed in history(connection, gateway)
        ]


def as_json(signed: SignedEnrolment) -> dict[str, Any]:
    """A re-enrolment for machines: keys as key ids, digests as hex."""
    enrolment = signed.enrolment
    return {
        "gw": enrolment.gw,
        "opens_epoch": enrolment.opens_epoch,
        "after_epoch": enrolment.head.epoch,
        "after_seq": enrolment.head.seq,
        "after_digest": enrolment.head.digest.hex(),
        "old_kid": enrolment.old_key.kid.hex(),
        "new_kid": enrolment.new_key.kid.hex(),
        "reason": enrolment.reason,
        "by": enrolment.by,
        "t_ms": enrolment.t_ms,
        "digest": signed.digest.hex(),
    }
