"""docs/catastrophe.md, rehearsed: each of its days with real chains, and what still stands."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from anchor.packages import OPERATOR, observed, package, written
from anchor.test_commands import machine, run
from tanzheng.anchor import keyfile, service
from tanzheng.anchor.chain_file import ChainFile
from tanzheng.anchor.contract import CheckpointLog
from tanzheng.anchor.devchain import Anvil
from tanzheng.anchor.errors import (
    AnchorInput,
    ContractReverted,
    NoLongerFinal,
    SequenceTaken,
)
from tanzheng.anchor.node import Node
from tanzheng.anchor.publisher_file import NAME as PUBLISHER
from tanzheng.core.checkpoint import SignedCheckpoint, open_signed
from tanzheng.core.equivocation import Equivocation
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.log_files import LogFiles
from tanzheng.core.points import Verdict
from tanzheng.core.receipt import decode
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.statement import BlockReference
from tanzheng.core.statements.common import LogName
from tanzheng.core.statements.migration import Migration
from tanzheng.core.trust import OperatorKey, Trust
from tanzheng.files.durable import reader

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATORS = {"seal", "register", "run", "receipt"}
DAY_S = 86_400


@dataclass
class Log:
    """A log on `anvil` in `folder`/`name`, with receipts beside it."""

    anvil: Anvil
    folder: Path
    name: str = "log"
    key: SigningKey = OPERATOR

    def __post_init__(self) -> None:
        self.log = self.folder / self.name
        if not self.log.exists():
            service.deploy_development_log(self.anvil.url, self.log)

    @property
    def chain(self) -> ChainFile:
        return ChainFile.read(self.log)

    @property
    def contract(self) -> CheckpointLog:
        return CheckpointLog(Node(self.anvil.url), f"0x{self.chain.contract.hex()}")

    def command(self, command: str, *more: object) -> dict[str, Any]:
        key = self.folder / "operator.pem"
        key.write_bytes(self.key.to_pem())
        rest = (*more, "--operator-key", key) if command in OPERATORS else more
        online = () if command == "predecessor" else ("--rpc", self.anvil.url)
        if command == "run":
            run(command, "--dir", self.log, *rest, *online)
            return {}
        return machine(command, "--dir", self.log, *rest, *online)

    def seal(self, month: str, *more: str, files: dict[str, bytes] | None = None) -> dict[str, Any]:
        bag = written(files or package(month), self.folder / f"bag-{month}")
        out = self.receipt(month)
        return self.command("seal", "--package", bag, "--out", out, *more)

    def register(self, name: str, stated: Migration) -> None:
        signed, public = self.folder / f"{name}.cose", self.folder / "operator.pub.pem"
        signed.write_bytes(stated.sign(self.key).raw)
        public.write_bytes(self.key.public.to_pem())
        where = ("--statement", signed, "--signer-key", public, "--out", self.receipt(name))
        self.command("register", *where)

    def make_receipt(self, month: str) -> None:
        bag = self.folder / f"bag-{month}"
        self.command("receipt", "--package", bag, "--out", self.receipt(month))

    def receipt(self, month: str) -> Path:
        return self.folder / f"{self.name}-{month}.cbor"

    def trust(self) -> Trust:
        """What somebody wrote down who watches the chain as it is now."""
        return observed(Node(self.anvil.url), self.chain)

    def failed(self, month: str, trust: Trust | None = None) -> set[str]:
        points = check_receipt(decode(self.receipt(month).read_bytes()), trust or self.trust())
        return {point.key for point in points if point.verdict is Verdict.FAILED}


@pytest.fixture
def log(anvil: Anvil, tmp_path: Path) -> Log:
    return Log(anvil, tmp_path)


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[Log]:
    """A log on a node that can be stopped and started again."""
    with Anvil(options=["--state", str(tmp_path / "state.json")]) as anvil:
        yield Log(anvil, tmp_path)


# ------------------------------------------------------------------ another chain or contract


def name_of(log: Log) -> LogName:
    return LogName(log.chain.chain_id, log.chain.contract, log.chain.log_id)


def tied(old: Log, last: str, new: Log) -> Migration:
    """The old log's last checkpoint and a receipt with it, as leaf 0 of the new one."""
    receipt = old.receipt(last).read_bytes()
    checkpoint = decode(receipt).checkpoint
    block = Node(new.anvil.url).block("latest")
    return Migration(
        issuer="E1",
        subject=Subject("E1", "log", "all", "migration"),
        seq=1,
        prev=None,
        supersedes=None,
        not_before=BlockReference(int(block["number"], 16), bytes.fromhex(block["hash"][2:])),
        old=name_of(old),
        new=name_of(new),
        checkpoint_seq=checkpoint.checkpoint.seq,
        size=checkpoint.checkpoint.size,
        checkpoint_sha256=checkpoint.digest,
        receipt_sha256=sha256(receipt),
        reason="chain-replaced",
    )


@pytest.mark.parametrize("same_chain", [False, True], ids=["chain", "contract"])
def test_replaced(log: Log, tmp_path: Path, same_chain: bool) -> None:
    log.seal("2018-05")
    log.seal("2018-06")
    log.seal("2018-07", "--no-wait")
    old_trust = log.trust()
    end = log.command("predecessor", "--receipt", log.receipt("2018-06"))
    assert (end["checkpoint_seq"], end["log_size"]) == (2, 2)
    assert end["subjects_waiting"] == ["E1/U1/2018-07/month"]
    with Anvil() as second:
        if not same_chain:
            log.anvil.stop()
        new = Log(log.anvil if same_chain else second, tmp_path, "new")
        new.register("old", tied(log, "2018-06", new))
        new.seal("2018-07")
        first = LogFiles(reader(new.log / "log")).statement(0).of(Migration)
        assert new.failed("old") == new.failed("2018-07") == set()
    # Without either chain: leaf 0 leads to the old log's end, and the old receipts stand.
    assert first.old == name_of(log)
    assert first.checkpoint_sha256.hex() == end["checkpoint_sha256"]
    assert first.receipt_sha256.hex() == end["receipt_sha256"]
    assert log.failed("2018-06", old_trust) == log.failed("2018-05", old_trust) == set()


def test_the_end_is_told_with_the_last_receipt_only(log: Log) -> None:
    log.seal("2018-05")
    log.seal("2018-06")
    with pytest.raises(AnchorInput, match="last final checkpoint, 2"):
        log.command("predecessor", "--receipt", log.receipt("2018-05"))


def test_the_chain_lost_what_was_final(log: Log) -> None:
    log.seal("2018-05")
    snapshot = Node(log.anvil.url).rpc("evm_snapshot")
    log.seal("2018-06")
    signed = decode(log.receipt("2018-06").read_bytes()).checkpoint
    Node(log.anvil.url).rpc("evm_revert", snapshot)
    for command in ("status", "run"):
        with pytest.raises(NoLongerFinal, match="final block 3") as caught:
            log.command(command)
        assert caught.value.exit_code == 3
    assert log.failed("2018-06") >= {"anchor"}
    assert log.command("reopen") == {"checkpoints_reopened": ["2"]}
    log.command("run", "--once")
    assert log.contract.head_at(2) == signed.digest  # the same checkpoint, in another block
    log.make_receipt("2018-06")
    assert log.failed("2018-06") == log.failed("2018-05") == set()
    assert sorted(path.name for path in (log.log / "publications/undone").iterdir()) == [
        "000002.json", "000002.proof",
    ]  # fmt: skip


# ------------------------------------------------------------------ what was lost


def test_records_of_the_chain_lost(log: Log) -> None:
    """`publications/` is made again from the chain, without a transaction."""
    for month in ("2018-05", "2018-06"):
        log.seal(month)
    shutil.rmtree(log.log / "publications")
    before = Node(log.anvil.url).block_number("latest")
    assert log.command("status")["checkpoints_waiting"] == ["1 signed", "2 signed"]
    log.command("run", "--once")
    assert log.command("status")["checkpoints_waiting"] == []
    assert Node(log.anvil.url).block_number("latest") == before
    log.make_receipt("2018-06")
    assert log.failed("2018-06") == set()


def test_log_restored_from_a_copy(log: Log) -> None:
    """Heads, the newest pointer and everything local are made again; the rest is files."""
    log.seal("2018-05")
    log.seal("2018-06")
    copy = log.folder / "copy"
    shutil.copytree(log.log / "log", copy)
    for name in ("checkpoint", "lock"):
        (copy / name).unlink()
    shutil.rmtree(copy / "heads")
    shutil.rmtree(log.log / "log")
    copy.rename(log.log / "log")
    log.seal("2018-07")
    assert log.failed("2018-07") == set()
    assert (log.log / "log/checkpoint").read_bytes() == decode(
        log.receipt("2018-07").read_bytes()
    ).checkpoint.raw


# ------------------------------------------------------------------ keys


def test_operator_s_key_stolen(log: Log) -> None:
    """By the time of the block, which the thief does not choose."""
    log.seal("2018-05")
    stolen_ms = 1000 * (log.trust().blocks[-1].time_s + DAY_S // 2)
    Node(log.anvil.url).rpc("evm_increaseTime", DAY_S)
    log.seal("2018-06")  # the thief: the same key, the same machine
    log.key = SigningKey.from_seed(b"new".ljust(32, b"."))
    log.seal("2018-07")
    keys = (
        OperatorKey(OPERATOR.public, 0, stolen_ms),
        OperatorKey(log.key.public, stolen_ms, None),
    )
    trust = replace(log.trust(), operator_keys=keys)
    assert log.failed("2018-05", trust) == set()
    assert log.failed("2018-06", trust) == {"signer"}
    assert log.failed("2018-07", trust) == set()


def test_sealer_s_key_stolen(log: Log) -> None:
    log.seal("2018-05")
    other = keyfile.create(log.log / "next.key")
    Node(log.anvil.url).rpc("anvil_setBalance", other.address, hex(10**20))
    owner = log.log / "owner.key"
    log.command("rotate", "--owner-key", owner, "--sealer", other.address)
    with pytest.raises(ContractReverted) as caught:
        log.seal("2018-06")  # with the key that was stolen
    assert caught.value.name == "CheckpointLogUnauthorizedSealer"
    (log.log / PUBLISHER).write_text('[signer]\nkind = "file"\nfile = "next.key"\n')
    log.command("run", "--once")
    log.make_receipt("2018-06")
    assert log.failed("2018-06") == log.failed("2018-05") == set()


def test_rotation_by_somebody_else(log: Log) -> None:
    sealer = log.log / "sealer.key"
    with pytest.raises(ContractReverted):
        log.command("rotate", "--owner-key", sealer, "--sealer", "0x" + "11" * 20)
    with pytest.raises(AnchorInput, match="20 bytes"):
        log.command("rotate", "--owner-key", sealer, "--sealer", "0x11")


# ------------------------------------------------------------------ away, and twice


def test_sealer_offline_for_a_month(lasting: Log) -> None:
    lasting.seal("2018-06")
    lasting.anvil.stop()
    days = [f"2018-07-{day:02d}" for day in range(1, 32)]
    for day in days:
        lasting.seal(day, "--no-wait")
    lasting.anvil.start()
    assert lasting.command("status")["statements_waiting"] == 31
    lasting.command("run", "--once")
    status = lasting.command("status")
    assert (status["statements_waiting"], status["on_chain_seq"]) == (0, 2)  # one transaction
    for day in days:
        lasting.make_receipt(day)
        assert lasting.failed(day) == set()


def test_two_operators_publish(log: Log) -> None:
    """Both signed checkpoint 2: the proof of it is two files. The loser seals anew."""
    log.seal("2018-05")
    shutil.copytree(log.log, log.folder / "copy")
    copy = Log(log.anvil, log.folder, "copy")
    log.seal("2018-06")
    with pytest.raises(SequenceTaken) as caught:
        copy.seal("2018-07")
    assert caught.value.exit_code == 3
    proof = Equivocation.of(_checkpoint(log.log, 2), _checkpoint(copy.log, 2))
    proof.verify(log.trust())
    bag_of_the_loser = package("2018-07")
    shutil.rmtree(copy.log)
    shutil.copytree(log.log, copy.log)
    copy.seal("2018-07", files=bag_of_the_loser)
    assert copy.failed("2018-07") == log.failed("2018-06") == set()


def _checkpoint(folder: Path, seq: int) -> SignedCheckpoint:
    return open_signed((folder / f"log/checkpoints/{seq:06d}.cose").read_bytes())


def test_status_names_the_nodes(log: Log) -> None:
    (log.log / PUBLISHER).write_text(
        f"nodes = {json.dumps([log.anvil.url, 'http://127.0.0.1:1'])}\n"
    )
    nodes = machine("status", "--dir", log.log)["nodes"]
    assert nodes[log.anvil.url] == "answers"
    assert "ConnectionError" in nodes["http://127.0.0.1:1"]
