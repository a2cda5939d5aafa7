"""chain.json: which contract on which chain anchors a log, and when a block counts as final."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tanzheng.anchor.errors import AnchorInput
from tanzheng.anchor.publication import Finality
from tanzheng.core import closed
from tanzheng.files import durable

NAME = "chain.json"
VERSION = 1
_KEYS = ("version", "rpc", "chain_id", "contract", "log_id", "block", "finality", "sealer_key")


@dataclass(frozen=True, slots=True)
class ChainFile:
    """`contract` is 20 bytes, `log_id` 32; `block` is the deployment's; `rpc` a default address.

    `sealer_key` names the key file; a relative path starts at the folder of chain.json.
    """

    rpc: str
    chain_id: int
    contract: bytes
    log_id: bytes
    block: int
    finality: Finality
    sealer_key: str

    def write(self, folder: Path) -> None:
        """Create chain.json; `AnchorInput` where a log is already anchored."""
        values = {
            "version": VERSION,
            **asdict(self),
            "contract": f"0x{self.contract.hex()}",
            "log_id": self.log_id.hex(),
        }
        try:
            durable.create_exclusive(folder / NAME, (json.dumps(values, indent=2) + "\n").encode())
        except FileExistsError:
            raise AnchorInput(f"expected no {NAME} in {folder}: this log is anchored") from None

    @classmethod
    def read(cls, folder: Path) -> ChainFile:
        """Read chain.json; `AnchorInput` where it is missing, `EncodingError` out of shape."""
        path = folder / NAME
        try:
            values: object = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise AnchorInput(
                f"expected {path} (`tanzheng anchor deploy` writes it), got {error}"
            ) from None
        return _from_json(closed.record(values, _KEYS, NAME))


def _from_json(source: closed.Record) -> ChainFile:
    closed.version(source, VERSION, NAME)
    contract = closed.text(source, "contract", NAME)
    return ChainFile(
        rpc=closed.text(source, "rpc", NAME),
        chain_id=closed.integer(source, "chain_id", NAME, least=1),
        contract=closed.hexadecimal(contract.removeprefix("0x"), 20, f"{NAME}.contract"),
        log_id=closed.hexadecimal(source["log_id"], 32, f"{NAME}.log_id"),
        block=closed.integer(source, "block", NAME),
        finality=_finality(source["finality"]),
        sealer_key=closed.text(source, "sealer_key", NAME),
    )


def _finality(value: Any) -> Finality:
    where = f"{NAME}.finality"
    source = closed.record(value, ("confirmations", "tag"), where)
    tag = None if source["tag"] is None else closed.text(source, "tag", where)
    return Finality(closed.integer(source, "confirmations", where), tag)


def parse_finality(text: str) -> Finality:
    """A policy as written on the command line: a number of confirmations, or `finalized`."""
    if text == "finalized":
        return Finality(confirmations=0, tag=text)
    if re.fullmatch("[0-9]{1,4}", text) is None:
        raise AnchorInput(f"finality: expected a number of blocks or `finalized`, got {text!r}")
    return Finality(confirmations=int(text))
