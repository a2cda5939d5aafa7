"""From an evidence package to a receipt: statement, leaf, checkpoint, chain, proofs.

Every step leaves its result on disk before the next one, and finds what an earlier run left there:
a seal that was killed is finished by running it again, with the same statement, the same checkpoint
and the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tanzheng.anchor.errors import AnchorInput
from tanzheng.core import inclusion, parameter_tree, receipt
from tanzheng.core.bag import check_bag
from tanzheng.core.checkpoint import NO_CHECKPOINT, Checkpoint, SignedCheckpoint
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.manifest import MANIFEST_PATH, Manifest
from tanzheng.core.statement import BlockReference, SignedStatement, Statement, Supersedes
from tanzheng.core.statements.common import LogName
from tanzheng.core.statements.migration import Migration
from tanzheng.core.statements.policy import RegistrationPolicy, TrustAnchors, is_about_policy
from tanzheng.core.tiles import LogDamaged
from tanzheng.core.witness import encode_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tanzheng.anchor.chain_file import ChainFile
    from tanzheng.anchor.log_store import Contents, LogStore
    from tanzheng.anchor.publication import Publication
    from tanzheng.core.ids import Subject
    from tanzheng.core.keys import SigningKey, VerifyKey
    from tanzheng.core.receipt import EvmProof
    from tanzheng.core.statements.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Correction:
    """Why a subject that has a statement gets another: reason code and who approved it."""

    reason: str
    approver: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed package: its leaf, the checkpoint over it, where that was mined, the receipt."""

    statement: SignedStatement
    index: int
    checkpoint: SignedCheckpoint
    publication: Publication
    receipt: bytes


class Sealer:
    """States packages in one log, takes in what others state, signs checkpoints, makes receipts.

    Nothing is sent. `operator` signs all of its own; `recent_block` gives a block that is no later
    than the statement. The caller of `accept`, `register` and `checkpoint` holds the store's lock.
    """

    def __init__(
        self,
        chain: ChainFile,
        store: LogStore,
        operator: SigningKey,
        recent_block: Callable[[Contents], BlockReference],
    ) -> None:
        self._chain = chain
        self._store = store
        self._operator = operator
        self._recent_block = recent_block

    def accept(
        self, contents: Contents, files: Mapping[str, bytes], correction: Correction | None
    ) -> int:
        """Index of the leaf that states the package, given as path → bytes; durable from here on.

        `PackageInvalid` names the file that does not fit its manifest, `NotAllowed` what the log's
        policy expects. A package that is the subject's current one is not stated twice.
        """
        manifest, raw = check_bag(files), files[MANIFEST_PATH]
        last = current(contents, manifest.subject)
        if last is not None and last[1].of(Statement).manifest_sha256 == sha256(raw):
            return last[0]
        if (last is None) != (correction is None):
            raise AnchorInput(_correction_problem(manifest, last and last[1]))
        block = self._recent_block(contents)
        statement = self._statement(manifest, raw, last and last[1], correction, block)
        signed = statement.sign(self._operator)
        check_allowed(contents, signed)
        self._store.append(contents, [signed])
        return contents.size - 1

    def checkpoint(self, contents: Contents, now_ms: int) -> SignedCheckpoint:
        """The last checkpoint if it covers the whole log, else a new one that does."""
        last = contents.last
        if last is not None and last.checkpoint.size == contents.size:
            return last
        signed = next_checkpoint(contents, self._chain, now_ms).sign(self._operator)
        self._store.add_checkpoint(contents, signed)
        return signed

    def receipt(
        self, contents: Contents, index: int, checkpoint: SignedCheckpoint, proof: EvmProof
    ) -> bytes:
        """The receipt of leaf `index` as of `checkpoint`, which `proof` finds on the chain."""
        statement, point = contents.files.statement(index), checkpoint.checkpoint
        heads = contents.heads_at(checkpoint)
        head, place = heads.tree.current(statement.statement.subject)
        root, path = contents.tree.root(point.size), contents.tree.inclusion(index, point.size)
        included = inclusion.sign(root, point.size, index, path, self._operator)
        transparent = inclusion.attach(statement.raw, included)
        cosigned = contents.files.cosignatures(point.seq)
        attestations = {receipt.COSIGNATURES: encode_all(cosigned)} if cosigned else {}
        return receipt.encode(transparent, checkpoint.raw, head, place, proof, attestations)

    def register(self, contents: Contents, signed: SignedStatement, signer: VerifyKey) -> int:
        """Index of the leaf of a statement that `signer` signed elsewhere; durable from here on.

        `SignatureInvalid` where it is of another key, `AnchorInput` where it does not follow its
        subject's last one or speaks of another log, `NotAllowed` where the log's policy does not
        let it in. The subject's current one is not stated twice.
        """
        signed.verify(signer)
        last = current(contents, signed.statement.subject)
        if last is not None and last[1].digest == signed.digest:
            return last[0]
        check_here(signed.statement, self._chain, contents.size)
        self._check_policy_own(signed)
        check_allowed(contents, signed)
        self._store.append(contents, [signed])
        return contents.size - 1

    def _check_policy_own(self, signed: SignedStatement) -> None:
        """What the log takes in is for its operator to say, with the key that is at hand."""
        own = self._operator.public.kid
        if isinstance(signed.statement, RegistrationPolicy) and signed.kid != own:
            raise AnchorInput(
                f"policy: expected it signed by the operator's key {own.hex()}, "
                f"got {signed.kid.hex()}"
            )

    # ---------------------------------------------------------------- statement

    def _statement(
        self,
        manifest: Manifest,
        raw: bytes,
        last: SignedStatement | None,
        correction: Correction | None,
        not_before: BlockReference,
    ) -> Statement:
        supersedes = None
        if last is not None and correction is not None:
            supersedes = Supersedes(last.digest, correction.reason, correction.approver)
        return Statement(
            issuer=manifest.subject.enterprise,
            subject=manifest.subject,
            start_ms=manifest.start_ms,
            end_ms=manifest.end_ms,
            seq=last.statement.seq + 1 if last else 1,
            prev=last.digest if last else None,
            supersedes=supersedes,
            manifest_sha256=sha256(raw),
            manifest_sm3=sm3(raw),
            parameters_root=parameter_tree.tree(manifest).root(),
            gateways=manifest.gateways,
            standard=manifest.standard,
            rules=manifest.rules,
            software=manifest.software,
            not_before=not_before,
        )


def current(contents: Contents, subject: Subject) -> tuple[int, SignedStatement] | None:
    """The subject's current statement and its leaf index; None where it has none."""
    index = contents.heads.index(subject)
    if index is None:
        return None
    found, head = contents.files.statement(index), contents.heads.tree.head(subject)
    if head is None or found.digest != head.digest:
        raise LogDamaged(f"leaf {index}: expected the current one of {subject}")
    return index, found


def check_allowed(contents: Contents, signed: SignedStatement) -> None:
    """Return where the newest policy of the log, if it has one, lets `signed` in; `NotAllowed`."""
    about = [head.subject for head in contents.heads.tree if is_about_policy(head.subject)]
    leaves = [leaf for leaf in map(contents.heads.index, about) if leaf is not None]
    if leaves:
        newest = contents.files.statement(max(leaves))
        newest.of(RegistrationPolicy).check_allows(signed)


def check_here(stated: Envelope, chain: ChainFile, size: int) -> None:
    """Return where a statement that names a log names this one; else `AnchorInput`."""
    named: LogName | None = None
    if isinstance(stated, (RegistrationPolicy, TrustAnchors)):
        named = stated.log
    elif isinstance(stated, Migration):
        named = stated.new
        if size:
            raise AnchorInput(f"migration: expected it first in its log, got {size} statements")
    here = LogName(chain.chain_id, chain.contract, chain.log_id)
    if named not in (None, here):
        raise AnchorInput(f"{stated.TYPE}: expected a statement of {here}, got {named}")


def next_checkpoint(contents: Contents, chain: ChainFile, now_ms: int) -> Checkpoint:
    """The checkpoint over everything in the log, not signed yet."""
    last = contents.last
    root_sha256, root_sm3 = contents.roots()
    return Checkpoint(
        chain_id=chain.chain_id,
        contract=chain.contract,
        log_id=chain.log_id,
        seq=last.checkpoint.seq + 1 if last else 1,
        size=contents.size,
        root_sha256=root_sha256,
        root_sm3=root_sm3,
        heads_root=contents.heads.tree.root,
        previous=last.digest if last else NO_CHECKPOINT,
        t_ms=now_ms,
    )


def _correction_problem(manifest: Manifest, last: SignedStatement | None) -> str:
    if last is None:
        return f"{manifest.subject}: expected no --reason, there is no statement to supersede"
    return (
        f"{manifest.subject}: expected --reason and --approver, because another package was "
        f"sealed as statement {last.statement.seq}; a correction supersedes it, nothing is replaced"
    )
