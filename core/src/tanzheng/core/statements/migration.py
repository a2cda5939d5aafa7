"""Migration: how a new log is tied to the end of the old one. It is leaf 0 of the new log."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from tanzheng.core.errors import EncodingError
from tanzheng.core.statements.common import LOG, LogName, check_log_subject
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.forms import Digest, Identifier, Positive
from tanzheng.core.statements.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration(Envelope):
    """The old log ends with a checkpoint, and the new one goes on from there.

    `checkpoint_sha256`: of the signed checkpoint `checkpoint_seq` over `size` statements, the old
    log's last; `receipt_sha256`: of a receipt with it. `reason`: a code.
    """

    TYPE: ClassVar[str] = "tanzheng.migration"
    SUBJECT_KIND: ClassVar[str] = "migration"
    SIGNER: ClassVar[Role] = Role.OPERATOR

    old: Annotated[LogName, LOG]
    new: Annotated[LogName, LOG]
    checkpoint_seq: Positive
    size: Positive
    checkpoint_sha256: Digest
    receipt_sha256: Digest
    reason: Identifier

    def check(self) -> None:
        check_log_subject(self.subject)
        if self.old == self.new:
            raise EncodingError("statement.new: expected another log than the old one")
