"""Statements on disk: their descriptions, signed ones by themselves or in a receipt, schemas."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from tanzheng.core import closed, receipt, strict_json
from tanzheng.core.errors import BadInput
from tanzheng.core.keys import SigningKey
from tanzheng.core.statements.description import from_description
from tanzheng.core.statements.envelope import BlockReference, Envelope
from tanzheng.core.statements.key_event import KeyEvent, possess
from tanzheng.core.statements.kinds import NAMES, SignedStatement, open_signed
from tanzheng.core.statements.roles import Role
from tanzheng.verifier.errors import Unreadable
from tanzheng.verifier.files import KEY_BYTES_MAX, read_file
from tanzheng.verifier.inputs import SIGN1, read_trust

DESCRIPTION_BYTES_MAX = 1 << 20
MONTH = "statement"


def read_statement(path: Path) -> SignedStatement:
    """A signed statement, by itself or in its receipt."""
    raw = read_file(path, receipt.RECEIPT_BYTES_MAX, "statement")
    if raw[:1] == SIGN1:
        return open_signed(raw)
    return receipt.decode(raw).statement


def kind_named(name: str) -> type[Envelope]:
    """The kind as it is typed; `BadInput` lists those that there are."""
    if name not in NAMES:
        raise BadInput(f"kind: expected one of {', '.join(NAMES)}; got {name!r}")
    return NAMES[name]


def schema(name: str) -> str:
    """The CDDL (RFC 8610) of a kind, together with that of the envelope."""
    kind_named(name)
    folder = files("tanzheng.core.statements") / "cddl"
    return "\n".join((folder / f"{part}.cddl").read_text("utf-8") for part in (name, "envelope"))


def make(
    name: str,
    description: Path,
    key: Path,
    trust: Path,
    previous: Path | None,
    new_key: Path | None,
) -> SignedStatement:
    """Make and sign the statement that a file describes; it is as recent as the trust file."""
    kind = kind_named(name)
    if name == MONTH:
        raise BadInput("a month's statement is made of its package: tanzheng anchor seal")
    described = dict(_read_description(description))
    if new_key is not None:
        described |= _new_key(kind, described, new_key, str(description))
    before = None if previous is None else read_statement(previous)
    stated = from_description(kind, described, before, _newest(trust), str(description))
    return stated.sign(_signing_key(key))


def _read_description(path: Path) -> Mapping[str, Any]:
    raw = read_file(path, DESCRIPTION_BYTES_MAX, "description")
    if path.suffix == ".json":
        return closed.mapping(strict_json.loads(raw, str(path)), str(path))
    try:
        return tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Unreadable(f"{path}: expected TOML, or JSON in a .json file: {error}") from error


def _newest(trust: Path) -> BlockReference:
    blocks = read_trust(trust).blocks
    if not blocks:
        raise BadInput(f"{trust}: expected a block that was observed, got none yet")
    newest = max(blocks, key=lambda block: block.number)
    return BlockReference(newest.number, newest.hash)


def _new_key(
    kind: type[Envelope], described: Mapping[str, Any], path: Path, where: str
) -> dict[str, str]:
    """Key and possession of a key event, by the private half of the key that comes."""
    role = described.get("role")
    if kind is not KeyEvent or role not in set(Role):
        raise BadInput(f"{where}: expected a key event with a role, for --new-key")
    key = _signing_key(path)
    signature = possess(str(described.get("issuer")), Role(role), key)
    return {"key": key.public.raw.hex(), "possession": signature.hex()}


def _signing_key(path: Path) -> SigningKey:
    return SigningKey.from_pem(read_file(path, KEY_BYTES_MAX, "key"), str(path))
