"""Durable files, key files and chain.json: what they promise and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tanzheng.anchor import keyfile
from tanzheng.anchor.chain_file import ChainFile, parse_finality
from tanzheng.anchor.errors import AnchorInput
from tanzheng.anchor.publication import Finality
from tanzheng.core.errors import EncodingError


def test_key_file_round_trip(tmp_path: Path) -> None:
    made = keyfile.create(tmp_path / "k")
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert keyfile.load(tmp_path / "k").address == made.address
    with pytest.raises(FileExistsError):
        keyfile.create(tmp_path / "k")


def test_key_that_others_may_read(tmp_path: Path) -> None:
    keyfile.create(tmp_path / "k")
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(AnchorInput, match="expected mode 0600"):
        keyfile.load(tmp_path / "k")


@pytest.mark.parametrize("text", ["", "0x12", "g" * 64, "0" * 65, "é" * 64])
def test_garbage_key_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(AnchorInput) as caught:
        keyfile.load(path)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("text", [f"0x{0:064x}", "f" * 64])
def test_number_that_is_no_key(tmp_path: Path, text: str) -> None:
    """Zero and numbers beyond the curve's order are no private keys."""
    path = tmp_path / "k"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(AnchorInput, match="private key"):
        keyfile.load(path)


CHAIN = ChainFile(
    rpc="http://127.0.0.1:8545",
    chain_id=31337,
    contract=bytes(range(20)),
    log_id=bytes(range(32)),
    block=1,
    finality=Finality(2),
    sealer_key="sealer.key",
)


def test_chain_file_round_trip(tmp_path: Path) -> None:
    CHAIN.write(tmp_path)
    assert ChainFile.read(tmp_path) == CHAIN
    with pytest.raises(AnchorInput, match="this log is anchored"):
        CHAIN.write(tmp_path)


def test_no_chain_file(tmp_path: Path) -> None:
    with pytest.raises(AnchorInput, match="tanzheng anchor deploy"):
        ChainFile.read(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("contract", "0x12"),
        ("log_id", "00"),
        ("chain_id", 0),
        ("finality", {"confirmations": -1, "tag": None}),
        ("unknown", 1),
    ],
)
def test_chain_file_out_of_shape(tmp_path: Path, key: str, value: object) -> None:
    CHAIN.write(tmp_path)
    path = tmp_path / "chain.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(EncodingError, match=r"chain\.json"):
        ChainFile.read(tmp_path)


def test_finality_as_written() -> None:
    assert parse_finality("12") == Finality(12)
    assert parse_finality("finalized") == Finality(0, "finalized")
    for text in ("-1", "soon", ""):
        with pytest.raises(AnchorInput, match="finality"):
            parse_finality(text)
