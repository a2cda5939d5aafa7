"""All points of what a verifier was handed: receipt, keys, documents, package."""

from tanzheng.core.hashing import sha256
from tanzheng.core.points import Point, Verdict, point
from tanzheng.core.receipt_check import check_receipt, logged
from tanzheng.core.statement import Statement
from tanzheng.core.statements.description import documents
from tanzheng.core.statements.keyring import Keyring
from tanzheng.verifier.attestations import check_attestations
from tanzheng.verifier.errors import DocumentForeign, KeyEventIgnored
from tanzheng.verifier.inputs import Inputs
from tanzheng.verifier.package import PACKAGE_POINTS, check_package


def check(given: Inputs) -> list[Point]:
    """Return the points of a receipt, and of what was given with it."""
    keyring = Keyring(given.trust, [logged(each, given.trust) for each in given.events])
    points = check_receipt(
        *(given.receipt, given.trust, given.last, given.consistency, given.cosignatures),
        keyring=keyring,
    )
    points = check_attestations(given.receipt, given.trust, points)
    if given.events:
        points.append(point("keys", lambda: _events(keyring, len(given.events))))
    if given.documents:
        points.append(point("documents", lambda: _documents(given)))
    stated = given.receipt.statement.statement
    if isinstance(stated, Statement):
        return points + check_package(given.files, stated, given.trust)
    detail = f"{stated.TYPE}: it has no package"
    return points + [Point(key, Verdict.NOT_ASKED, detail) for key in PACKAGE_POINTS]


def _events(keyring: Keyring, count: int) -> str:
    for event, reason in keyring.ignored:
        raise KeyEventIgnored(f"key event, leaf {event.index}: {reason}")
    return f"{count} of {count}"


def _documents(given: Inputs) -> str:
    named = documents(given.receipt.statement.statement)
    for path, data in given.documents.items():
        if sha256(data) not in named.values():
            raise DocumentForeign(
                f"{path}: expected one of {[*named] or 'no document'}, got {sha256(data).hex()}"
            )
    return ", ".join(given.documents)
