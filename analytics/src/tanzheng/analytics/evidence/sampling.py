"""Which accepted months the nation looks into: a draw that anybody can repeat.

Key = public randomness ‖ SHA-256 of the sorted pool, one subject a line; months are ranked by
HMAC-SHA256 (RFC 2104) of their subject, the lowest are drawn. The pool's digest is published before
the randomness is known, so neither side can choose who is drawn.
"""

import hmac
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, Decimal

from tanzheng.analytics.evidence.entries import Draw
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject

PERIOD = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")


def pool_sha256(pool: Iterable[Subject]) -> bytes:
    """Digest of the sorted subjects, each with a line end (what `sha256sum` says of the list)."""
    return sha256("".join(f"{text}\n" for text in sorted(map(str, pool))).encode())


def draw(pool: Sequence[Subject], period: str, randomness: bytes, count: int) -> Draw:
    """The draw of `count` months of `pool`; `BadInput` where it has not so many."""
    if not 1 <= count <= len(pool):
        raise BadInput(
            f"expected to draw 1 to {len(pool)} of the accepted months of {period}, got {count}"
        )
    return Draw(period, randomness, pool_sha256(pool), len(pool), count)


def drawn(pool: Iterable[Subject], of: Draw) -> list[Subject]:
    """The months that `of` draws from `pool`, the first drawn first.

    `BadInput` where `pool` is not the one that the draw names.
    """
    listed = list(pool)
    if pool_sha256(listed) != of.pool_sha256 or len(listed) != of.pool:
        raise BadInput(
            f"expected the draw from the {len(listed)} accepted months of {of.period} with digest "
            f"{pool_sha256(listed).hex()}, got {of.pool} with {of.pool_sha256.hex()}"
        )
    key = of.randomness + of.pool_sha256
    return sorted(listed, key=lambda item: (_rank(key, item), item))[: of.drawn]


def count_of(share: Decimal, pool: int) -> int:
    """How many months are a `share` (above 0, at most 1) of `pool`, rounded up."""
    if not 0 < share <= 1:
        raise BadInput(f"expected a share above 0 and at most 1, got {share}")
    return int((share * pool).to_integral_value(ROUND_CEILING))


def in_period(subject: Subject, period: str) -> bool:
    """Whether a month lies in `period`, `YYYY` or `YYYY-MM`; `BadInput` for anything else."""
    if PERIOD.fullmatch(period) is None:
        raise BadInput(f"expected a period YYYY or YYYY-MM, got {period!r}")
    return subject.period == period or subject.period.startswith(f"{period}-")


def _rank(key: bytes, subject: Subject) -> bytes:
    return hmac.digest(key, str(subject).encode(), "sha256")
