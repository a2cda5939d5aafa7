"""Statements on disk: their descriptions, signed ones by themselves or in a receipt, schemas."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tanzheng.core import closed, receipt, strict_json
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.statements.description import from_description
from tanzheng.core.statements.envelope import BlockReference, Envelope
from tanzheng.core.statements.forms import ITEMS_MAX
from tanzheng.core.statements.key_event import KeyEvent, possess
from tanzheng.core.statements.kinds import NAMES, SignedStatement, open_signed
from tanzheng.core.statements.roles import Role
from tanzheng.verifier.errors import Unreadable
from tanzheng.verifier.files import KEY_BYTES_MAX, read_file
from tanzheng.verifier.inputs import DOCUMENT_BYTES_MAX, SIGN1, read_trust

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


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes with a description, so that nobody types a digest.

    `references`, `documents`: FIELD=FILE, of a statement or receipt, of any file. `previous`: the
    subject's statement before. `new_key`: the private key that comes; `old_key`: the public one
    that goes.
    """

    references: Sequence[str] = ()
    documents: Sequence[str] = ()
    previous: Path | None = None
    new_key: Path | None = None
    old_key: Path | None = None


def make(name: str, description: Path, key: Path, trust: Path, beside: Beside) -> SignedStatement:
    """Make and sign the statement that a file describes; it is as recent as the trust file."""
    kind = kind_named(name)
    if name == MONTH:
        raise BadInput("a month's statement is made of its package: tanzheng anchor seal")
    where = str(description)
    described = dict(_read_description(description))
    for field, path in map(_field_and_path, beside.references):
        _refer(described, field, read_statement(path))
    for field, path in map(_field_and_path, beside.documents):
        described[field] = sha256(read_file(path, DOCUMENT_BYTES_MAX, "document")).hex()
    if beside.new_key is not None:
        described |= _new_key(kind, described, beside.new_key, where)
    if beside.old_key is not None:
        described["kid"] = _public_key(beside.old_key).kid.hex()
    before = None if beside.previous is None else read_statement(beside.previous)
    stated = from_description(kind, described, before, _newest(trust), where)
    return stated.sign(_signing_key(key))


def _field_and_path(given: str) -> tuple[str, Path]:
    field, _, name = given.partition("=")
    if not field or not name:
        raise BadInput(f"expected FIELD=FILE, got {given!r}")
    return field, Path(name)


def _refer(described: dict[str, Any], field: str, to: SignedStatement) -> None:
    """Put a reference into a field: `of` has one, the others have lists, sorted by subject."""
    reference = {"subject": str(to.statement.subject), "digest": to.digest.hex()}
    if field == "of":
        described[field] = reference
        return
    listed = [*closed.sequence(described.get(field, []), field, ITEMS_MAX), reference]
    described[field] = sorted(listed, key=lambda each: Subject.parse(each["subject"]))


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


def _public_key(path: Path) -> VerifyKey:
    return VerifyKey.from_pem(read_file(path, KEY_BYTES_MAX, "public key"), str(path))


def _signing_key(path: Path) -> SigningKey:
    return SigningKey.from_pem(read_file(path, KEY_BYTES_MAX, "key"), str(path))
