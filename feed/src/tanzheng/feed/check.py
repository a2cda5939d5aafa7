"""What a registry checks of an item before it books it. Pure: an item, and what is trusted.

Every check raises `NotProved` or core's own `CheckFailed`; nothing is trusted because the server
said it. `authentic` answers who signed the line, `check` whether its content is proved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tanzheng.core import receipt
from tanzheng.core.errors import SignatureInvalid
from tanzheng.core.feed import STORED, FeedItem
from tanzheng.core.heads import verify_current
from tanzheng.core.points import Verdict, instant
from tanzheng.core.receipt_check import CLOCK_SKEW_MS_MAX, check_receipt
from tanzheng.core.secp256k1 import recover_address
from tanzheng.core.statements.confirmed import ConfirmedEmissions
from tanzheng.core.trust import Untrusted
from tanzheng.feed.confirmed import check_confirmed
from tanzheng.feed.errors import NotProved

if TYPE_CHECKING:
    from tanzheng.core.feed import SignedItem
    from tanzheng.core.feed_parts import FeedAct
    from tanzheng.core.statements.keyring import Keyring
    from tanzheng.core.trust import Trust
    from tanzheng.feed.authority import Authority


@dataclass(frozen=True, slots=True)
class Checked:
    """An item that may be booked. `stored`: its figure is in the state of an observed block.

    `superseded`: the log holds a later statement on the year; the contract decides.
    """

    stored: bool
    superseded: bool


@dataclass(frozen=True, slots=True)
class Checker:
    """TRUST.json (operator, log, province, blocks) and AUTHORITY.json (contract, parties).

    `keyring`: the trust file with the key events that the registry knows of.
    """

    trust: Trust
    authority: Authority
    keyring: Keyring | None = None

    def authentic(self, signed: SignedItem) -> None:
        """Return where the operator signed this line for this contract's feed."""
        signed.verify(self.trust.operator(signed.kid, signed.item.signed_ms))
        if signed.item.domain != self.authority.domain:
            raise NotProved(
                f"feed: expected that of contract 0x{self.authority.domain.contract.hex()} on "
                f"chain {self.authority.domain.chain_id}, got 0x{signed.item.contract.hex()} on "
                f"{signed.item.chain_id}"
            )

    def check(self, item: FeedItem) -> Checked:
        """Return where subject, amount and everyone who stands for them are proved."""
        if item.signed_ms < item.event.time_s * 1000 - CLOCK_SKEW_MS_MAX:
            raise NotProved(
                f"signed: expected after its event ({instant(item.event.time_s * 1000)}), "
                f"got {instant(item.signed_ms)}"
            )
        superseded = self._check_statement(item)
        stored = self._check_storage(item)
        self._check_parties(item, stored)
        return Checked(stored, superseded)

    def _check_statement(self, item: FeedItem) -> bool:
        taken, named = receipt.decode(item.receipt), item.confirmation.document
        if taken.statement.digest != named:
            raise NotProved(
                f"receipt: expected that of the province's statement {named.hex()}, "
                f"got {taken.statement.digest.hex()}"
            )
        confirmed = taken.statement.of(ConfirmedEmissions)
        verify_current(taken.head, taken.place, taken.checkpoint.checkpoint.heads_root)
        superseded = taken.head.digest != named
        for point in check_receipt(taken, self.trust, keyring=self.keyring):
            if point.verdict is Verdict.FAILED and not (superseded and point.key == "current"):
                raise NotProved(f"receipt: {point.en}: {point.detail}")
        check_confirmed(item, confirmed)
        return superseded

    def _check_storage(self, item: FeedItem) -> bool:
        """What the contract holds is what the item says; True where the block was observed."""
        if item.proof is None:
            return False
        figure = (item.subject, item.year, item.figure_version)
        header, stored = item.proof.stored(item.contract, *figure)
        block = (item.event.block_number, item.event.block_hash, item.event.time_s)
        expected = (item.statement, item.tonnes, STORED[item.status])
        found = (stored.statement, stored.figure.tonnes, stored.figure.status)
        signers = tuple(act.signer for act in item.acts[:4])
        is_that_block = (header.number, header.hash, header.time_s) == block
        if found != expected or stored.signers != signers or not is_that_block:
            raise NotProved(
                f"contract: expected {item.status}, {item.tonnes} t and the four signers in block "
                f"{item.event.block_number}, got {stored.figure.status}, {stored.figure.tonnes} t"
            )
        try:
            self.trust.block(header.hash)
        except Untrusted:
            return False
        return True

    def _check_parties(self, item: FeedItem, stored: bool) -> None:
        for act in item.acts:
            if act.signature is None and not stored:
                raise NotProved(
                    f"{act.act}: expected a signature, or storage proved under an observed block"
                )
            if act.signature is not None and _signer(item, act, act.signature) != act.signer:
                raise NotProved(f"{act.act}: expected the signature of 0x{act.signer.hex()}")
            if not self.authority.may(act.act, item.subject, act.signer):
                raise NotProved(
                    f"{act.act}: expected an account with that role for {item.subject}, "
                    f"got 0x{act.signer.hex()}"
                )
        if len({act.signer for act in item.acts[:4]}) != 4:
            raise NotProved(f"{item.subject}: expected four different signers")


def _signer(item: FeedItem, act: FeedAct, signature: bytes) -> bytes:
    """The address whose key signed the act; a larger s the contract refuses, too (EIP-2)."""
    digest = item.attestation(act).digest(item.domain)
    try:
        return recover_address(digest, signature[:64] + bytes([signature[64] - 27]))
    except (SignatureInvalid, ValueError) as error:
        raise NotProved(f"{act.act}: expected a signature, got {error}") from error
