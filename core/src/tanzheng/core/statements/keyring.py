"""Whose signature counts: the trust file, and the key events of the log since.

The trust file names the first keys of every holder. A key event counts where a key that stands
signed it, of the same holder and role: an operator cannot make itself a city's key by sealing one.
Events are taken in the order of the log:

    add      the new key counts from the event on
    rotate   signed by the old key, which counts up to the event
    revoke   nothing later counts, and where the key was compromised since T, nothing of which the
             chain does not prove that it was there before T, earlier key events included

A key may always revoke itself. What a compromised key said of keys since T falls with it, and so
does what rests on that. A compromise that was once found stays: in doubt nobody is trusted. Where
the trust file binds a holder to plants, it binds the keys that come after, too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tanzheng.core.errors import CheckFailed, TanzhengError
from tanzheng.core.jurisdiction import Jurisdiction
from tanzheng.core.keys import VerifyKey
from tanzheng.core.points import instant
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.key_event import KeyAct, KeyEvent
from tanzheng.core.statements.kinds import SignedStatement
from tanzheng.core.statements.roles import Role
from tanzheng.core.trust import OperatorKey, Trust, Untrusted


class KeyGone(CheckFailed):
    """A key that was rotated out or revoked before it signed this, or compromised by then."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A statement, its leaf index, and the time by which the chain proves that it was there."""

    index: int
    t_ms: int
    signed: SignedStatement


@dataclass(frozen=True, slots=True)
class _Held:
    """A key and the leaves, `first` to `last`, that are its to sign; holder None: the operator."""

    holder: str | None
    role: Role
    key: OperatorKey
    jurisdiction: Jurisdiction | None = None
    first: int = 0
    last: int | None = None


class Keyring:
    """Who may sign what and when; `ignored` are the events that do not count, with the reason."""

    def __init__(self, trust: Trust, events: Iterable[Logged] = ()) -> None:
        """Apply key events; other statements among `events` are passed over."""
        log = sorted(events, key=lambda event: event.index)
        self._cuts: dict[bytes, int] = {}
        while True:
            self._held = {held.key.public.kid: held for held in _roots(trust)}
            self.ignored: list[tuple[Logged, str]] = []
            before = dict(self._cuts)
            for event in log:
                self._take(event)
            if self._cuts == before:
                return

    def check(self, logged: Logged) -> VerifyKey:
        """Return the key that signed a statement where that counts.

        `Untrusted` where its role, issuer, key and plant do not belong together, `KeyGone`,
        `SignatureInvalid`.
        """
        stated, kid = logged.signed.statement, logged.signed.kid
        if isinstance(stated, KeyEvent) and stated.act is KeyAct.REVOKE and stated.kid == kid:
            public = self._of(stated.role, stated.issuer, kid).key.public
        else:
            public = self.key(stated.signer, stated.issuer, kid, logged.index, logged.t_ms)
        self._check_plant(stated, kid)
        logged.signed.verify(public)
        return public

    def key(self, role: Role, holder: str, kid: bytes, index: int, t_ms: int) -> VerifyKey:
        """Return the key `kid` where `holder` may sign leaf `index` with it in `role` at `t_ms`."""
        held = self._of(role, holder, kid)
        if not held.key.valid_at(t_ms):
            raise Untrusted(f"{role} key {kid.hex()}: expected it valid at {t_ms}, it is not")
        if index < held.first or (held.last is not None and index > held.last):
            raise KeyGone(
                f"{role} key {kid.hex()}: expected leaf {held.first} to {held.last}, got {index}"
            )
        cut = self._cuts.get(kid)
        if cut is not None and t_ms >= cut:
            raise KeyGone(
                f"{role} key {kid.hex()}: compromised since {instant(cut)}, "
                f"and this was there by {instant(t_ms)} only"
            )
        return held.key.public

    def _of(self, role: Role, holder: str, kid: bytes) -> _Held:
        held = self._held.get(kid)
        if held is None or held.role is not role or held.holder not in (None, holder):
            raise Untrusted(f"{role} key: expected a trusted one of {holder}, got {kid.hex()}")
        return held

    def _check_plant(self, stated: Envelope, kid: bytes) -> None:
        """Whoever speaks of a plant has it on trust; of its own keys a holder always speaks."""
        over, enterprise = self._held[kid].jurisdiction, stated.subject.enterprise
        if over is None or isinstance(stated, KeyEvent) or over.covers(enterprise):
            return
        raise Untrusted(
            f"{stated.signer} key {kid.hex()}: expected a plant of {stated.issuer}'s ({over}), "
            f"got {enterprise}"
        )

    # ---------------------------------------------------------------- events

    def _take(self, logged: Logged) -> None:
        event = logged.signed.statement
        if not isinstance(event, KeyEvent):
            return
        try:
            self._apply(logged, event)
        except TanzhengError as error:
            self.ignored.append((logged, str(error)))

    def _apply(self, logged: Logged, event: KeyEvent) -> None:
        self.check(logged)
        if event.act is KeyAct.ROTATE and event.kid != logged.signed.kid:
            raise Untrusted("key event: expected the old key to sign that it is rotated")
        if event.key is not None:
            self._add(logged, event, event.key)
        if event.kid is not None:
            self._end(logged, event, event.kid)

    def _add(self, logged: Logged, event: KeyEvent, public: VerifyKey) -> None:
        event.check_possession()
        if public.kid in self._held:
            raise Untrusted(f"key event: expected a new key, {public.kid.hex()} is held already")
        by = self._held[logged.signed.kid]
        key = OperatorKey(public, logged.t_ms, None)
        self._held[public.kid] = replace(by, key=key, first=logged.index, last=None)

    def _end(self, logged: Logged, event: KeyEvent, kid: bytes) -> None:
        held = self._of(event.role, event.issuer, kid)
        last = logged.index if held.last is None else min(held.last, logged.index)
        self._held[kid] = replace(held, last=last)
        if event.compromised_since_ms is not None:
            known = self._cuts.get(kid, event.compromised_since_ms)
            self._cuts[kid] = min(known, event.compromised_since_ms)


def standing(keyring: Keyring, log: Iterable[Logged]) -> Iterator[tuple[Logged, str | None]]:
    """Yield each statement with None where it stands, else with the reason why it does not."""
    for logged in log:
        try:
            keyring.check(logged)
        except TanzhengError as error:
            yield logged, str(error)
        else:
            yield logged, None


def _roots(trust: Trust) -> Iterator[_Held]:
    for key in trust.operator_keys:
        yield _Held(None, Role.OPERATOR, key)
    for signer in trust.signers:
        yield _Held(signer.name, signer.role, signer.key, signer.jurisdiction)
