"""What the verifier says of bytes handed in: the answer that every vector and mutant is held to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tanzheng.core import checkpoint, receipt, witness
from tanzheng.core.checkpoint import ConsistencyProof, SignedCheckpoint
from tanzheng.core.disclosure import Disclosure
from tanzheng.core.errors import BadInput
from tanzheng.core.points import Point, Verdict
from tanzheng.core.statement import Statement
from tanzheng.core.trust import Trust
from tanzheng.core.witness import Cosignature
from tanzheng.verifier.inputs import Inputs
from tanzheng.verifier.package import check_package
from tanzheng.verifier.points import check_stated
from tanzheng.verifier.redacted import check_disclosure
from tanzheng.verifier.report import exit_code

SIGN1 = b"\xd2"


@dataclass(frozen=True)
class Given:
    """What a verifier is handed, as bytes; a vector's case without its name."""

    receipt: bytes
    trust: bytes
    last_checkpoint: bytes | None = None
    consistency: bytes | None = None
    cosignatures: Sequence[bytes] = ()
    key_events: Sequence[bytes] = ()
    documents: Mapping[str, bytes] | None = field(default=None, hash=False)
    disclosure: bytes | None = None
    package: Mapping[str, bytes] | None = field(default=None, hash=False)


def judge(given: Given) -> dict[str, Any]:
    """`{"refused": what}`, or the verdict and detail of each point by its name."""
    opened: dict[str, Any] = {}
    for what, read in READERS.items():
        if (data := getattr(given, what)) is None:
            continue
        try:
            opened[what] = read(data)
        except BadInput:
            return {"refused": what}
    stated = opened["receipt"].statement.statement
    if given.package is not None and not isinstance(stated, Statement):
        return {"refused": "package"}
    points = _points(given, opened)
    return {
        "exit_code": exit_code(points),
        "points": {point.key: str(point.verdict) for point in points},
        "details": {point.key: point.detail for point in points},
    }


def refused(answer: Mapping[str, Any]) -> bool:
    """Whether the answer is a no."""
    return "refused" in answer or Verdict.FAILED in answer["points"].values()


def _points(given: Given, opened: Mapping[str, Any]) -> list[Point]:
    decoded = opened["receipt"]
    points = check_stated(
        Inputs(
            decoded, None, opened["trust"], opened.get("last_checkpoint"),
            opened.get("consistency"), opened["cosignatures"], opened["key_events"],
            given.documents or {},
        )
    )  # fmt: skip
    statement = decoded.statement.statement
    if given.package is not None:
        body = check_package(given.package, statement, opened["trust"])[0]
        points.append(body)
    if given.disclosure is not None:
        points += check_disclosure(opened["disclosure"], decoded, None)[:2]
    return points


def _checkpoint(raw: bytes) -> SignedCheckpoint:
    if raw[:1] == SIGN1:
        return checkpoint.open_signed(raw)
    return receipt.decode(raw).checkpoint


def _cosignatures(raws: Sequence[bytes]) -> tuple[Cosignature, ...]:
    return tuple(
        each
        for raw in raws
        for each in (
            [witness.open_cosignature(raw)] if raw[:1] == SIGN1 else witness.decode_all(raw)
        )
    )


READERS: dict[str, Any] = {
    "last_checkpoint": _checkpoint,
    "consistency": ConsistencyProof.decode,
    "receipt": receipt.decode,
    "trust": Trust.decode,
    "cosignatures": _cosignatures,
    "key_events": lambda raws: tuple(map(receipt.decode, raws)),
    "disclosure": Disclosure.decode,
}
