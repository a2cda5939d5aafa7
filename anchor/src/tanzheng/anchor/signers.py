"""Where the key that pays and publishes lives, behind one small interface.

A key file, an encrypted keystore, an environment variable, a signer behind JSON-RPC, a token behind
PKCS#11 (`pkcs11_signer`). No secret is ever an argument or a part of a message: a passphrase or a
PIN comes from the environment.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Protocol

from eth_account import Account
from eth_utils.address import to_checksum_address

from tanzheng.anchor import keyfile
from tanzheng.anchor.errors import AnchorInput, SignerRefused
from tanzheng.anchor.node import Node
from tanzheng.anchor.transaction import SignedBytes, signature_of, with_signature
from tanzheng.core.errors import EncodingError

if TYPE_CHECKING:
    from pathlib import Path

    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress

KEY_VARIABLE = "TANZHENG_SEALER_KEY"
PASSPHRASE_VARIABLE = "TANZHENG_SEALER_PASSPHRASE"  # noqa: S105 - a name, no secret
PIN_VARIABLE = "TANZHENG_SEALER_PIN"
RPC_METHODS = ("eth_signTransaction", "account_signTransaction")


class Signed(Protocol):
    """What a signer gives back: bytes to send, and the hash they have on the chain."""

    @property
    def raw_transaction(self) -> bytes:
        """The bytes."""
        ...

    @property
    def hash(self) -> bytes:
        """The 32 bytes."""
        ...


class Signer(Protocol):
    """An account that can sign; eth-account's `LocalAccount` is one."""

    @property
    def address(self) -> ChecksumAddress:
        """The account."""
        ...

    def sign_transaction(self, transaction_dict: Any, /) -> Signed:
        """Sign, send nothing; `SignerRefused` where the key is not at hand."""
        ...


class RpcSigner:
    """A signer behind JSON-RPC: Web3Signer, Besu, geth (`eth_…`) or Clef (`account_…`).

    It is not trusted to sign what it was asked for: the answer must be that transaction, byte for
    byte, with a signature of `address`.
    """

    def __init__(self, url: str, address: str, method: str) -> None:
        self._node = Node(url)
        self._address = to_checksum_address(address)
        self._method = method

    @property
    def address(self) -> ChecksumAddress:
        """The account."""
        return self._address

    def sign_transaction(self, transaction_dict: Any, /) -> SignedBytes:
        """Ask for the signature; `ChainUnavailable` where the signer is silent."""
        asked = {**transaction_dict, "from": self._address}
        fields = {
            key: hex(value) if isinstance(value, int) else value for key, value in asked.items()
        }
        answer = self._node.rpc(self._method, fields)
        text = answer.get("raw") if isinstance(answer, dict) else answer
        if not isinstance(text, str) or re.fullmatch("0x([0-9a-f]{2})+", text) is None:
            raise SignerRefused(f"{self._method}: expected a signed transaction, got none")
        raw = bytes.fromhex(text[2:])
        try:
            signed = with_signature(asked, *signature_of(raw))
        except EncodingError as error:
            raise SignerRefused(f"{self._method}: {error}") from None
        if signed is None or signed.raw_transaction != raw:
            raise SignerRefused(
                f"{self._method}: expected the transaction asked for, signed by {self._address}; "
                "got another one"
            )
        return signed


def from_environment() -> LocalAccount:
    """The key in the environment: 64 hexadecimal digits."""
    return keyfile.account(secret(KEY_VARIABLE), f"${KEY_VARIABLE}")


def from_keystore(path: Path) -> LocalAccount:
    """The key in an encrypted file (Web3 Secret Storage v3), its passphrase in the environment."""
    try:
        key = Account.decrypt(json.loads(path.read_text("utf-8")), secret(PASSPHRASE_VARIABLE))
    except OSError as error:
        raise AnchorInput(f"expected a keystore in {path}, got {error.strerror}") from None
    except (ValueError, KeyError, TypeError):  # what they say may quote what they read
        raise AnchorInput(
            f"expected a keystore (v3) in {path} that ${PASSPHRASE_VARIABLE} opens, got another"
        ) from None
    account: LocalAccount = Account.from_key(key)
    return account


def secret(variable: str) -> str:
    """What stands in the environment; `AnchorInput` where there is nothing."""
    value = os.environ.get(variable)
    if not value:
        raise AnchorInput(f"expected a secret in the environment variable {variable}, got none")
    return value
