"""The sealer's Ethereum key: 32 bytes in hexadecimal, in a file that only its owner may read."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from eth_account import Account

from tanzheng.anchor.errors import AnchorInput
from tanzheng.files import durable

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # SEC 2 §2.4.1


def load(path: Path) -> LocalAccount:
    """The key in `path`; `AnchorInput` if others may read it or it is no key. Never quoted."""
    try:
        mode, text = path.stat().st_mode, path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = type(error).__name__
        raise AnchorInput(f"expected an Ethereum key in {path}, got {reason}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AnchorInput(f"expected mode 0600 on {path}, got {stat.S_IMODE(mode):04o}")
    return account(text, str(path))


def account(text: str, where: str) -> LocalAccount:
    """The account of a key in hexadecimal; `AnchorInput` names `where` it stood, never the key."""
    if re.fullmatch("(0x)?[0-9a-f]{64}", text) is None:
        raise AnchorInput(f"expected 64 hexadecimal digits in {where}, got something else")
    if not 0 < int(text, 16) < SECP256K1_ORDER:
        raise AnchorInput(f"expected a private key in {where}, got a number that is none")
    made: LocalAccount = Account.from_key(text)
    return made


def create(path: Path) -> LocalAccount:
    """A new key in a new file; `FileExistsError` rather than replace one."""
    made: LocalAccount = Account.create()
    text = f"0x{bytes(made.key).hex()}\n"
    durable.create_exclusive(path, text.encode(), durable.SECRET_MODE)
    return made
