"""A chain with an anchored log, the contract of verified emissions and a key for every party."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eth_account import Account

from anchor.chain import LOG_ID, Deployed, deployed
from parts import missing
from tanzheng.anchor.calls import Mined, SignedTransaction, send
from tanzheng.anchor.devchain import Anvil, anvil_binary
from tanzheng.anchor.emissions_contract import Proof, VerifiedEmissions, deploy
from tanzheng.anchor.errors import AnchorInput
from tanzheng.core import attestation as roles
from tanzheng.core.attestation import Act, Attestation
from tanzheng.core.checkpoint import NO_CHECKPOINT, Checkpoint, SignedCheckpoint
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.keys import SigningKey
from tanzheng.core.merkle import Tree

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

OPERATOR = SigningKey.from_seed(b"operator".ljust(32, b"."))
SUBJECT, YEAR = "E1/U1", 2025
LEAVES = [b"signed statement %d" % i for i in range(13)]
DEADLINE = 4_000_000_000  # a chain's clock never gets there in a test


@dataclass(frozen=True)
class Parties:
    """Five keys that never pay: whoever hands an act in does."""

    reporter: LocalAccount
    reviewer: LocalAccount
    verifier: LocalAccount
    confirmer: LocalAccount
    disputer: LocalAccount

    def of(self, act: Act) -> LocalAccount:
        return {
            Act.REPORT: self.reporter,
            Act.REVIEW: self.reviewer,
            Act.VERIFY: self.verifier,
            Act.CONFIRM: self.confirmer,
            Act.DISPUTE: self.disputer,
            Act.UPHOLD: self.confirmer,
            Act.CORRECT: self.reporter,
        }[act]


@dataclass(frozen=True)
class Registered:
    """The chain as the registry sees it."""

    chain: Deployed
    emissions: VerifiedEmissions
    parties: Parties
    tree: Tree
    checkpoint: SignedCheckpoint

    def mine(self, signed: SignedTransaction) -> Mined:
        return mined(self.chain, signed)

    def attestation(self, act: Act, version: int, sequence: int) -> Attestation:
        statement, document = sha256(LEAVES[version]), sha256(act.encode())
        return Attestation(
            act, SUBJECT, YEAR, version, sequence, 1_234_567, statement, document, DEADLINE
        )

    def proof(self, leaf: int) -> Proof:
        seq, raw = self.checkpoint.checkpoint.seq, self.checkpoint.raw
        path = tuple(self.tree.inclusion(leaf))
        return Proof(self.chain.contract.address, seq, raw, LEAVES[leaf], leaf, path)

    def signed(self, attestation: Attestation) -> SignedTransaction:
        """`attestation` by its own party, in a transaction that the sealer pays."""
        signature = self.emissions.sign(self.parties.of(attestation.act), attestation)
        opens = attestation.act in (Act.REPORT, Act.CORRECT)
        proof = self.proof(attestation.version) if opens else None
        return self.emissions.sign_submission(self.chain.sealer, attestation, signature, proof)

    def play(self, *acts: Act) -> None:
        version = 1
        for sequence, act in enumerate(acts):
            version += act is Act.CORRECT
            assert self.mine(self.signed(self.attestation(act, version, sequence))).succeeded


@contextmanager
def own_anvil() -> Iterator[Anvil]:
    """A chain for the tests of a module that only read it, or undo what they do."""
    try:
        anvil_binary()
    except AnchorInput as error:
        missing(str(error))
    with Anvil() as anvil:
        yield anvil


def mined(chain: Deployed, signed: SignedTransaction) -> Mined:
    send(chain.node, signed.raw)
    while (found := chain.contract.receipt(signed.hash)) is None:
        time.sleep(0.005)
    return found


def checkpoint_of(chain: Deployed, tree: Tree, seq: int) -> SignedCheckpoint:
    """The signed checkpoint `seq` of the contract's log, over all of `tree`."""
    contract = bytes.fromhex(chain.contract.address[2:])
    previous = NO_CHECKPOINT if seq == 1 else sha256(b"before")
    sizes = (seq, tree.size, tree.root(), sm3(b"tree"), sha256(b"heads"), previous)
    return Checkpoint(chain.node.chain_id, contract, LOG_ID, *sizes, 1_790_000_000_000).sign(
        OPERATOR
    )


def registered(anvil: Anvil) -> Registered:
    chain, tree = deployed(anvil), Tree()
    tree.extend(LEAVES)
    checkpoint = checkpoint_of(chain, tree, 1)
    chain.publish(1, tree.size, checkpoint.digest)
    emissions = VerifiedEmissions(
        chain.node, *deploy(chain.node, chain.sealer, chain.owner.address)
    )
    parties = Parties(*(Account.from_key(bytes([seed] * 32)) for seed in range(11, 16)))
    grants = {
        roles.LOG_ROLE: chain.contract.address,
        roles.reporter_role(SUBJECT): parties.reporter.address,
        roles.REVIEWER_ROLE: parties.reviewer.address,
        roles.VERIFIER_ROLE: parties.verifier.address,
        roles.CONFIRMER_ROLE: parties.confirmer.address,
        roles.DISPUTER_ROLE: parties.disputer.address,
    }
    for role, account in grants.items():
        assert mined(chain, emissions.sign_grant(chain.owner, role, account)).succeeded
    return Registered(chain, emissions, parties, tree, checkpoint)


def other_figure(attestation: Attestation) -> Attestation:
    return replace(attestation, tonnes=attestation.tonnes + 1)
