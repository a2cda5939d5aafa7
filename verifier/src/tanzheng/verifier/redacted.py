"""The points of a redacted package: where its figures lead, and who says so."""

from tanzheng.core.disclosure import Disclosure
from tanzheng.core.points import NotAskedError, Point, Verdict, point
from tanzheng.core.receipt import Receipt
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.statement import Statement
from tanzheng.core.trust import Trust

RECEIPT_POINTS = (
    "included",
    "signer",
    "current",
    "consistent",
    "not_before",
    "not_after",
    "anchor",
)


def check_disclosure(
    disclosure: Disclosure, receipt: Receipt | None, trust: Trust | None
) -> list[Point]:
    """The points of a disclosure; without receipt or trust file what rests on them is not asked."""

    def disclosed() -> str:
        disclosure.check()
        shown = "; ".join(f"{each.name} {each.value} {each.unit}" for each in disclosure.figures)
        return f"{shown}: {len(disclosure.figures)} of {disclosure.leaves} leaves"

    def named() -> str:
        if receipt is None:
            raise NotAskedError("give --receipt: nobody else says that this root is the sealed one")
        disclosure.check_named_by(receipt.statement.of(Statement))
        return f"parameter root {disclosure.parameters_root.hex()[:16]}…, manifest digests"

    points = [point("disclosed", disclosed), point("named", named)]
    if receipt is None or trust is None:
        needed = "give --receipt and --trust"
        return points + [Point(key, Verdict.NOT_ASKED, needed) for key in RECEIPT_POINTS]
    return points + check_receipt(receipt, trust)
