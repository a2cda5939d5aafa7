"""A secp256k1 key on a PKCS#11 token (HSM, SoftHSM): it never leaves, only hashes go in.

Needs the extra `tanzheng-anchor[pkcs11]`. Mechanism CKM_ECDSA over the 32-byte hash; the answer is
r ‖ s (PKCS#11 v3.0 §2.3.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pkcs11
from eth_keys.datatypes import PublicKey
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, PKCS11Error, SignMixin

from tanzheng.anchor.errors import AnchorInput, SignerRefused
from tanzheng.anchor.signers import PIN_VARIABLE, secret
from tanzheng.anchor.transaction import SignedBytes, signing_hash, with_signature

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress

POINT_BYTES = 65  # 0x04 ‖ x ‖ y, in an OCTET STRING of two bytes more
SCALAR_BYTES = 32


class Pkcs11Signer:
    """The key pair `label` on the token `token` of the library `module` (a path)."""

    def __init__(self, module: str, token: str, label: str) -> None:
        where = f"key {label!r} on token {token!r}"
        try:
            opened = pkcs11.lib(module).get_token(token_label=token)
            self._session = opened.open(user_pin=secret(PIN_VARIABLE))
            private = self._session.get_key(
                ObjectClass.PRIVATE_KEY, key_type=KeyType.EC, label=label
            )
            public = self._session.get_key(ObjectClass.PUBLIC_KEY, key_type=KeyType.EC, label=label)
            point = bytes(public[Attribute.EC_POINT])
        except (PKCS11Error, RuntimeError) as error:
            raise AnchorInput(f"expected {where}, got {type(error).__name__}") from None
        assert isinstance(private, SignMixin)
        self._private = private
        if len(point) != POINT_BYTES + 2:
            raise AnchorInput(f"expected a secp256k1 key, got another as {where}")
        self._where = where
        self._address = PublicKey(point[-POINT_BYTES + 1 :]).to_checksum_address()

    @property
    def address(self) -> ChecksumAddress:
        """The account."""
        return self._address

    def sign_transaction(self, transaction_dict: Any, /) -> SignedBytes:
        """Sign on the token; `SignerRefused` where it does not, or with another key."""
        asked = {**transaction_dict, "from": self._address}
        try:
            pair = self._private.sign(signing_hash(asked), mechanism=Mechanism.ECDSA)
        except PKCS11Error as error:
            raise SignerRefused(
                f"expected a signature by {self._where}, got {type(error).__name__}"
            ) from None
        r, s = (int.from_bytes(part, "big") for part in (pair[:SCALAR_BYTES], pair[SCALAR_BYTES:]))
        signed = with_signature(asked, r, s)
        if signed is None:
            raise SignerRefused(f"expected a signature by {self._where}, got another's")
        return signed
