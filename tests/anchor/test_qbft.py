"""A log on a QBFT chain: sealed, observed and verified, by the observer's blocks or by seals."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from anchor.packages import OPERATOR, package, written
from anchor.qbft_chain import QbftChain
from anchor.rpc_proxy import proxied
from anchor.test_commands import machine
from evidence import GATEWAY, Validators
from tanzheng.core.points import Verdict
from tanzheng.core.receipt import decode
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.trust import Trust
from tanzheng.verifier.observer import read_anchors, read_validators, run
from vectors.world import SEALERS
from verifier.month import PLANT_RAW

if TYPE_CHECKING:
    from pathlib import Path

    from tanzheng.anchor.devchain import Anvil

MAIN = "from tanzheng.cli.main import main; main()"


def sealed(url: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """A month's receipt of a new log on that node, and what the chain file says."""
    (folder / "operator.pem").write_bytes(OPERATOR.to_pem())
    told = machine("deploy", "--dev", "--rpc", url, "--dir", folder / "log")
    bag, out = written(package("2018-07"), folder / "bag"), folder / "receipt.cbor"
    machine(
        *("seal", "--dir", folder / "log", "--package", bag, "--out", out),
        *("--operator-key", folder / "operator.pem"),
    )
    return out, told


def observed(url: str, folder: Path, told: dict[str, str], validators: Validators) -> Trust:
    files = {"plant.toml": PLANT_RAW, "gateway.pub.pem": GATEWAY.public.to_pem()}
    files["operator.pub.pem"] = OPERATOR.public.to_pem()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    anchors = read_anchors(
        told["contract"], told["log_id"], folder / "plant.toml",
        [folder / "gateway.pub.pem"], [folder / "operator.pub.pem"],
    )  # fmt: skip
    named = [f"0x{each.hex()}" for each in validators.addresses]
    anchors = replace(anchors, validators=read_validators(named))
    out = folder / "TRUST.json"
    run(url, anchors, out, confirmations=0, once=True, say=lambda _: None)
    return Trust.decode(out.read_bytes())


@pytest.mark.parametrize("round_", [0, 2])
def test_a_month_on_a_qbft_chain(anvil: Anvil, tmp_path: Path, round_: int) -> None:
    validators = Validators(SEALERS[:4], (3, 1, 0), round_)
    chain = QbftChain(anvil.url, validators)
    with proxied(anvil.url, chain.change) as proxy:
        out, told = sealed(proxy.url, tmp_path)
        trust = observed(proxy.url, tmp_path, told, validators)
    receipt = decode(out.read_bytes())
    assert receipt.evm.seals is not None
    assert (receipt.evm.seals.round, len(receipt.evm.seals.signatures)) == (round_, 3)
    assert trust.blocks
    for known in (trust, replace(trust, blocks=()), replace(trust, validators=())):
        found = {point.key: point.verdict for point in check_receipt(receipt, known)}
        assert found["anchor"] == found["sealed"] == found["signer"] == Verdict.OK
    strangers = replace(trust, blocks=(), validators=trust.validators[1:])
    found = {point.key: point.verdict for point in check_receipt(receipt, strangers)}
    assert found["anchor"] == found["sealed"] == Verdict.FAILED


def test_a_block_with_too_few_seals_is_no_proof(anvil: Anvil, tmp_path: Path) -> None:
    chain = QbftChain(anvil.url, Validators(SEALERS[:4], (0, 1)))
    (tmp_path / "operator.pem").write_bytes(OPERATOR.to_pem())
    with proxied(anvil.url, chain.change) as proxy:
        machine("deploy", "--dev", "--rpc", proxy.url, "--dir", tmp_path / "log")
        arguments = (
            *("anchor", "seal", "--dir", tmp_path / "log", "--out", tmp_path / "receipt.cbor"),
            *("--package", written(package("2018-07"), tmp_path / "bag")),
            *("--operator-key", tmp_path / "operator.pem"),
        )
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *map(str, arguments)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode != 0
    assert "expected 3 of 4 validators" in " ".join(done.stderr.split())
