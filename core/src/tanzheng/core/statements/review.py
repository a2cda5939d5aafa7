"""The review: an authority accepts another's statement or returns it with its reasons."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from tanzheng.core.errors import EncodingError
from tanzheng.core.statements.common import Codes, To, check_beside
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.forms import octets, optional, word
from tanzheng.core.statements.roles import Role


class Level(StrEnum):
    """Whose review it is: the city's comes first, the province's after it."""

    CITY = "city"
    PROVINCE = "province"


class Outcome(StrEnum):
    """What the review came to."""

    ACCEPTED = "accepted"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Envelope):
    """A review of the statement `of`; its subject ends with `review.LEVEL.KIND`.

    `reasons`: codes, sorted, exactly where it is returned. `document_sha256`: of the letter, None
    where there is none.
    """

    TYPE: ClassVar[str] = "tanzheng.review"
    SUBJECT_KIND: ClassVar[str] = "review"

    of: To
    level: Annotated[Level, word(Level)]
    outcome: Annotated[Outcome, word(Outcome)]
    reasons: Codes
    document_sha256: Annotated[bytes | None, optional(octets(32))]

    @property
    def signer(self) -> Role:
        """The authority whose level it is."""
        return Role(self.level)

    def check(self) -> None:
        check_beside(self.subject, self.of.subject)
        kind = f"review.{self.level}.{self.of.subject.kind}"
        if self.subject.kind != kind:
            raise EncodingError(f"statement.subject: expected the kind {kind}, got {self.subject}")
        if (self.outcome is Outcome.RETURNED) != bool(self.reasons):
            raise EncodingError("statement.reasons: expected some exactly where it is returned")
