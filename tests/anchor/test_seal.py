"""From a package to a receipt on a real chain, with every fault on the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from anchor.packages import OPERATOR, observed, package, written
from tanzheng.anchor import service
from tanzheng.anchor.backlog import Publications
from tanzheng.anchor.devchain import Anvil
from tanzheng.anchor.errors import (
    AnchorInput,
    ChainRefused,
    ChainUnavailable,
    LogBusy,
    SequenceTaken,
)
from tanzheng.anchor.log_store import LogStore
from tanzheng.anchor.node import Node
from tanzheng.anchor.publication import Publication, State
from tanzheng.anchor.sealing import Correction, Sealed
from tanzheng.anchor.service import AnchorFolder
from tanzheng.core.manifest import PackageInvalid
from tanzheng.core.points import Verdict
from tanzheng.core.receipt import decode
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.tiles import LogDamaged


class Killed(BaseException):
    """Stands for SIGKILL: nobody catches it."""


class Bench:
    """A log on a chain, and packages to seal into it."""

    def __init__(self, anvil: Anvil, folder: Path) -> None:
        self.anvil = anvil
        self.folder = folder
        self.log = folder / "log"
        self.key = folder / "operator.pem"
        self.key.write_bytes(OPERATOR.to_pem())
        self.chain = service.deploy_development_log(anvil.url, self.log)
        self.node = Node(anvil.url)

    def seal(
        self,
        files: dict[str, bytes],
        correction: Correction | None = None,
        on_state: Callable[[Publication], None] = lambda _: None,
    ) -> Sealed:
        bag = self.folder / "bag"
        shutil.rmtree(bag, ignore_errors=True)
        out = self.folder / "receipt.cbor"
        opened = AnchorFolder(self.log, self.anvil.url, request_s_max=2.0)
        sealed = opened.seal(written(files, bag), self.key, out, correction, on_state)
        assert out.read_bytes() == sealed.receipt
        return sealed

    def verdicts(self, sealed: Sealed) -> dict[str, Verdict]:
        receipt = decode(sealed.receipt)
        points = check_receipt(receipt, observed(self.node, self.chain))
        return {point.key: point.verdict for point in points}

    def transactions(self) -> int:
        latest = self.node.block_number("latest")
        return sum(len(self.node.block(number)["transactions"]) for number in range(latest + 1))


@pytest.fixture
def bench(anvil: Anvil, tmp_path: Path) -> Bench:
    return Bench(anvil, tmp_path)


PROVED = {
    "included": Verdict.OK,
    "signer": Verdict.OK,
    "current": Verdict.OK,
    "consistent": Verdict.NOT_ASKED,
    "not_before": Verdict.OK,
    "not_after": Verdict.OK,
    "anchor": Verdict.OK,
}


def test_package_to_receipt(bench: Bench) -> None:
    sealed = bench.seal(package())
    assert bench.verdicts(sealed) == PROVED
    assert (sealed.index, sealed.checkpoint.checkpoint.seq) == (0, 1)
    assert sealed.publication.gas_used is not None
    assert 40_000 < sealed.publication.gas_used < 55_000


def test_many_months_in_one_log(bench: Bench) -> None:
    for index, month in enumerate(["2018-05", "2018-06", "2018-07"]):
        sealed = bench.seal(package(month))
        assert (sealed.index, sealed.checkpoint.checkpoint.size) == (index, index + 1)
        assert bench.verdicts(sealed) == PROVED


def test_sealing_again_states_nothing_new(bench: Bench) -> None:
    first = bench.seal(package())
    sent = bench.transactions()
    again = bench.seal(package())
    assert again.statement.raw == first.statement.raw
    assert bench.transactions() == sent
    assert bench.verdicts(again) == PROVED


def test_receipt_made_anew_after_another_month(bench: Bench) -> None:
    bench.seal(package("2018-06"))
    bench.seal(package("2018-07"))
    again = bench.seal(package("2018-06"))
    assert (again.index, again.checkpoint.checkpoint.seq) == (0, 2)
    assert bench.verdicts(again) == PROVED


def test_correction_supersedes(bench: Bench) -> None:
    first = bench.seal(package())
    changed = package(generation_mwh="211346.000")
    with pytest.raises(AnchorInput, match="--reason"):
        bench.seal(changed)
    second = bench.seal(changed, Correction("meter-exchanged", "Li Wei"))
    statement = second.statement.statement
    assert (statement.seq, statement.prev) == (2, first.statement.digest)
    assert statement.supersedes is not None
    assert statement.supersedes.digest == first.statement.digest
    assert bench.verdicts(second) == PROVED
    assert bench.verdicts(first) == PROVED  # as of its own checkpoint, for ever


def test_nothing_to_correct(bench: Bench) -> None:
    with pytest.raises(AnchorInput, match="no statement to supersede"):
        bench.seal(package(), Correction("typo", "Li Wei"))


def test_consistency_with_an_older_checkpoint(bench: Bench) -> None:
    first = bench.seal(package("2018-06"))
    bench.seal(package("2018-07"))
    third = bench.seal(package("2018-08"))
    proof = AnchorFolder(bench.log).consistency(1)
    trust = observed(bench.node, bench.chain)
    points = check_receipt(decode(third.receipt), trust, first.checkpoint, proof)
    assert {point.key: point.verdict for point in points}["consistent"] is Verdict.OK


@pytest.mark.parametrize("size", [0, 2])
def test_consistency_from_a_size_that_never_was(bench: Bench, size: int) -> None:
    bench.seal(package())
    with pytest.raises(AnchorInput, match="from 1 to 1"):
        AnchorFolder(bench.log).consistency(size)


# ------------------------------------------------------------------ faults on the way


@pytest.mark.parametrize("stop_at", list(State))
def test_killed_on_the_way_to_the_chain(bench: Bench, stop_at: State) -> None:
    def kill(record: Publication) -> None:
        if record.state is stop_at:
            raise Killed

    with pytest.raises(Killed):
        bench.seal(package(), on_state=kill)
    sealed = bench.seal(package())
    assert bench.verdicts(sealed) == PROVED
    assert (sealed.index, sealed.checkpoint.checkpoint.seq) == (0, 1)
    assert bench.transactions() == 2  # the deployment and one publication


@pytest.mark.parametrize("step", ["append", "add_checkpoint"])
@pytest.mark.parametrize("before", [True, False])
def test_killed_around_a_write_of_the_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str, before: bool
) -> None:
    write = getattr(LogStore, step)

    def kill(*arguments: object) -> None:
        if not before:
            write(*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(LogStore, step, kill)
        with pytest.raises(Killed):
            bench.seal(package())
    sealed = bench.seal(package())
    assert bench.verdicts(sealed) == PROVED
    assert (sealed.index, sealed.checkpoint.checkpoint.size) == (0, 1)


def test_killed_and_followed_by_another_month(bench: Bench) -> None:
    def kill(record: Publication) -> None:
        raise Killed

    with pytest.raises(Killed):
        bench.seal(package("2018-06"), on_state=kill)
    sealed = bench.seal(package("2018-07"))
    assert (sealed.index, sealed.checkpoint.checkpoint.seq) == (1, 2)
    assert bench.verdicts(sealed) == PROVED


def test_frozen_node_then_again(bench: Bench) -> None:
    bench.anvil.pause()
    with pytest.raises(ChainUnavailable) as caught:
        bench.seal(package())
    assert "run the same command" in caught.value.diagnostics()
    bench.anvil.resume()
    assert bench.verdicts(bench.seal(package())) == PROVED


def test_another_process_at_work(bench: Bench) -> None:
    with Publications(bench.log / "publications").lock(), pytest.raises(LogBusy):
        bench.seal(package())


def test_copy_of_the_log_forks(bench: Bench) -> None:
    """Restored from an old copy, the operator seals another statement under a used sequence."""
    copy = bench.folder / "copy"
    shutil.copytree(bench.log, copy)
    bench.seal(package("2018-06"))
    bench.log = copy
    with pytest.raises(SequenceTaken) as caught:
        bench.seal(package("2018-07"))
    assert caught.value.exit_code == 3


def test_chain_without_the_contract(bench: Bench) -> None:
    with Anvil() as other, pytest.raises(ChainRefused):
        AnchorFolder(bench.log, other.url).standing(ask_chain=True)


def test_changed_package_is_not_sealed(bench: Bench) -> None:
    files = package()
    files["data/plant.toml"] += b"#"
    with pytest.raises(PackageInvalid, match=r"data/plant\.toml"):
        bench.seal(files)
    assert not (bench.log / "log" / "tile").exists()


def test_link_in_a_package(bench: Bench) -> None:
    bag = written(package(), bench.folder / "linked")
    (bag / "data" / "more").symlink_to("/etc/passwd")
    with pytest.raises(AnchorInput, match="plain files"):
        AnchorFolder(bench.log).seal(bag, bench.key, bench.folder / "r", None, print)


# ------------------------------------------------------------------ damage on disk


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


PARTS = ["tile/entries/000", "tile/sha256/0/000", "tile/sm3/0/000", "checkpoints/000001.cose"]


@pytest.mark.parametrize("part", PARTS)
def test_flipped_bit_stops_sealing(bench: Bench, part: str) -> None:
    bench.seal(package("2018-06"))
    flip(bench.log / "log" / part)
    with pytest.raises(LogDamaged):
        bench.seal(package("2018-07"))


@pytest.mark.parametrize("part", PARTS)
def test_missing_file_stops_sealing(bench: Bench, part: str) -> None:
    bench.seal(package("2018-06"))
    bench.seal(package("2018-07"))
    (bench.log / "log" / part).unlink()
    with pytest.raises(LogDamaged, match=r"expected (number|\d+) (1|2|bundles|hashes)"):
        bench.seal(package("2018-08"))


def test_lost_tail_is_seen_against_the_chain(bench: Bench) -> None:
    """A copy of the folder as it was: sound in itself, and shorter than what was sealed."""
    bench.seal(package("2018-06"))
    shutil.copytree(bench.log, bench.folder / "copy")
    bench.seal(package("2018-07"))
    with pytest.raises(LogDamaged, match="as on the chain"):
        AnchorFolder(bench.folder / "copy").standing(ask_chain=True)


def test_standing_of_a_sound_log(bench: Bench) -> None:
    bench.seal(package())
    standing = AnchorFolder(bench.log).standing(ask_chain=True)
    assert standing.latest is not None
    assert (standing.latest.seq, standing.contents.size) == (1, 1)
    assert standing.publication is not None
    assert standing.publication.state is State.FINAL


# ------------------------------------------------------------------ development chain


def test_devchain_command_ends_on_sigterm() -> None:
    command = [str(Path(sys.executable).with_name("tanzheng")), "anchor", "devchain"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        line = process.stdout.readline()
        process.terminate()
        assert process.wait(10) == 0
    assert '"chain_id": 31337' in line


def test_frozen_devchain_is_gone_all_the_same() -> None:
    with Anvil() as node:
        url = node.url
        node.pause()
    with pytest.raises(ChainUnavailable):
        Node(url, timeout_s=1.0).rpc("eth_chainId")
