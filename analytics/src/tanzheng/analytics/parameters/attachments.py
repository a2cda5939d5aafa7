"""Attachments of a month: listed once with their digests, and still the same files each time."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tanzheng.analytics.parameters.flaws import AttachmentWrong
from tanzheng.analytics.parameters.records import relative
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256, sm3

ATTACHMENTS = "attachments.toml"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file by its path in the month's folder, with both digests in hexadecimal."""

    file: str
    size: int
    sha256: str
    sm3: str

    @classmethod
    def of(cls, file: str, data: bytes) -> "Attachment":
        """The entry of a file that holds `data`."""
        return cls(file, len(data), sha256(data).hex(), sm3(data).hex())

    def to_json(self) -> dict[str, object]:
        """The entry as a map."""
        return {"file": self.file, "bytes": self.size, "sha256": self.sha256, "sm3": self.sm3}


def parse_attachments(raw: bytes) -> dict[str, Attachment]:
    """The list of a folder; `AttachmentWrong` where it is none."""
    try:
        rows = tomllib.loads(raw.decode()).get("attachment", [])
        listed = [
            Attachment(
                relative(row["file"], ATTACHMENTS), int(row["bytes"]),
                _digest(row["sha256"]), _digest(row["sm3"]),
            )
            for row in rows
        ]  # fmt: skip
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise AttachmentWrong(f"{ATTACHMENTS}: expected TOML in UTF-8, got {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AttachmentWrong(
            f"{ATTACHMENTS}: expected file, bytes, sha256, sm3; got {error}"
        ) from None
    by_file = {item.file: item for item in listed}
    if len(by_file) != len(listed):
        raise AttachmentWrong(f"{ATTACHMENTS}: expected each file once, got one again")
    return by_file


def _digest(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch("[0-9a-f]{64}", value) is None:
        raise ValueError(f"{value!r} where 64 hexadecimal digits are due")
    return value


def encode_attachments(listed: Iterable[Attachment]) -> bytes:
    """The list as TOML, in order of files."""
    blocks = [
        f'[[attachment]]\nfile = "{_quoted(item.file)}"\nbytes = {item.size}\n'
        f'sha256 = "{item.sha256}"\nsm3 = "{item.sm3}"\n'
        for item in sorted(listed, key=lambda item: item.file)
    ]
    return "\n".join(blocks).encode()


def _quoted(file: str) -> str:
    return file.replace('"', '\\"')


def check_attachments(
    listed: Mapping[str, Attachment],
    found: Mapping[str, bytes],
    named: Iterable[str],
    held: Iterable[str] | None = None,
) -> None:
    """`AttachmentWrong` naming every file that is missing, changed, or not listed.

    `found`: the files at hand; `named`: those that records rest on; `held`: those that must be at
    hand, all listed ones where None.
    """
    wanted = listed.keys() if held is None else set(held)
    wrong = [
        f"{file}: expected it among {ATTACHMENTS}, got no entry; "
        f"`tanzheng parameters attach` lists new files · 附件未登记"
        for file in sorted(set(named) | set(found))
        if file not in listed
    ]
    for file, item in sorted(listed.items()):
        if file not in wanted:
            continue
        if file not in found:
            wrong.append(f"{file}: expected the file that is listed, got none · 附件缺失")
        elif Attachment.of(file, found[file]) != item:
            digest = sha256(found[file]).hex()
            wrong.append(
                f"{file}: expected sha256 {item.sha256}, got {digest}: the file was changed after "
                f"it was listed · 附件已被更改"
            )
    if wrong:
        raise AttachmentWrong("\n".join(wrong))


def parse_known_reports(raw: bytes, name: str) -> dict[str, str]:
    """Reports used before, a line each: SHA-256, then where it was used (plant and month)."""
    known: dict[str, str] = {}
    try:
        lines = raw.decode().splitlines()
    except UnicodeDecodeError:
        raise BadInput(f"{name}: expected text in UTF-8, got other bytes") from None
    for number, line in enumerate(lines, 1):
        digest, _, where = line.strip().partition(" ")
        if not digest:
            continue
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise BadInput(
                f"{name}, line {number}: expected a SHA-256 in hexadecimal, got {digest!r}"
            )
        known[digest] = where.strip() or "another month"
    return known
