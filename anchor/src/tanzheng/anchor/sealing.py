"""From a package, or a statement that others signed, to a receipt: leaf, checkpoint, chain, proofs.

Every step leaves its result on disk before the next one, and finds what an earlier run left there:
a seal that was killed is finished by running it again, with the same statement, the same checkpoint
and the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tanzheng.anchor.errors import AnchorInput
from tanzheng.anchor.proof import take_proof
from tanzheng.core import inclusion, parameter_tree, receipt
from tanzheng.core.bag import check_bag
from tanzheng.core.checkpoint import NO_CHECKPOINT, Checkpoint, SignedCheckpoint
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.manifest import MANIFEST_PATH, Manifest
from tanzheng.core.statement import BlockReference, SignedStatement, Statement, Supersedes
from tanzheng.core.statements.common import LogName
from tanzheng.core.statements.migration import Migration
from tanzheng.core.statements.policy import RegistrationPolicy, TrustAnchors
from tanzheng.core.tiles import LogDamaged
from tanzheng.core.witness import encode_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tanzheng.anchor.chain_file import ChainFile
    from tanzheng.anchor.log_store import Contents, LogStore
    from tanzheng.anchor.publication import Publication, Publisher
    from tanzheng.core.keys import SigningKey, VerifyKey
    from tanzheng.core.statements.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Correction:
    """Why a subject that has a statement gets another: reason code and who approved it."""

    reason: str
    approver: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed statement: its leaf, the checkpoint over it, where that was mined, the receipt."""

    statement: SignedStatement
    index: int
    checkpoint: SignedCheckpoint
    publication: Publication
    receipt: bytes


class Sealer:
    """Seals packages and statements into one log. The caller holds the store's lock.

    `operator` signs statements, checkpoints and inclusions; `publisher` holds the chain's key.
    """

    def __init__(
        self, chain: ChainFile, store: LogStore, publisher: Publisher, operator: SigningKey
    ) -> None:
        self._chain = chain
        self._store = store
        self._publisher = publisher
        self._operator = operator

    def seal(
        self,
        files: Mapping[str, bytes],
        correction: Correction | None,
        now_ms: int,
        timeout_s: float,
    ) -> Sealed:
        """Seal a package given as path → bytes; see `Publisher.publish` for what the chain raises.

        `PackageInvalid` names the file that does not fit its manifest. A package that is the
        subject's current one is not stated twice: its receipt is made anew, as of the last
        checkpoint.
        """
        manifest = check_bag(files)
        contents = self._opened(timeout_s)
        index = self._leaf(contents, manifest, files[MANIFEST_PATH], correction)
        return self._sealed(contents, index, now_ms, timeout_s)

    def register(
        self, signed: SignedStatement, signer: VerifyKey, now_ms: int, timeout_s: float
    ) -> Sealed:
        """Seal a statement that `signer` signed elsewhere; what the chain raises as in `seal`.

        `SignatureInvalid` where it is of another key, `AnchorInput` where it does not follow its
        subject's last one or speaks of another log. The subject's current one is not stated twice.
        """
        signed.verify(signer)
        contents = self._opened(timeout_s)
        head = contents.heads.tree.head(signed.statement.subject)
        if head is None or head.digest != signed.digest:
            check_here(signed.statement, self._chain, contents.size)
            self._store.append(contents, [signed])
        index = contents.heads.index(signed.statement.subject)
        if index is None:
            raise LogDamaged(f"expected {signed.statement.subject} in the log, it is not")
        return self._sealed(contents, index, now_ms, timeout_s)

    def _opened(self, timeout_s: float) -> Contents:
        contents = self._store.open()
        if contents.last is not None:  # signed by an earlier run, perhaps not yet on the chain
            self._publish(contents.last, timeout_s)
        return contents

    def _sealed(self, contents: Contents, index: int, now_ms: int, timeout_s: float) -> Sealed:
        checkpoint = self._checkpoint(contents, now_ms)
        published = self._publish(checkpoint, timeout_s)
        raw = self._receipt(contents, index, checkpoint, published)
        return Sealed(contents.files.statement(index), index, checkpoint, published, raw)

    # ---------------------------------------------------------------- statement

    def _leaf(
        self, contents: Contents, manifest: Manifest, raw: bytes, correction: Correction | None
    ) -> int:
        """Index of the leaf that states this manifest; appended unless it is there."""
        index = contents.heads.index(manifest.subject)
        last = None if index is None else contents.files.statement(index)
        if index is not None and last is not None:
            head = contents.heads.tree.head(manifest.subject)
            if head is None or last.digest != head.digest:
                raise LogDamaged(f"leaf {index}: expected the current one of {manifest.subject}")
            if last.of(Statement).manifest_sha256 == sha256(raw):
                return index
        if (last is None) != (correction is None):
            raise AnchorInput(_correction_problem(manifest, last))
        statement = self._statement(manifest, raw, last, correction)
        self._store.append(contents, [statement.sign(self._operator)])
        return contents.size - 1

    def _statement(
        self,
        manifest: Manifest,
        raw: bytes,
        last: SignedStatement | None,
        correction: Correction | None,
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
            not_before=self._recent_block(),
        )

    def _recent_block(self) -> BlockReference:
        node = self._publisher.contract.node
        number = self._chain.finality.newest(node)
        block = node.block(number)
        return BlockReference(number, bytes.fromhex(block["hash"][2:]))

    # ---------------------------------------------------------------- checkpoint

    def _checkpoint(self, contents: Contents, now_ms: int) -> SignedCheckpoint:
        """The last checkpoint if it covers the whole log, else a new one that does."""
        last = contents.last
        if last is not None and last.checkpoint.size == contents.size:
            return last
        signed = next_checkpoint(contents, self._chain, now_ms).sign(self._operator)
        self._store.add_checkpoint(contents, signed)
        return signed

    def _publish(self, signed: SignedCheckpoint, timeout_s: float) -> Publication:
        point = signed.checkpoint
        return self._publisher.publish(point.seq, point.size, signed.digest, timeout_s)

    # ---------------------------------------------------------------- receipt

    def _receipt(
        self, contents: Contents, index: int, checkpoint: SignedCheckpoint, published: Publication
    ) -> bytes:
        statement, point = contents.files.statement(index), checkpoint.checkpoint
        proof = take_proof(
            self._publisher.contract.node,
            point.contract,
            point.seq,
            checkpoint.digest,
            published.mined,
        )
        head, place = contents.heads.tree.current(statement.statement.subject)
        included = self._inclusion(contents, index, point.size)
        transparent = inclusion.attach(statement.raw, included)
        cosigned = contents.files.cosignatures(point.seq)
        attestations = {receipt.COSIGNATURES: encode_all(cosigned)} if cosigned else {}
        return receipt.encode(transparent, checkpoint.raw, head, place, proof, attestations)

    def _inclusion(self, contents: Contents, index: int, size: int) -> bytes:
        root, path = contents.tree.root(size), contents.tree.inclusion(index, size)
        return inclusion.sign(root, size, index, path, self._operator)


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
