"""One entry of the journal: a canonical JSON line that names the line before it and itself.

`digest` is SHA-256 over the canonical JSON of all other keys, `prev` the digest of the line
before: a byte changed anywhere, in the last line too, does not go unseen. Check by hand:
`tail -1 JOURNAL | jq -cSj 'del(.digest)' | sha256sum`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

from tanzheng.analytics.closing import Deposit
from tanzheng.analytics.evidence.states import Move, Role
from tanzheng.core import canonical_json, closed
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput, EncodingError
from tanzheng.core.hashing import HASH_BYTES, sha256
from tanzheng.core.ids import Subject

FORMAT = 1
KIND = "month"
GENESIS = bytes(HASH_BYTES)
LINE_BYTES_MAX = 1 << 16
RANDOMNESS_BYTES = (16, 64)

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Draw:
    """By what a month was drawn; anybody draws again from it (see `sampling`).

    `period`: `YYYY` or `YYYY-MM`; `pool_sha256`: digest of the sorted list of `pool` months.
    """

    period: str
    randomness: bytes
    pool_sha256: bytes
    pool: int
    drawn: int


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does to a month: one move, bound to one package by its manifest's digest.

    `at`: the time on the plant's clock, whole seconds with offset. `version` None: the package is
    checked, not deposited yet. `deposit`: what the package's own rules say, where it comes in.
    """

    subject: Subject
    move: Move
    role: Role
    actor: str
    at: datetime
    manifest_sha256: bytes
    version: int | None = None
    supersedes: int | None = None
    deposit: Deposit | None = None
    reason: str | None = None
    note: str = ""
    draw: Draw | None = None

    @property
    def day(self) -> date:
        """The plant's day of the move."""
        return self.at.date()


@dataclass(frozen=True)
class Entry:
    """An act in its place: `seq` from 1 without a hole, `prev` the digest of the line before."""

    seq: int
    prev: bytes
    act: Act

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over the canonical JSON of all keys but `digest`."""
        return sha256(canonical_json.dumps(self._content()))

    def encode(self) -> bytes:
        """The line with its end; `EncodingError` or `BadInput` where a field breaks the shape."""
        line = canonical_json.dumps(self.to_json())
        if decode(line, "entry") != self:  # checked twice: before writing and after reading
            raise EncodingError("entry: expected fields that survive a round trip")
        return line + b"\n"

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON, `digest` included."""
        return self._content() | {"digest": self.digest.hex()}

    def _content(self) -> dict[str, Any]:
        act = self.act
        return {
            "format": FORMAT,
            "seq": self.seq,
            "prev": self.prev.hex(),
            "subject": str(act.subject),
            "move": str(act.move),
            "role": str(act.role),
            "actor": act.actor,
            "at": act.at.isoformat(),
            "manifest_sha256": act.manifest_sha256.hex(),
            "version": act.version,
            "supersedes": act.supersedes,
            "deposit": act.deposit and str(act.deposit),
            "reason": act.reason,
            "note": act.note,
            "draw": act.draw and _draw_to_json(act.draw),
        }


_KEYS = (
    "format", "seq", "prev", "subject", "move", "role", "actor", "at", "manifest_sha256", "version",
    "supersedes", "deposit", "reason", "note", "draw", "digest",
)  # fmt: skip
_DRAW_KEYS = ("period", "randomness", "pool_sha256", "pool", "drawn")


def decode(line: bytes, where: str) -> Entry:
    """The entry of a line without its end; `BadInput` names `where` and the field out of shape."""
    if len(line) > LINE_BYTES_MAX:
        raise EncodingError(f"{where}: expected at most {LINE_BYTES_MAX} bytes, got {len(line)}")
    source = closed.record(canonical_json.loads(line, where), _KEYS, where)
    if closed.integer(source, "format", where) != FORMAT:
        raise EncodingError(f"{where}.format: expected {FORMAT}, got {source['format']}")
    entry = Entry(
        closed.integer(source, "seq", where, least=1),
        closed.hexadecimal(source["prev"], HASH_BYTES, f"{where}.prev"),
        _act(source, where),
    )
    if source["digest"] != entry.digest.hex():
        raise EncodingError(
            f"{where}: expected the digest {entry.digest.hex()}, got {source['digest']}"
        )
    return entry


def _act(source: closed.Record, where: str) -> Act:
    return Act(
        subject=_subject(source["subject"], where),
        move=word(source["move"], Move, f"{where}.move"),
        role=word(source["role"], Role, f"{where}.role"),
        actor=_words(source, "actor", where),
        at=instant(source["at"], f"{where}.at"),
        manifest_sha256=closed.hexadecimal(
            source["manifest_sha256"], HASH_BYTES, f"{where}.manifest_sha256"
        ),
        version=_number(source, "version", where),
        supersedes=_number(source, "supersedes", where),
        deposit=None
        if source["deposit"] is None
        else word(source["deposit"], Deposit, f"{where}.deposit"),
        reason=None if source["reason"] is None else _words(source, "reason", where),
        note=closed.text(source, "note", where),
        draw=None if source["draw"] is None else _draw(source["draw"], f"{where}.draw"),
    )


def word(value: object, kind: type[_Word], where: str) -> _Word:
    """`value` as one of the words of `kind`."""
    try:
        return kind(str(value))
    except ValueError:
        raise EncodingError(f"{where}: expected one of {', '.join(kind)}, got {value!r}") from None


def instant(value: object, where: str) -> datetime:
    """A moment on a plant's clock, `YYYY-MM-DDThh:mm:ss±hh:mm` and no other form of it."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None or found.isoformat(timespec="seconds") != value:
        raise EncodingError(f"{where}: expected YYYY-MM-DDThh:mm:ss+08:00, got {value!r}")
    return found


def _subject(value: object, where: str) -> Subject:
    subject = Subject.parse(value)
    if subject.kind != KIND:
        raise EncodingError(f"{where}.subject: expected the kind {KIND}, got {subject.kind}")
    Month.parse(subject.period)
    return subject


def _words(source: closed.Record, key: str, where: str) -> str:
    text = closed.text(source, key, where)
    if not text.strip():
        raise BadInput(f"{where}.{key}: expected some words, got {text!r}")
    return text


def _number(source: closed.Record, key: str, where: str) -> int | None:
    return None if source[key] is None else closed.integer(source, key, where, least=1)


def _draw_to_json(draw: Draw) -> dict[str, Any]:
    return {
        "period": draw.period,
        "randomness": draw.randomness.hex(),
        "pool_sha256": draw.pool_sha256.hex(),
        "pool": draw.pool,
        "drawn": draw.drawn,
    }


def _draw(value: object, where: str) -> Draw:
    source = closed.record(value, _DRAW_KEYS, where)
    text = closed.text(source, "randomness", where)
    return Draw(
        closed.text(source, "period", where),
        closed.hexadecimal(text, _randomness_bytes(text, where), f"{where}.randomness"),
        closed.hexadecimal(source["pool_sha256"], HASH_BYTES, f"{where}.pool_sha256"),
        closed.integer(source, "pool", where, least=1),
        closed.integer(source, "drawn", where, least=1),
    )


def _randomness_bytes(text: str, where: str) -> int:
    least, most = RANDOMNESS_BYTES
    if not least <= len(text) // 2 <= most:
        raise EncodingError(
            f"{where}.randomness: expected {least} to {most} bytes in hexadecimal, got {text!r}"
        )
    return len(text) // 2


def randomness(text: str, where: str) -> bytes:
    """Public randomness written in lower-case hexadecimal, 16 to 64 bytes."""
    return closed.hexadecimal(text, _randomness_bytes(text, where), where)
