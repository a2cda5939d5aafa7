"""The month's statement and what is common to all kinds; the others are in `statements`."""

from tanzheng.core.statements.envelope import (
    CONTENT_TYPE,
    STATEMENT_BYTES_MAX,
    BlockReference,
    Supersedes,
)
from tanzheng.core.statements.kinds import SignedStatement, open_signed
from tanzheng.core.statements.month import GATEWAYS_MAX, Statement

__all__ = [
    "CONTENT_TYPE",
    "GATEWAYS_MAX",
    "STATEMENT_BYTES_MAX",
    "BlockReference",
    "SignedStatement",
    "Statement",
    "Supersedes",
    "decode",
    "open_signed",
]

decode = Statement.decode
