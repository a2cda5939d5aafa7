"""Small evidence packages with figures that mean nothing, and the trust a verifier would have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tanzheng.core import parameter_tree
from tanzheng.core.bag import bag_files
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.manifest import (
    MANIFEST_PATH,
    PLANT_PATH,
    DataPack,
    GatewayChain,
    Manifest,
    PackageFile,
    Parameter,
)
from tanzheng.core.trust import OperatorKey, Trust, TrustedBlock

if TYPE_CHECKING:
    from tanzheng.anchor.chain_file import ChainFile
    from tanzheng.anchor.node import Node

OPERATOR = SigningKey.from_seed(b"operator".ljust(32, b"."))
PLANT = b'version = 1\nenterprise = "E1"\n'
START_MS, END_MS = 1_530_428_400_000, 1_533_106_800_000


def package(period: str = "2018-07", generation_mwh: str = "211345.000") -> dict[str, bytes]:
    """A package of unit E1/U1 with one figure, as path → bytes."""
    salts = parameter_tree.salts(sha256(period.encode()), 1)
    manifest = Manifest(
        subject=Subject("E1", "U1", period, "month"),
        start_ms=START_MS,
        end_ms=END_MS,
        plant_sha256=sha256(PLANT),
        standard=DataPack("cn-power", "2022", sha256(b"standard")),
        rules=DataPack("rules", "1", sha256(b"rules")),
        software="tanzheng 0.1.0",
        parameters=(Parameter("generation_mwh", generation_mwh, "MWh", salts[0]),),
        padding=tuple(salts[1:]),
        files=(PackageFile.of(PLANT_PATH, PLANT),),
        gateways=(GatewayChain("gw1", 1, 1, 1, 9, sha256(b"head")),),
    )
    return bag_files({MANIFEST_PATH: manifest.encode(), PLANT_PATH: PLANT})


def written(files: dict[str, bytes], folder: Path) -> Path:
    """The package as a folder."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def observed(node: Node, chain: ChainFile) -> Trust:
    """What an observer writes down who has seen every block."""
    blocks = []
    for number in range(node.block_number("latest") + 1):
        block = node.block(number)
        digest = bytes.fromhex(block["hash"][2:])
        blocks.append(TrustedBlock(number, digest, int(block["timestamp"], 16)))
    return Trust(
        chain_id=chain.chain_id,
        contract=chain.contract,
        log_id=chain.log_id,
        operator_keys=(OperatorKey(OPERATOR.public, 0, None),),
        gateways=(),
        plants=(),
        blocks=tuple(blocks),
    )
