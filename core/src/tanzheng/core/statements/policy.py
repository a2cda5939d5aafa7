"""What the log takes in, and whom a verifier is advised to trust: stated by the log's operator.

The subject of both begins with `OPERATOR/log/all/`. Neither replaces the verifier's own trust file:
what an operator says of itself is evidence of what it said, and when. The newest policy of a log is
in force for what comes after it; a policy can always follow on another one, or a log could lock
itself.
"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, ClassVar

from tanzheng.core.closed import INTEGER_MAX
from tanzheng.core.errors import BadInput, EncodingError
from tanzheng.core.ids import Subject
from tanzheng.core.statements.common import LOG, LogName, check_log_subject
from tanzheng.core.statements.envelope import Envelope, Signed
from tanzheng.core.statements.forms import (
    Count,
    Identifier,
    Positive,
    PublicKey,
    Text,
    ascending,
    integer,
    octets,
    optional,
    record,
    word,
)
from tanzheng.core.statements.roles import Role

ROLE = word(Role)

ALGORITHM = integer(least=-INTEGER_MAX)


class NotAllowed(BadInput):
    """A statement that the registration policy in force does not let into the log."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A payload type that the log takes in, and the roles whose keys may have signed it."""

    type: Text
    roles: Annotated[tuple[Role, ...], ascending(ROLE, least=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPolicy(Envelope):
    """What is registered (RFC 9943, registration policy).

    `algorithms`: COSE algorithm numbers, ascending. `document_sha256`: of the text of the policy.
    """

    TYPE: ClassVar[str] = "tanzheng.registration_policy"
    SUBJECT_KIND: ClassVar[str] = "policy"
    SIGNER: ClassVar[Role] = Role.OPERATOR

    log: Annotated[LogName, LOG]
    accepts: Annotated[
        tuple[Accepted, ...], ascending(record(Accepted), least=1, key=attrgetter("type"))
    ]
    algorithms: Annotated[tuple[int, ...], ascending(ALGORITHM, least=1)]
    statement_bytes_max: Positive
    document_sha256: Annotated[bytes | None, optional(octets(32))]

    def check(self) -> None:
        check_log_subject(self.subject)

    def check_allows(self, signed: Signed[Envelope]) -> None:
        """Return where the log may take in `signed` while this is in force; else `NotAllowed`."""
        stated = signed.statement
        if isinstance(stated, RegistrationPolicy):
            return
        accepted = next((each for each in self.accepts if each.type == stated.TYPE), None)
        if accepted is None:
            raise self._refusal(signed, "a type of", [each.type for each in self.accepts])
        if stated.signer not in accepted.roles:
            raise self._refusal(signed, "a signer of", [*map(str, accepted.roles)])
        if signed.algorithm not in self.algorithms:
            raise self._refusal(signed, "a COSE algorithm of", [*self.algorithms])
        if len(signed.raw) > self.statement_bytes_max:
            raise self._refusal(signed, "bytes up to", self.statement_bytes_max)

    def _refusal(self, signed: Signed[Envelope], what: str, allowed: object) -> "NotAllowed":
        stated = signed.statement
        return NotAllowed(
            f"{stated.subject}: policy {self.seq} of {self.subject} expects {what} {allowed}, got "
            f"{stated.TYPE} by the role {stated.signer}, {signed.algorithm.name}, "
            f"{len(signed.raw)} bytes"
        )


def is_about_policy(subject: Subject) -> bool:
    """Say whether the statements of `subject` are registration policies."""
    return subject.kind.partition(".")[0] == RegistrationPolicy.SUBJECT_KIND


@dataclass(frozen=True, slots=True)
class AnchoredKey:
    """A key that is to be trusted in a role from `not_before_ms` to `not_after_ms`, inclusive."""

    holder: Identifier
    role: Annotated[Role, ROLE]
    key: PublicKey
    not_before_ms: Count
    not_after_ms: Annotated[int | None, optional(integer())]

    @property
    def order(self) -> tuple[str, str, bytes]:
        """By holder, role and key id."""
        return self.holder, self.role, self.key.kid


@dataclass(frozen=True, slots=True)
class AnchoredWitness:
    """A witness of the log, by name and key."""

    name: Identifier
    key: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnchors(Envelope):
    """Log, keys and witnesses as the operator names them; `threshold` of the witnesses cosign."""

    TYPE: ClassVar[str] = "tanzheng.trust_anchors"
    SUBJECT_KIND: ClassVar[str] = "trust-anchors"
    SIGNER: ClassVar[Role] = Role.OPERATOR

    log: Annotated[LogName, LOG]
    keys: Annotated[
        tuple[AnchoredKey, ...], ascending(record(AnchoredKey), least=1, key=attrgetter("order"))
    ]
    witnesses: Annotated[
        tuple[AnchoredWitness, ...], ascending(record(AnchoredWitness), key=attrgetter("name"))
    ]
    threshold: Count

    def check(self) -> None:
        check_log_subject(self.subject)
        if self.threshold > len(self.witnesses):
            raise EncodingError(
                f"statement.threshold: expected at most {len(self.witnesses)}, got {self.threshold}"
            )
