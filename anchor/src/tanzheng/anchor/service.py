"""The anchor folder as a whole: opens its parts, deploys, seals, answers for its state.

    chain.json   log/ (`log_store`)   publications/   sealer.key

This is where clock, random numbers, key files and folders come in; `commands` only shows.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eth_utils.address import is_address, to_checksum_address

from tanzheng.anchor import keyfile
from tanzheng.anchor.agreement import Agreement
from tanzheng.anchor.backlog import Backlog, Publications
from tanzheng.anchor.chain_file import NAME, ChainFile
from tanzheng.anchor.contract import CheckpointLog, Latest, deploy
from tanzheng.anchor.errors import (
    AnchorInput,
    ChainUnavailable,
    DiskRefused,
    NoLongerFinal,
    NotFinal,
)
from tanzheng.anchor.log_store import Contents, LogStore
from tanzheng.anchor.node import REQUEST_S_MAX, Node
from tanzheng.anchor.nodes import Nodes
from tanzheng.anchor.package_files import read_package
from tanzheng.anchor.proof import take_proof
from tanzheng.anchor.publication import Finality, Publication, Publisher
from tanzheng.anchor.publisher_file import PublisherFile
from tanzheng.anchor.sealing import Correction, Sealed, Sealer, current
from tanzheng.core.bag import check_bag
from tanzheng.core.checkpoint import ConsistencyProof, SignedCheckpoint
from tanzheng.core.hashing import sha256
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.manifest import MANIFEST_PATH
from tanzheng.core.statement import Statement, open_signed
from tanzheng.core.tiles import LogDamaged
from tanzheng.files import durable

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from tanzheng.core.receipt import EvmProof
    from tanzheng.core.statement import BlockReference, SignedStatement

FINAL_S_MAX = 900.0
LOCK_S_MAX = 60.0
"""The log is locked while statements are appended, never while the chain is waited for."""
DEV_BALANCE_WEI = 10**20


@dataclass(frozen=True, slots=True)
class Standing:
    """What `status` reports: the audited log, the chain, the publication under way, the queue."""

    chain: ChainFile
    contents: Contents
    latest: Latest | None
    publication: Publication | None
    backlog: Backlog


class AnchorFolder:
    """One log in one folder; `rpc` in place of the nodes that its files name; `report`: `LogStore`.

    A node that does not answer within `request_s_max` seconds is silent.
    """

    def __init__(
        self,
        folder: Path,
        rpc: str | None = None,
        report: Callable[[str], None] = lambda _: None,
        request_s_max: float = REQUEST_S_MAX,
    ) -> None:
        self._folder = folder
        self.chain = ChainFile.read(folder)
        self._settings = PublisherFile.read(folder, self.chain)
        self._nodes = Nodes([rpc] if rpc else self._settings.nodes, request_s_max)
        self._store = LogStore(folder / "log", report)
        self._publications = Publications(folder / "publications")

    def seal(
        self,
        package: Path,
        operator_key: Path,
        out: Path,
        correction: Correction | None,
        on_state: Callable[[Publication], None],
    ) -> Sealed:
        """Seal `package`, wait until it is final, and write its receipt to `out`, durably.

        The statement is in the log before the chain is asked for anything.
        """
        sealer, files = self._sealer(operator_key), read_package(package)

        def take(contents: Contents) -> int:
            return sealer.accept(contents, files, correction)

        return self._anchored(sealer, take, out, on_state)

    def register(
        self,
        statement: Path,
        signer_key: Path,
        operator_key: Path,
        out: Path,
        on_state: Callable[[Publication], None],
    ) -> Sealed:
        """Seal a statement that others signed, as `seal` does a package."""
        sealer, signed = self._sealer(operator_key), open_signed(read_file(statement))
        signer = VerifyKey.from_pem(read_file(signer_key), str(signer_key))

        def take(contents: Contents) -> int:
            return sealer.register(contents, signed, signer)

        return self._anchored(sealer, take, out, on_state)

    def _anchored(
        self,
        sealer: Sealer,
        take: Callable[[Contents], int],
        out: Path,
        on_state: Callable[[Publication], None],
    ) -> Sealed:
        """`take` puts a statement into the log; bring it to the chain, write its receipt."""
        with durable.disk(self._folder, DiskRefused), ExitStack() as publishing:
            with self._store.lock(LOCK_S_MAX):
                contents = self._store.open()
                index = take(contents)
                publishing.enter_context(self._publications.lock())
                sealer.checkpoint(contents, _now_ms())
            self._publish(contents, on_state)
            sealed = self._sealed(sealer, contents, index)
        _write(out, sealed.receipt)
        return sealed

    def accept(
        self, package: Path, operator_key: Path, correction: Correction | None
    ) -> tuple[SignedStatement, int]:
        """Put the statement of `package` into the log and return it with its index.

        The chain is asked for a recent block and for nothing else; it need not answer.
        """
        sealer, files = self._sealer(operator_key), read_package(package)
        with durable.disk(self._folder, DiskRefused), self._store.lock(LOCK_S_MAX):
            contents = self._store.open()
            index = sealer.accept(contents, files, correction)
        return contents.files.statement(index), index

    def receipt(self, package: Path, operator_key: Path, out: Path) -> Sealed:
        """Write the receipt of a package whose statement is final; `NotFinal` where it waits."""
        sealer, files = self._sealer(operator_key), read_package(package)
        contents, manifest = self._store.read(), check_bag(files)
        found = current(contents, manifest.subject)
        if found is None or found[1].of(Statement).manifest_sha256 != sha256(files[MANIFEST_PATH]):
            raise AnchorInput(
                f"{package}: expected the current package of {manifest.subject}, got one that was "
                "not sealed, or that was superseded"
            )
        with durable.disk(self._folder, DiskRefused):
            sealed = self._sealed(sealer, contents, found[0])
        _write(out, sealed.receipt)
        return sealed

    def backlog(self) -> Backlog:
        """What waits for the chain, by the files alone; nothing is audited."""
        return self._publications.backlog(self._store.checkpoints(), self._store.size())

    def node_states(self) -> dict[str, str]:
        """Name of each node → "", or what kept it from answering when it was last asked."""
        return self._nodes.states()

    def drain(self, operator_key: Path, on_state: Callable[[Publication], None]) -> None:
        """Bring all that waits to `final`; statements that come in meanwhile are left.

        One checkpoint is under way at a time, over everything that waited when it was signed.
        The log is locked only while it is signed: statements come in while the chain is slow.
        """
        sealer = self._sealer(operator_key)
        if self.backlog().empty:
            self._check_final(self._contract(), self._store.checkpoints())
            return
        with durable.disk(self._folder, DiskRefused), self._publications.lock():
            with self._store.lock(LOCK_S_MAX):
                contents = self._store.open()
                if not self._publications.open(contents.checkpoints) and contents.size:
                    sealer.checkpoint(contents, _now_ms())
            self._publish(contents, on_state)

    def consistency(self, first: int) -> ConsistencyProof:
        """Proof that the newest checkpoint extends the log of `first` leaves."""
        contents = self._store.read()
        if contents.last is None:
            raise AnchorInput("expected a log with a checkpoint, nothing was sealed yet")
        second = contents.last.checkpoint.size
        if not 1 <= first <= second:
            raise AnchorInput(f"--from: expected a size from 1 to {second}, got {first}")
        return ConsistencyProof(first, second, tuple(contents.tree.consistency(first, second)))

    def add_cosignature(self, cosignature: Path, witness_key: Path) -> SignedCheckpoint:
        """Keep a witness's cosignature in the log: receipts made from now on carry it."""
        witness = VerifyKey.from_pem(read_file(witness_key), str(witness_key))
        with self._store.lock():
            return self._store.add_cosignature(read_file(cosignature), witness)

    def standing(self, ask_chain: bool) -> Standing:
        """Audit the log on disk and, if asked, hold it against the contract.

        `LogDamaged` where the chain has a checkpoint that the disk has not, or another one.
        """
        contents = self._store.read()
        publication = None
        if contents.last is not None:
            publication = self._publications.record(contents.last.checkpoint.seq)
        latest = None
        if ask_chain:
            contract = self._contract()
            self._check_final(contract, contents.checkpoints)
            latest = contract.latest()
        if latest is not None and latest.seq > 0:
            digests = [signed.digest for signed in contents.checkpoints]
            if latest.head not in digests[latest.seq - 1 : latest.seq]:
                raise LogDamaged(
                    f"checkpoint {latest.seq}: expected {latest.head.hex()} as on the chain, "
                    f"got {len(digests)} checkpoints on disk without it"
                )
        backlog = self._publications.backlog(contents.checkpoints, contents.size)
        return Standing(self.chain, contents, latest, publication, backlog)

    def _sealer(self, operator_key: Path) -> Sealer:
        operator = SigningKey.from_pem(read_file(operator_key), str(operator_key))
        return Sealer(self.chain, self._store, operator, self._recent_block)

    def _recent_block(self, contents: Contents) -> BlockReference:
        """The newest final block, or where the chain is silent one that is named already."""
        try:
            return self._nodes.first(self.chain.finality.block)
        except ChainUnavailable:
            if contents.size == 0:
                raise
            return contents.files.statement(contents.size - 1).statement.not_before

    def _publish(self, contents: Contents, on_state: Callable[[Publication], None]) -> None:
        """Bring every checkpoint to `final` in its order, and keep the proof of each."""
        waiting = self._publications.open(contents.checkpoints)
        if waiting:
            publisher = self._publisher(on_state)
            self._check_final(publisher.contract, contents.checkpoints)
            for signed in waiting:
                point = signed.checkpoint
                publisher.publish(point.seq, point.size, signed.digest, FINAL_S_MAX)
                self._proof(signed)
        elif contents.last is not None:  # a kill between the two
            self._proof(contents.last)

    def _sealed(self, sealer: Sealer, contents: Contents, index: int) -> Sealed:
        checkpoint = self._publications.last_final(contents.checkpoints)
        if checkpoint is None or checkpoint.checkpoint.size <= index:
            raise NotFinal(f"leaf {index}: expected a final checkpoint over it, got none yet")
        record = self._publications.record(checkpoint.checkpoint.seq)
        assert record is not None
        raw = sealer.receipt(contents, index, checkpoint, self._proof(checkpoint))
        return Sealed(contents.files.statement(index), index, checkpoint, record, raw)

    def _check_final(
        self, contract: CheckpointLog, checkpoints: Sequence[SignedCheckpoint]
    ) -> None:
        """`NoLongerFinal` where the newest final checkpoint's block is no longer on the chain."""
        last = self._publications.last_final(checkpoints)
        record = self._publications.record(last.checkpoint.seq) if last else None
        if record is None:
            return
        number, block_hash = record.mined
        if (found := contract.node.block_hash(number)) != block_hash:
            raise NoLongerFinal(
                f"checkpoint {record.seq}: expected final block {number} with hash "
                f"{block_hash.hex()}, got {found.hex() if found else 'none'}"
            )

    def _proof(self, signed: SignedCheckpoint) -> EvmProof:
        """The proof of a final checkpoint, from its file or else from the chain."""
        seq = signed.checkpoint.seq
        kept, record = self._publications.proof(seq), self._publications.record(seq)
        assert record is not None
        if kept is None:
            contract, block = signed.checkpoint.contract, record.mined
            kept = take_proof(self._nodes.lead, contract, seq, signed.digest, block)
            self._publications.keep_proof(seq, kept)
        return kept

    def _publisher(self, on_state: Callable[[Publication], None]) -> Publisher:
        contract, settings = self._contract(), self._settings
        signer = settings.open_signer(self._folder)
        agreement = Agreement(self._nodes, contract.address, self.chain.finality)
        folder, finality = self._publications.folder, self.chain.finality
        return Publisher(contract, signer, finality, folder, on_state, settings.fees, agreement)

    def _contract(self) -> CheckpointLog:
        """The contract, after making sure that chain and log are the ones of chain.json."""
        self._nodes.survey(self.chain.chain_id, self.chain.finality)
        node = self._nodes.lead
        contract = CheckpointLog(node, f"0x{self.chain.contract.hex()}", self.chain.block)
        if contract.log_id() != self.chain.log_id:
            raise AnchorInput(
                f"expected log {self.chain.log_id.hex()}, got {contract.log_id().hex()}"
            )
        return contract


def deploy_log(
    rpc: str, folder: Path, sealer_key: Path, owner: str, finality: Finality
) -> ChainFile:
    """Deploy a contract for a new log of `folder`; the sealer's account pays."""
    if not is_address(owner):
        raise AnchorInput(f"owner: expected an address of 20 bytes in hexadecimal, got {owner!r}")
    sealer, path = keyfile.load(sealer_key), str(sealer_key.absolute())
    return _deploy(Node(rpc), folder, sealer, path, owner, finality)


def deploy_development_log(rpc: str, folder: Path) -> ChainFile:
    """The same on anvil, with fresh keys in `folder` and money from nowhere."""
    node, accounts = Node(rpc), []
    durable.make_folder(folder)
    for name in ("sealer.key", "owner.key"):
        path = folder / name
        accounts.append(keyfile.load(path) if path.exists() else keyfile.create(path))
        node.rpc("anvil_setBalance", accounts[-1].address, hex(DEV_BALANCE_WEI))
    sealer, owner = accounts
    return _deploy(node, folder, sealer, "sealer.key", owner.address, Finality(0))


def _deploy(
    node: Node, folder: Path, sealer: LocalAccount, key_path: str, owner: str, finality: Finality
) -> ChainFile:
    durable.make_folder(folder)
    if (folder / NAME).exists():  # before money is spent; `write` would refuse as well
        raise AnchorInput(f"expected no {NAME} in {folder}: this log is anchored")
    log_id = secrets.token_bytes(32)
    address, block = deploy(node, sealer, log_id, to_checksum_address(owner), sealer.address)
    chain = ChainFile(
        rpc=node.url,
        chain_id=node.chain_id,
        contract=bytes.fromhex(address[2:]),
        log_id=log_id,
        block=block,
        finality=finality,
        sealer_key=key_path,
    )
    chain.write(folder)
    return chain


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _write(out: Path, raw: bytes) -> None:
    with durable.disk(out.parent, DiskRefused):
        durable.make_folder(out.absolute().parent)
        durable.overwrite(out, raw)


def read_file(path: Path) -> bytes:
    """The content of a file that was named; `AnchorInput` where there is none."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise AnchorInput(f"expected a file in {path}, got {error.strerror}") from None
