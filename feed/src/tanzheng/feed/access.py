"""Who may read the feed: bearer tokens, known by their digests only, and how often each may ask.

A token is 32 random bytes that the system made: a plain SHA-256 of it cannot be searched.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from tanzheng.core import closed, strict_json
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import identifier
from tanzheng.feed import disk
from tanzheng.feed.errors import FeedInput
from tanzheng.files import durable
from tanzheng.files.durable import SECRET_MODE

TOKENS = "tokens.json"
TOKENS_MAX = 10_000
TOKEN_BYTES = 32
BUCKET_REQUESTS, REFILL_PER_S = 60.0, 10.0
"""A reader may ask 60 times at once and 10 times a second after that."""


def make(folder: Path, name: str) -> str:
    """Add a token for `name`; the text is returned this once and kept nowhere."""
    identifier(name, "token name")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    known = read(folder) if (folder / TOKENS).exists() else {}
    if name in known:
        raise FeedInput(f"token: expected a new name, got {name!r}, which has one")
    _write(folder, {**known, name: sha256(token.encode())})
    return token


def revoke(folder: Path, name: str) -> None:
    """Take away the token of `name`; a running server hears of it at its next request."""
    known = read(folder)
    if name not in known:
        raise FeedInput(f"token: expected one of {sorted(known)}, got {name!r}")
    _write(folder, {key: digest for key, digest in known.items() if key != name})


def read(folder: Path) -> dict[str, bytes]:
    """Name → SHA-256 of the token; `FeedInput` where others may read the file."""
    path = folder / TOKENS
    data = disk.read(path, 4 << 20, "tokens")
    check_private(path)
    where = "tokens"
    source = closed.record(strict_json.loads(data, where), ("version", "tokens"), where)
    closed.version(source, 1, where)
    found = closed.mapping(source["tokens"], f"{where}.tokens")
    return {
        identifier(name, where): closed.hexadecimal(digest, 32, f"{where}.{name}")
        for name, digest in found.items()
    }


def check_private(path: Path) -> None:
    """Return where only the owner may read `path`; else `FeedInput`."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise FeedInput(f"expected mode 0600 on {path}, got {mode:04o}")


def read_token(path: Path) -> str:
    """A reader's own token, from a file that only its owner may read."""
    text = disk.read(path, 4096, "token file").decode("ascii", "replace").strip()
    check_private(path)
    if re.fullmatch(r"[A-Za-z0-9_-]{20,200}", text) is None:
        raise FeedInput(f"expected a token in {path}, got something else")
    return text


def _write(folder: Path, known: dict[str, bytes]) -> None:
    tokens = {name: digest.hex() for name, digest in sorted(known.items())}
    data = json.dumps({"version": 1, "tokens": tokens}, indent=1).encode()
    durable.make_folder(folder)
    disk.overwrite(folder / TOKENS, data, SECRET_MODE)


@dataclass(slots=True)
class Bucket:
    """What a reader has left: a token bucket, given the time."""

    left: float = BUCKET_REQUESTS
    at_s: float = 0.0

    def take(self, now_s: float) -> float:
        """Take one; 0 where there was one, else the seconds until there will be."""
        self.left = min(BUCKET_REQUESTS, self.left + (now_s - self.at_s) * REFILL_PER_S)
        self.at_s = now_s
        if self.left >= 1:
            self.left -= 1
            return 0.0
        return (1 - self.left) / REFILL_PER_S


@dataclass(slots=True)
class Door:
    """Lets readers in by the tokens of `folder`, which is read again when it changes."""

    folder: Path
    _seen: int = 0
    _known: dict[str, bytes] = field(default_factory=dict)
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def name(self, authorization: str) -> str | None:
        """Who presents this header (`Bearer …`), None for nobody."""
        path = self.folder / TOKENS
        if not path.exists():
            raise FeedInput(f"expected {path}: make a token first (tanzheng feed token)")
        changed = path.stat().st_mtime_ns
        if changed != self._seen:
            self._known, self._seen = read(self.folder), changed
        scheme, _, token = authorization.partition(" ")
        digest = sha256(token.encode("utf-8", "replace"))
        found = None
        for name, known in self._known.items():  # each is compared: the time says nothing
            if hmac.compare_digest(known, digest) and scheme.lower() == "bearer":
                found = name
        return found

    def wait_s(self, name: str, now_s: float) -> float:
        """Seconds that `name` must wait before it may ask; 0 for now."""
        return self._buckets.setdefault(name, Bucket(at_s=now_s)).take(now_s)
