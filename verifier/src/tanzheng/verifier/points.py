"""All points of what a verifier was handed: receipt, keys, documents, package."""

from collections.abc import Sequence

from tanzheng.core.errors import TanzhengError
from tanzheng.core.hashing import sha256
from tanzheng.core.points import Point, Verdict, point
from tanzheng.core.receipt_check import check_receipt, logged
from tanzheng.core.statement import Statement
from tanzheng.core.statements.description import documents
from tanzheng.core.statements.key_event import KeyEvent
from tanzheng.core.statements.keyring import Keyring, Logged
from tanzheng.verifier.attestations import check_attestations
from tanzheng.verifier.errors import DocumentForeign, KeyEventIgnored
from tanzheng.verifier.inputs import Inputs
from tanzheng.verifier.package import PACKAGE_POINTS, check_package


def check(given: Inputs) -> list[Point]:
    """Return the points of a receipt, and of what was given with it."""
    points = check_stated(given)
    stated = given.receipt.statement.statement
    if isinstance(stated, Statement):
        return points + check_package(given.files, stated, given.trust)
    detail = f"{stated.TYPE}: it has no package"
    return points + [Point(key, Verdict.NOT_ASKED, detail) for key in PACKAGE_POINTS]


def check_stated(given: Inputs) -> list[Point]:
    """Return the points of a receipt of any kind, its keys and documents: all but a package's."""
    placed, reasons = list[Logged](), list[str]()
    for event in given.events:
        try:
            event.statement.of(KeyEvent)
            placed.append(logged(event, given.trust))
        except TanzhengError as error:
            reasons.append(f"key event, leaf {event.inclusion.index}: {error}")
    keyring = Keyring(given.trust, placed)
    points = check_receipt(
        *(given.receipt, given.trust, given.last, given.consistency, given.cosignatures),
        keyring=keyring,
    )
    points = check_attestations(given.receipt, given.trust, points)
    reasons += [f"key event, leaf {event.index}: {reason}" for event, reason in keyring.ignored]
    if given.events:
        points.append(point("keys", lambda: _events(reasons, len(given.events))))
    if given.documents:
        points.append(point("documents", lambda: _documents(given)))
    return points


def _events(reasons: Sequence[str], count: int) -> str:
    for reason in reasons:
        raise KeyEventIgnored(reason)
    return f"{count} of {count}"


def _documents(given: Inputs) -> str:
    named = documents(given.receipt.statement.statement)
    for path, data in given.documents.items():
        if sha256(data) not in named.values():
            raise DocumentForeign(
                f"{path}: expected one of {[*named] or 'no document'}, got {sha256(data).hex()}"
            )
    return ", ".join(given.documents)
