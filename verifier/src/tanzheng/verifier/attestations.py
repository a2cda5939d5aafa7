"""What stands beside a receipt's core and needs more than core has: RFC 3161 time stamps."""

from collections.abc import Sequence

from tanzheng.core.points import Point, point
from tanzheng.core.receipt import RFC3161, Receipt
from tanzheng.core.trust import Trust


def check_attestations(receipt: Receipt, trust: Trust, points: Sequence[Point]) -> list[Point]:
    """Return `points` with the answer on a time stamp, where there is one and one is trusted."""
    authorities, token = trust.timestamp_authorities, receipt.attestations.get(RFC3161)
    if not authorities or token is None:
        return list(points)
    from tanzheng.verifier.timestamp import check_timestamp

    answer = point(RFC3161, lambda: check_timestamp(token, receipt.core, authorities))
    return [answer if each.key == RFC3161 else each for each in points]
