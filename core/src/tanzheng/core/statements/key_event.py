"""A key comes, is replaced, or goes: leaves of the same log as what it signed (evidence §11)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from tanzheng.core import cbor
from tanzheng.core.errors import EncodingError, SignatureInvalid
from tanzheng.core.keys import KID_BYTES, SigningKey, VerifyKey
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.forms import IDENTIFIER, PUBLIC_KEY, integer, octets, optional, word
from tanzheng.core.statements.roles import Role

POSSESSION_TAG = "tanzheng/possession/v1"


class KeyAct(StrEnum):
    """What happens to a key."""

    ADD = "add"
    ROTATE = "rotate"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvent(Envelope):
    """An event in the life of a key of `issuer` in `role`.

    Its subject is `HOLDER/keys/ROLE/key-event`, so that all events of a holder in a role are one
    chain. `key`: the new one (add, rotate); `possession`: its own signature, so that nobody brings
    another's key. `kid`: the old one (rotate, revoke). `compromised_since_ms`: from when on
    nothing signed by it counts; None where it was only given up. `reason`: a code, of a revocation.
    """

    TYPE: ClassVar[str] = "tanzheng.key_event"
    SUBJECT_KIND: ClassVar[str] = "key-event"

    role: Annotated[Role, word(Role)]
    act: Annotated[KeyAct, word(KeyAct)]
    key: Annotated[VerifyKey | None, optional(PUBLIC_KEY)]
    possession: Annotated[bytes | None, optional(octets(64))]
    kid: Annotated[bytes | None, optional(octets(KID_BYTES))]
    compromised_since_ms: Annotated[int | None, optional(integer())]
    reason: Annotated[str | None, optional(IDENTIFIER)]

    @property
    def signer(self) -> Role:
        """Another key of the same holder and role, or the one that goes."""
        return self.role

    def check(self) -> None:
        at = self.subject
        if (at.enterprise, at.unit, at.period) != (self.issuer, "keys", str(self.role)):
            raise EncodingError(
                f"statement.subject: expected {self.issuer}/keys/{self.role}/key-event, got {at}"
            )
        revoked = self.act is KeyAct.REVOKE
        wanted = {
            "key": not revoked,
            "possession": not revoked,
            "kid": self.act is not KeyAct.ADD,
            "reason": revoked,
        }
        for name, want in wanted.items():
            if (getattr(self, name) is not None) != want:
                raise EncodingError(f"statement.{name}: expected {'one' if want else 'none'}")
        if self.compromised_since_ms is not None and not revoked:
            raise EncodingError("statement.compromised_since_ms: expected none but to revoke")

    def check_possession(self) -> None:
        """Return where the new key signed for itself; else `SignatureInvalid`."""
        if self.key is None or self.possession is None:
            raise SignatureInvalid(f"key event: expected a new key, got the act {self.act}")
        self.key.verify(self.possession, to_be_possessed(self.issuer, self.role, self.key))


def possess(holder: str, role: Role, key: SigningKey) -> bytes:
    """Return what a new key signs to show that its `holder` has it."""
    return key.sign(to_be_possessed(holder, role, key.public))


def to_be_possessed(holder: str, role: Role, key: VerifyKey) -> bytes:
    """Return the bytes that a new key signs (key-event.cddl, `possessed`)."""
    return cbor.dumps([POSSESSION_TAG, holder, str(role), key.raw])
