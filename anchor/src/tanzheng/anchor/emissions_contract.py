"""The VerifiedEmissions contract: what to sign, the transaction that hands it in, what it holds."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from eth_account import Account
from web3 import Web3

from tanzheng.anchor import calls
from tanzheng.anchor.calls import DeployedContract, SignedTransaction
from tanzheng.anchor.errors import AnchorInput
from tanzheng.core.attestation import ACTS, STATUSES, Act, Attestation, Domain, Status

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from tanzheng.anchor.node import Node

NO_ADDRESS = "0x" + "00" * 20
_OPENING = (Act.REPORT, Act.CORRECT)


@dataclass(frozen=True, slots=True)
class Proof:
    """Where a report's statement is: `log` the CheckpointLog's address, the rest as in the log.

    `checkpoint` and `statement` are the signed bytes; `path` leads from leaf `index` to the root.
    """

    log: str
    seq: int
    checkpoint: bytes
    statement: bytes
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a figure; an address is None until that party has signed."""

    statement: bytes
    reporter: str | None
    tonnes: int
    status: Status
    disputed_from: Status
    sequence: int
    reviewer: str | None
    verifier: str | None
    confirmer: str | None
    disputer: str | None


@dataclass(frozen=True, slots=True)
class ConfirmedFigure:
    """What a registry may book."""

    tonnes: int
    statement: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Attested:
    """The event of one act; `sequence` counts without a gap for each subject and year."""

    block_number: int
    act: Act
    subject: str
    year: int
    version: int
    sequence: int
    status: Status
    tonnes: int
    statement: bytes
    document: bytes
    signer: str


class VerifiedEmissions(DeployedContract):
    """The contract at `address` on `node`; it was deployed in block `since`."""

    name = "VerifiedEmissions"

    @property
    def domain(self) -> Domain:
        """What a signature for this contract names: its chain and its address."""
        return Domain(self.node.chain_id, bytes.fromhex(self.address[2:]))

    # ---------------------------------------------------------------- signing

    def typed_data(self, attestation: Attestation) -> dict[str, Any]:
        """The JSON that the party's wallet shows and signs (`eth_signTypedData_v4`)."""
        return attestation.typed_data(self.domain)

    def sign(self, key: LocalAccount, attestation: Attestation) -> bytes:
        """The party's signature, 65 bytes r ‖ s ‖ v; where its key is at hand, not in a wallet."""
        return bytes(Account.unsafe_sign_hash(attestation.digest(self.domain), key.key).signature)

    # ---------------------------------------------------------------- handing in

    def sign_submission(
        self, key: LocalAccount, attestation: Attestation, signature: bytes, proof: Proof | None
    ) -> SignedTransaction:
        """The signed transaction, paid by `key`, that hands `attestation` in; nothing is sent.

        `proof` exactly for a report or a correction. `ContractReverted` names what is wrong.
        """
        opens = attestation.act in _OPENING
        if opens == (proof is None):
            expected = "a proof" if opens else "no proof"
            raise AnchorInput(f"{attestation.act}: expected {expected} that the log has it")
        what = f"{attestation.act} {attestation.subject} {attestation.year}"
        message = (ACTS.index(attestation.act), *astuple(attestation)[1:])
        if proof is None:
            return self._sign(key, what, "attest", message, signature)
        return self._sign(key, what, "report", message, signature, astuple(proof))

    def sign_grant(self, key: LocalAccount, role: bytes, account: str) -> SignedTransaction:
        """The admin's signed call that gives `account` a role (`tanzheng.core.attestation`)."""
        return self._sign(key, "grant", "grantRole", role, Web3.to_checksum_address(account))

    def sign_revoke(self, key: LocalAccount, role: bytes, account: str) -> SignedTransaction:
        """The admin's signed call that takes a role from `account`."""
        return self._sign(key, "revoke", "revokeRole", role, Web3.to_checksum_address(account))

    # ---------------------------------------------------------------- reading

    def confirmed(self, subject: str, year: int) -> ConfirmedFigure:
        """The figure to book; `ContractReverted` with its status where it is not confirmed."""
        tonnes, statement, version = self._call("confirmed", subject, year)
        return ConfirmedFigure(int(tonnes), bytes(statement), int(version))

    def version_count(self, subject: str, year: int) -> int:
        """Number of versions of a figure; 0 where nothing was reported."""
        return int(self._call("versionCount", subject, year))

    def version_of(self, subject: str, year: int, version: int) -> Version | None:
        """Version `version` (from 1) of a figure; None where there is none."""
        found = self._call("versionOf", subject, year, version)
        read = Version(
            statement=bytes(found[0]),
            reporter=_party(found[1]),
            tonnes=int(found[2]),
            status=STATUSES[found[3]],
            disputed_from=STATUSES[found[4]],
            sequence=int(found[5]),
            reviewer=_party(found[6]),
            verifier=_party(found[7]),
            confirmer=_party(found[8]),
            disputer=_party(found[9]),
        )
        return None if read.status is Status.NONE else read

    def attested(self, first_block: int | None = None) -> list[Attested]:
        """All acts from `first_block` (default: the deployment) on, in the chain's order."""
        event = self._contract.events.Attested()
        first = self._since if first_block is None else first_block
        with self.node.errors("eth_getLogs"):
            found = event.get_logs(from_block=first)
        return [_attested(entry["blockNumber"], entry["args"]) for entry in found]


def deploy(node: Node, key: LocalAccount, admin: str) -> tuple[str, int]:
    """Deploy the contract and wait until it is mined; returns its address and block number."""
    return calls.deploy(node, key, VerifiedEmissions.name, calls.ADMIN_DELAY_S, admin)


def _party(address: str) -> str | None:
    return None if address == NO_ADDRESS else address


def _attested(block_number: int, values: Any) -> Attested:
    return Attested(
        block_number=block_number,
        act=ACTS[values["act"]],
        subject=values["subject"],
        year=values["year"],
        version=values["version"],
        sequence=values["sequence"],
        status=STATUSES[values["status"]],
        tonnes=values["tonnes"],
        statement=bytes(values["statement"]),
        document=bytes(values["document"]),
        signer=values["signer"],
    )
