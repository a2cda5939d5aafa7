"""The anchor folder as a whole: opens its parts, deploys, seals, answers for its state.

    chain.json   log/ (`log_store`)   publications/   sealer.key

This is where clock, random numbers, key files and folders come in; `commands` only shows.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eth_utils.address import is_address, to_checksum_address

from tanzheng.anchor import file_ops, keyfile
from tanzheng.anchor.chain_file import NAME, ChainFile
from tanzheng.anchor.contract import CheckpointLog, Latest, deploy
from tanzheng.anchor.errors import AnchorInput
from tanzheng.anchor.log_store import Contents, LogStore
from tanzheng.anchor.node import Node
from tanzheng.anchor.package_files import read_package
from tanzheng.anchor.publication import Finality, Publication, Publisher
from tanzheng.anchor.sealing import Correction, Sealed, Sealer
from tanzheng.core.checkpoint import ConsistencyProof, SignedCheckpoint
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.tiles import LogDamaged

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

FINAL_S_MAX = 900.0
DEV_BALANCE_WEI = 10**20


@dataclass(frozen=True, slots=True)
class Standing:
    """What `status` reports: the audited log, what the chain has, the publication under way."""

    chain: ChainFile
    contents: Contents
    latest: Latest | None
    publication: Publication | None


class AnchorFolder:
    """One log in one folder; `rpc` overrides the node named in chain.json; `report`: `LogStore`."""

    def __init__(
        self,
        folder: Path,
        rpc: str | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self.chain = ChainFile.read(folder)
        self._node = Node(rpc or self.chain.rpc)
        self._store = LogStore(folder / "log", report)

    def seal(
        self,
        package: Path,
        operator_key: Path,
        out: Path,
        correction: Correction | None,
        on_state: Callable[[Publication], None],
    ) -> Sealed:
        """Seal `package` and write its receipt to `out`, durably."""
        operator = SigningKey.from_pem(_read(operator_key), str(operator_key))
        files = read_package(package)
        with file_ops.disk(self._folder), self._store.lock():
            sealer = Sealer(self.chain, self._store, self._publisher(on_state), operator)
            sealed = sealer.seal(files, correction, time.time_ns() // 1_000_000, FINAL_S_MAX)
        with file_ops.disk(out.parent):
            file_ops.make_folder(out.absolute().parent)
            file_ops.overwrite(out, sealed.receipt)
        return sealed

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
        witness = VerifyKey.from_pem(_read(witness_key), str(witness_key))
        with self._store.lock():
            return self._store.add_cosignature(_read(cosignature), witness)

    def standing(self, ask_chain: bool) -> Standing:
        """Audit the log on disk and, if asked, hold it against the contract.

        `LogDamaged` where the chain has a checkpoint that the disk has not, or another one.
        """
        contents = self._store.read()
        publication = None
        if contents.last is not None:
            seq = contents.last.checkpoint.seq
            publication = Publication.read(self._publications(), seq)
        latest = self._contract().latest() if ask_chain else None
        if latest is not None and latest.seq > 0:
            digests = [signed.digest for signed in contents.checkpoints]
            if latest.head not in digests[latest.seq - 1 : latest.seq]:
                raise LogDamaged(
                    f"checkpoint {latest.seq}: expected {latest.head.hex()} as on the chain, "
                    f"got {len(digests)} checkpoints on disk without it"
                )
        return Standing(self.chain, contents, latest, publication)

    def _publisher(self, on_state: Callable[[Publication], None]) -> Publisher:
        key = keyfile.load(self._folder / self.chain.sealer_key)
        folder = self._publications()
        file_ops.make_folder(folder)
        return Publisher(self._contract(), key, self.chain.finality, folder, on_state)

    def _contract(self) -> CheckpointLog:
        """The contract, after making sure that chain and log are the ones of chain.json."""
        if self._node.chain_id != self.chain.chain_id:
            raise AnchorInput(
                f"expected chain {self.chain.chain_id} at {self._node.url}, "
                f"got {self._node.chain_id}"
            )
        contract = CheckpointLog(self._node, f"0x{self.chain.contract.hex()}", self.chain.block)
        if contract.log_id() != self.chain.log_id:
            raise AnchorInput(
                f"expected log {self.chain.log_id.hex()}, got {contract.log_id().hex()}"
            )
        return contract

    def _publications(self) -> Path:
        return self._folder / "publications"


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
    file_ops.make_folder(folder)
    for name in ("sealer.key", "owner.key"):
        path = folder / name
        accounts.append(keyfile.load(path) if path.exists() else keyfile.create(path))
        node.rpc("anvil_setBalance", accounts[-1].address, hex(DEV_BALANCE_WEI))
    sealer, owner = accounts
    return _deploy(node, folder, sealer, "sealer.key", owner.address, Finality(0))


def _deploy(
    node: Node, folder: Path, sealer: LocalAccount, key_path: str, owner: str, finality: Finality
) -> ChainFile:
    file_ops.make_folder(folder)
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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AnchorInput(f"expected a file in {path}, got {error.strerror}") from None
