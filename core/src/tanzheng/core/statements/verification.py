"""The third party's verification statement and the fourth party's re-check of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from tanzheng.core.errors import EncodingError
from tanzheng.core.statements.common import Codes, Quantities, References, To, check_beside
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.forms import DECIMAL, Digest, Text, optional, word
from tanzheng.core.statements.roles import Role


class Opinion(StrEnum):
    """What a verifier concludes (ISO 14064-3:2019)."""

    UNMODIFIED = "unmodified"
    MODIFIED = "modified"
    ADVERSE = "adverse"
    DISCLAIMED = "disclaimed"


class Assurance(StrEnum):
    """How sure the verifier had to be (ISO 14064-3:2019)."""

    REASONABLE = "reasonable"
    LIMITED = "limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification(Envelope):
    """The verification statement of the report `of`; its subject ends with `verification`.

    `quantities`: as verified, sorted by name. `findings`: codes of what was not in conformity,
    sorted, some exactly where the opinion is not unmodified. `report_sha256`: of the verification
    report.
    """

    TYPE: ClassVar[str] = "tanzheng.verification"
    SUBJECT_KIND: ClassVar[str] = "verification"
    SIGNER: ClassVar[Role] = Role.VERIFIER

    of: To
    opinion: Annotated[Opinion, word(Opinion)]
    assurance: Annotated[Assurance, word(Assurance)]
    materiality_percent: Annotated[str | None, optional(DECIMAL)]
    quantities: Quantities
    findings: Codes
    lead_verifier: Text
    report_sha256: Digest

    def check(self) -> None:
        check_beside(self.subject, self.of.subject)
        if (self.opinion is Opinion.UNMODIFIED) == bool(self.findings):
            raise EncodingError(
                "statement.findings: expected some exactly where the opinion is not unmodified"
            )


class Finding(StrEnum):
    """What a re-check came to."""

    UPHELD = "upheld"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck(Envelope):
    """The fourth party's re-check of the statement `of`; its subject ends with `recheck`.

    `sample`: the statements that were looked at again, sorted by subject; `quantities`: as found
    again; `findings`: codes, some exactly where `of` is contradicted.
    """

    TYPE: ClassVar[str] = "tanzheng.recheck"
    SUBJECT_KIND: ClassVar[str] = "recheck"
    SIGNER: ClassVar[Role] = Role.RECHECK

    of: To
    sample: References
    finding: Annotated[Finding, word(Finding)]
    quantities: Quantities
    findings: Codes
    report_sha256: Digest

    def check(self) -> None:
        check_beside(self.subject, self.of.subject)
        if (self.finding is Finding.CONTRADICTED) != bool(self.findings):
            raise EncodingError(
                "statement.findings: expected some exactly where the statement is contradicted"
            )
