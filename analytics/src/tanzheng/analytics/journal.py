"""An append-only journal on disk: canonical JSON lines, each bound to the line before.

    {"at":"2025-04-02T01:30:00Z","body":{…},"n":1,"prev":"<SHA-256>"}

`prev` is the SHA-256 of the line before without its line feed; the first line's is that of the
journal's kind, so that no journal passes for one of another kind. What a body may hold is the
caller's business (`decode`). A line counts once it is on the disk with its line feed: what follows
the last line feed was never confirmed to anyone, is named as torn, and may be set aside.

The chain shows what was changed, inserted or taken out before the last line. That lines are missing
at the end shows only against a head (`fsck`) that was noted elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from tanzheng.analytics import lines_file
from tanzheng.core import canonical_json, closed
from tanzheng.core.errors import BadInput, CheckFailed, EncodingError
from tanzheng.core.hashing import sha256

BODY = TypeVar("BODY")
LINE_BYTES_MAX = 1 << 20
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class JournalDamaged(CheckFailed):
    """A line is not what was written: restore the journal from a copy whose head is known."""


class JournalTorn(CheckFailed):
    """The last line was not written to its end, so it was never confirmed: set it aside."""

    def diagnostics(self) -> str:
        return (
            "The machine stopped while it wrote. `fsck --quarantine` moves the unfinished line "
            "into a file beside the journal. 写入中断：未完成的末行可用 fsck --quarantine 移出。"
        )


@dataclass(frozen=True, slots=True)
class Entry(Generic[BODY]):
    """A line as read: `digest` is the SHA-256 of its bytes (hex), which the next line carries."""

    number: int
    at: datetime
    digest: str
    body: BODY


@dataclass(frozen=True, slots=True)
class Check:
    """What `fsck` found: `head` is the last line's digest, `torn_bytes` an unfinished line's."""

    entries: int
    head: str
    torn_bytes: int
    faults: tuple[str, ...]


@dataclass(slots=True)
class Writer(Generic[BODY]):
    """The one writer, while it holds the lock; `entries` are those on the disk."""

    entries: list[Entry[BODY]]
    _append: Callable[[bytes], None]
    _decode: Callable[[Mapping[str, Any], str], BODY]
    _genesis: str

    def append(self, body: Mapping[str, Any], at: datetime) -> Entry[BODY]:
        """Write one line durably; `at` is aware, and not before the last line's."""
        last = self.entries[-1] if self.entries else None
        moment = at.astimezone(UTC).replace(microsecond=0)
        if last is not None and moment < last.at:
            raise BadInput(
                f"expected a time not before {last.at:{TIME_FORMAT}}, got {moment:{TIME_FORMAT}}: "
                "set the clock · 系统时间早于上一条记录"
            )
        number, prev = len(self.entries) + 1, last.digest if last else self._genesis
        record = {"at": moment.strftime(TIME_FORMAT), "body": dict(body), "n": number, "prev": prev}
        line = canonical_json.dumps(record)
        if len(line) > LINE_BYTES_MAX:
            raise BadInput(f"expected a line of at most {LINE_BYTES_MAX} bytes, got {len(line)}")
        # Decoded before it is written: what cannot be read again is not evidence.
        entry = _entry(line, number, prev, self._decode, "new entry")
        self._append(line + b"\n")
        self.entries.append(entry)
        return entry


@dataclass(frozen=True, slots=True)
class Journal(Generic[BODY]):
    """A journal of `kind` at `path`; `decode(body, where)` raises `BadInput` for a wrong body."""

    path: Path
    kind: str
    decode: Callable[[Mapping[str, Any], str], BODY]

    @property
    def genesis(self) -> str:
        """The `prev` of the first line."""
        return sha256(f"tanzheng journal {self.kind}".encode()).hex()

    def read(self) -> list[Entry[BODY]]:
        """All lines. `JournalTorn` and `JournalDamaged` name the line; `BadInput`: no such file."""
        with lines_file.reading(self.path) as handle:
            return self._entries(lines_file.content(handle))

    @contextmanager
    def writing(self) -> Iterator[Writer[BODY]]:
        """The lock, and what is on the disk; the file is made if there is none."""
        with lines_file.writing(self.path, begin=True) as handle:
            raw = lines_file.content(handle)
            size = len(raw)

            def append(line: bytes) -> None:
                nonlocal size
                lines_file.append(handle, size, line, self.path)
                size += len(line)

            yield Writer(self._entries(raw), append, self.decode, self.genesis)

    def fsck(self, head: str | None = None) -> Check:
        """Every fault at once. `head`: a digest noted before, which must still be in the chain."""
        with lines_file.reading(self.path) as handle:
            lines, torn = lines_file.split(lines_file.content(handle))
        faults, digests, prev = [], [], self.genesis
        for number, line in enumerate(lines, 1):
            try:
                _entry(line, number, prev, self.decode, self._where(number))
            except BadInput as error:
                faults.append(str(error))
            prev = sha256(line).hex()
            digests.append(prev)
        if torn:
            faults.append(f"{self._where(len(lines) + 1)}: torn, {len(torn)} bytes without an end")
        if head is not None and head not in digests:
            faults.append(f"{self.path}: expected a line with the digest {head}, got none")
        return Check(len(lines), prev, len(torn), tuple(faults))

    def _entries(self, content: bytes) -> list[Entry[BODY]]:
        lines, torn = lines_file.split(content)
        if torn:
            where = self._where(len(lines) + 1)
            raise JournalTorn(f"{where}: expected a whole line, got {len(torn)} bytes of one")
        found: list[Entry[BODY]] = []
        for number, line in enumerate(lines, 1):
            prev = found[-1].digest if found else self.genesis
            try:
                found.append(_entry(line, number, prev, self.decode, self._where(number)))
            except BadInput as error:
                raise JournalDamaged(str(error)) from error
        return found

    def _where(self, number: int) -> str:
        return f"{self.path}, line {number}"


def _entry(
    line: bytes,
    number: int,
    prev: str,
    decode: Callable[[Mapping[str, Any], str], BODY],
    where: str,
) -> Entry[BODY]:
    if len(line) > LINE_BYTES_MAX:
        raise EncodingError(f"{where}: expected at most {LINE_BYTES_MAX} bytes, got {len(line)}")
    record = closed.record(canonical_json.loads(line, where), ("at", "body", "n", "prev"), where)
    if closed.integer(record, "n", where) != number:
        raise EncodingError(f"{where}: expected n {number}, got {record['n']}")
    if record["prev"] != prev:
        raise EncodingError(
            f"{where}: expected prev {prev}, got {str(record['prev'])[:64]}: "
            "this line or the one before is not as it was written"
        )
    at, body = _instant(record["at"], where), closed.mapping(record["body"], f"{where}.body")
    return Entry(number, at, sha256(line).hex(), decode(body, where))


def _instant(value: object, where: str) -> datetime:
    try:
        moment = datetime.strptime(str(value), TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise EncodingError(f"{where}.at: expected UTC like 2025-04-02T01:30:00Z") from None
    if moment.strftime(TIME_FORMAT) != value:
        raise EncodingError(f"{where}.at: expected UTC like 2025-04-02T01:30:00Z, got {value!r}")
    return moment
