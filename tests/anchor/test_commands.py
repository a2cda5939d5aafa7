"""`tanzheng anchor …` as a person and as a machine use it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from anchor.packages import OPERATOR, package, written
from tanzheng.anchor.commands import app
from tanzheng.anchor.errors import AnchorInput
from tanzheng.core.checkpoint import ConsistencyProof
from tanzheng.core.keys import SigningKey
from tanzheng.core.receipt import decode
from tanzheng.core.witness import cosign, decode_all

if TYPE_CHECKING:
    from tanzheng.anchor.devchain import Anvil


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def machine(*arguments: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return answer


@pytest.fixture
def log(anvil: Anvil, tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    run("deploy", "--dev", "--rpc", anvil.url, "--dir", folder)
    (tmp_path / "operator.pem").write_bytes(OPERATOR.to_pem())
    return folder


def seal(log: Path, period: str) -> dict[str, Any]:
    bag = written(package(period), log.parent / period)
    return machine(
        *("seal", "--dir", log, "--package", bag, "--out", log.parent / f"{period}.cbor"),
        *("--operator-key", log.parent / "operator.pem"),
    )


def test_from_deployment_to_consistency(log: Path) -> None:
    first = seal(log, "2018-06")
    second = seal(log, "2018-07")
    assert (first["log_size"], second["log_size"]) == (1, 2)
    assert second["subject"] == "E1/U1/2018-07/month"
    receipt = decode(Path(second["receipt"]).read_bytes())
    assert receipt.checkpoint.digest.hex() == second["checkpoint_sha256"]
    proof_file = log.parent / "proof.cbor"
    shown = machine("consistency", "--dir", log, "--from", 1, "--out", proof_file)
    proof = ConsistencyProof.decode(proof_file.read_bytes())
    assert (proof.first, proof.second) == (shown["first"], shown["second"]) == (1, 2)


def test_a_cosignature_goes_into_the_receipts(log: Path) -> None:
    first = seal(log, "2018-06")
    witness = SigningKey.from_seed(b"witness".ljust(32, b"."))
    signed = decode(Path(first["receipt"]).read_bytes()).checkpoint
    (log.parent / "c.cose").write_bytes(cosign(signed, 0, witness))
    (log.parent / "w.pub.pem").write_bytes(witness.public.to_pem())
    shown = machine(
        *("cosigned", "--dir", log, "--cosignature", log.parent / "c.cose"),
        *("--witness-key", log.parent / "w.pub.pem"),
    )
    assert shown == {"checkpoint_seq": 1, "log_size": 1}
    again = decode(Path(seal(log, "2018-06")["receipt"]).read_bytes())
    [cosignature] = decode_all(again.attestations["cosignatures"])
    cosignature.verify(again.checkpoint, witness.public)


def test_an_older_log_is_brought_over_and_it_says_so(log: Path) -> None:
    """As version 0.1 left it: a file a statement."""
    seal(log, "2018-06")
    folder = log / "log"
    (folder / "leaves").mkdir()
    (folder / "tile/entries/000").rename(folder / "leaves/000000000.cose")
    for name in ("tile", "heads"):
        shutil.rmtree(folder / name)
    (folder / "checkpoint").unlink()
    result = CliRunner().invoke(app, ["status", "--dir", str(log), "--json"])
    assert "1 statements brought into tiles" in result.stderr
    assert seal(log, "2018-07")["log_size"] == 2


def test_status(log: Path) -> None:
    before = machine("status", "--dir", log)
    assert (before["leaves"], before["publication"], before["on_chain_seq"]) == (0, None, 0)
    seal(log, "2018-07")
    after = machine("status", "--dir", log)
    assert (after["leaves"], after["publication"], after["on_chain_seq"]) == (1, "final", 1)
    assert machine("status", "--dir", log, "--offline")["on_chain_seq"] is None


def test_shown_to_a_person(log: Path) -> None:
    shown = run("status", "--dir", log)
    assert "合约" in shown
    assert "log size" in shown


def test_deployed_once(log: Path, anvil: Anvil) -> None:
    with pytest.raises(AnchorInput, match="this log is anchored"):
        run("deploy", "--dev", "--rpc", anvil.url, "--dir", log)


def test_production_has_no_default_key(anvil: Anvil, tmp_path: Path) -> None:
    with pytest.raises(AnchorInput, match="--sealer-key and --owner"):
        run("deploy", "--rpc", anvil.url, "--dir", tmp_path / "log")


def test_production_keys_and_finality(anvil: Anvil, log: Path, tmp_path: Path) -> None:
    """Another log of the same chain, with the key of the first one as its own."""
    other, key = tmp_path / "other", log / "sealer.key"
    owner = "0x" + "ab" * 20
    run(
        *("deploy", "--rpc", anvil.url, "--dir", other, "--finality", 3),
        *("--sealer-key", key, "--owner", owner),
    )
    chain = json.loads((other / "chain.json").read_text())
    assert chain["finality"] == {"confirmations": 3, "tag": None}
    assert chain["sealer_key"] == str(key)


def test_owner_that_is_no_address(anvil: Anvil, log: Path, tmp_path: Path) -> None:
    with pytest.raises(AnchorInput, match="owner: expected an address"):
        run(
            *("deploy", "--rpc", anvil.url, "--dir", tmp_path / "other"),
            *("--sealer-key", log / "sealer.key", "--owner", "0x12"),
        )


def test_reason_without_approver(log: Path) -> None:
    with pytest.raises(AnchorInput, match="together"):
        run(
            *("seal", "--dir", log, "--package", log, "--out", log.parent / "r"),
            *("--operator-key", log.parent / "operator.pem", "--reason", "typo"),
        )


def test_folder_without_a_log(tmp_path: Path) -> None:
    with pytest.raises(AnchorInput, match="tanzheng anchor deploy"):
        run("status", "--dir", tmp_path / "none")
