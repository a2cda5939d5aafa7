"""publisher.toml beside chain.json: nodes, fee limits, signer. All of it may be left out.

nodes = ["https://a", "https://b"]       # in place of chain.json's one

[fee]                                    # wei a gas
fee_wei_max = 60_000_000_000
priority_fee_wei = 1_000_000_000
bump_after_s = 180

[signer]                                 # in place of chain.json's key file
kind = "file" | "keystore"               file = "…"
kind = "environment"
kind = "rpc"                             url = "…"  address = "0x…"  method = "eth_signTransaction"
kind = "pkcs11"                          module = "…"  token = "…"  label = "…"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_utils.address import is_address

from tanzheng.anchor import keyfile, signers
from tanzheng.anchor.errors import AnchorInput
from tanzheng.anchor.fees import FeePolicy
from tanzheng.core import closed

if TYPE_CHECKING:
    from pathlib import Path

    from tanzheng.anchor.chain_file import ChainFile
    from tanzheng.anchor.signers import Signer

NAME = "publisher.toml"
NODES_MAX = 16
KINDS = {
    "file": ("file",),
    "keystore": ("file",),
    "environment": (),
    "rpc": ("url", "address", "method"),
    "pkcs11": ("module", "token", "label"),
}
"""Where a signer's key may live, and the keys of its table."""


@dataclass(frozen=True, slots=True)
class PublisherFile:
    """How a log's operator reaches the chain; `signer` is checked, and opened by `open_signer`."""

    nodes: tuple[str, ...]
    fees: FeePolicy
    signer: closed.Record

    @classmethod
    def read(cls, folder: Path, chain: ChainFile) -> PublisherFile:
        """Read it, or what chain.json says where it is not there; no secret is asked for."""
        path = folder / NAME
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            text = ""
        try:
            top = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise AnchorInput(f"{path}: expected TOML, got {error}") from None
        _known(top, ("nodes", "fee", "signer"), NAME)
        nodes = closed.sequence(top.get("nodes", [chain.rpc]), f"{NAME}.nodes", NODES_MAX)
        if not nodes or not all(isinstance(url, str) for url in nodes):
            raise AnchorInput(f"{path}: expected addresses in nodes, got {nodes!r}")
        signer = top.get("signer", {"kind": "file", "file": chain.sealer_key})
        return cls(tuple(map(str, nodes)), _fees(top.get("fee", {})), _signer(signer))

    def open_signer(self, folder: Path) -> Signer:
        """The account that pays and publishes; relative paths start at `folder`."""
        source, kind = self.signer, self.signer["kind"]
        if kind == "file":
            return keyfile.load(folder / source["file"])
        if kind == "keystore":
            return signers.from_keystore(folder / source["file"])
        if kind == "environment":
            return signers.from_environment()
        if kind == "rpc":
            return signers.RpcSigner(source["url"], source["address"], source["method"])
        try:
            from tanzheng.anchor.pkcs11_signer import Pkcs11Signer
        except ImportError:
            raise AnchorInput("signer pkcs11: expected tanzheng-anchor[pkcs11] installed") from None
        return Pkcs11Signer(source["module"], source["token"], source["label"])


def _fees(value: Any) -> FeePolicy:
    where = f"{NAME}.fee"
    source = closed.mapping(value, where)
    names = ("fee_wei_max", "priority_fee_wei", "bump_after_s")
    _known(source, names, where)
    return FeePolicy(
        **{name: closed.integer(source, name, where) for name in names if name in source}
    )


def _signer(value: Any) -> closed.Record:
    where = f"{NAME}.signer"
    kind = closed.mapping(value, where).get("kind")
    if kind not in KINDS:
        raise AnchorInput(f"{where}.kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    source = closed.record(value, ("kind", *KINDS[kind]), where)
    for key in KINDS[kind]:
        closed.text(source, key, where)
    if kind == "rpc":
        if not is_address(source["address"]):
            raise AnchorInput(f"{where}.address: expected 20 bytes, got {source['address']!r}")
        if source["method"] not in signers.RPC_METHODS:
            expected = " or ".join(signers.RPC_METHODS)
            raise AnchorInput(f"{where}.method: expected {expected}, got {source['method']!r}")
    return source


def _known(source: closed.Record, names: tuple[str, ...], where: str) -> None:
    unknown = sorted(source.keys() - set(names))
    if unknown:
        raise AnchorInput(f"{where}: expected {', '.join(names)}, got {', '.join(unknown)}")
