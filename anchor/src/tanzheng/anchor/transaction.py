"""The two forms of a transaction that are made here: what is signed, and what is sent.

EIP-1559 (type 2, empty access list) where there is a fee cap, EIP-155 where there is a gas price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature

from tanzheng.anchor.keyfile import SECP256K1_ORDER
from tanzheng.core import rlp
from tanzheng.core.errors import EncodingError
from tanzheng.core.hashing import keccak256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DYNAMIC_FEE = b"\x02"
EIP155_OFFSET = 35
SCALAR_BYTES_MAX = 32


@dataclass(frozen=True, slots=True)
class SignedBytes:
    """A signed transaction: the bytes to send, and the hash they have on the chain."""

    raw_transaction: bytes
    hash: bytes


def signing_hash(asked: Mapping[str, Any]) -> bytes:
    """The 32 bytes that the account of `asked` (fields as of JSON-RPC, numbers as int) signs."""
    if "maxFeePerGas" in asked:
        return keccak256(DYNAMIC_FEE + rlp.encode(_fields(asked)))
    tail = [rlp.encode_integer(asked["chainId"]), b"", b""]
    return keccak256(rlp.encode([*_fields(asked), *tail]))


def with_signature(asked: Mapping[str, Any], r: int, s: int) -> SignedBytes | None:
    """The bytes, if `r`, `s` are the signature of the account `asked["from"]`; else None.

    A high `s` is turned into the low one (EIP-2), and the parity found by trying both.
    """
    low = min(s, SECP256K1_ORDER - s)
    if not (0 < r < SECP256K1_ORDER and low > 0):
        return None
    digest = signing_hash(asked)
    for parity in (0, 1):
        try:
            public = Signature(vrs=(parity, r, low)).recover_public_key_from_msg_hash(digest)
        except BadSignature:  # no point of the curve with this parity
            continue
        if public.to_checksum_address() == asked["from"]:
            return _assembled(asked, parity, r, low)
    return None


def signature_of(raw: bytes) -> tuple[int, int]:
    """`r` and `s`, the last two fields of either form; `EncodingError` for anything else."""
    fields = rlp.decode(raw[1:] if raw[:1] == DYNAMIC_FEE else raw, "transaction")
    if isinstance(fields, bytes) or len(fields) < 2:
        raise EncodingError("transaction: expected a list of fields")
    r, s = (rlp.decode_integer(field, "signature", SCALAR_BYTES_MAX) for field in fields[-2:])
    return r, s


def _assembled(asked: Mapping[str, Any], parity: int, r: int, s: int) -> SignedBytes:
    dynamic = "maxFeePerGas" in asked
    v = parity if dynamic else asked["chainId"] * 2 + EIP155_OFFSET + parity
    signature = [rlp.encode_integer(number) for number in (v, r, s)]
    body = rlp.encode([*_fields(asked), *signature])
    raw = DYNAMIC_FEE + body if dynamic else body
    return SignedBytes(raw, keccak256(raw))


def _fields(asked: Mapping[str, Any]) -> Sequence[rlp.Item]:
    to, data = (bytes.fromhex(str(asked[key]).removeprefix("0x")) for key in ("to", "data"))
    call: list[rlp.Item] = [to, rlp.encode_integer(asked.get("value", 0)), data]
    if "maxFeePerGas" not in asked:
        return [*_numbers(asked, "nonce", "gasPrice", "gas"), *call]
    names = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
    return [*_numbers(asked, *names), *call, []]


def _numbers(asked: Mapping[str, Any], *names: str) -> list[rlp.Item]:
    return [rlp.encode_integer(asked[name]) for name in names]
