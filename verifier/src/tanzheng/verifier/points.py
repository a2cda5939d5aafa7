"""All points of what a verifier was handed: receipt, keys, documents, package."""

from collections.abc import Sequence

from tanzheng.core.errors import TanzhengError
from tanzheng.core.hashing import sha256
from tanzheng.core.points import Point, Verdict, point
from tanzheng.core.receipt import Receipt
from tanzheng.core.receipt_check import check_log_signed, check_receipt, logged
from tanzheng.core.statement import Statement
from tanzheng.core.statements.description import documents
from tanzheng.core.statements.key_event import KeyEvent
from tanzheng.core.statements.keyring import Keyring, Logged
from tanzheng.core.trust import Trust
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
    keyring, reasons = _keys(given.events, given.trust)
    points = check_receipt(
        *(given.receipt, given.trust, given.last, given.consistency, given.cosignatures),
        keyring=keyring,
    )
    points = check_attestations(given.receipt, given.trust, points)
    if given.events:
        points.append(point("keys", lambda: _events(reasons, len(given.events))))
    if given.documents:
        points.append(point("documents", lambda: _documents(given)))
    return points


def _keys(events: Sequence[Receipt], trust: Trust) -> tuple[Keyring, list[str]]:
    """The keyring with these key events, and why some of them do not count."""
    placed, refused = list[tuple[Receipt, Logged]](), list[tuple[int, str]]()
    for event in events:
        try:
            event.statement.of(KeyEvent)
            placed.append((event, logged(event, trust)))
        except TanzhengError as error:
            refused.append((event.inclusion.index, str(error)))
    keyring = Keyring(trust, [at for _, at in placed])
    refused += [(at.index, reason) for at, reason in keyring.ignored]
    for event, at in placed:
        try:
            check_log_signed(event, keyring, at.t_ms)
        except TanzhengError as error:
            refused.append((at.index, str(error)))
    return keyring, [f"key event, leaf {index}: {reason}" for index, reason in refused]


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
