"""Records that people hand to a running agent: one JSON file each, in the spool's `inbox` folder.

A meter swap cannot be seen in the readings alone: whoever mounts the new meter writes down what the
old one showed last and what the new one showed first. The file appears under its final name only
when it is whole. The agent takes it once, however often it finds it, and tells it as an event.
"""

import json
import math
import os
import uuid
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tanzheng.core.batch import Event
from tanzheng.core.errors import BadInput
from tanzheng.core.ids import identifier
from tanzheng.edge.steps import SWAP

FOLDER: Final = "inbox"
RECORD_BYTES_MAX: Final = 8192
RECORDS_AT_ONCE: Final = 16
TEXT_MAX: Final = 200
REFUSED: Final = ".refused"


class RecordError(BadInput):
    """A record that says nothing that could be booked."""


@dataclass(frozen=True, slots=True)
class MeterSwap:
    """At `t_ms` (UTC) the meter behind `device`/`field` was another one.

    The old one showed `final` at its end, the new one `initial` at its start, both as decimal
    texts in the unit of the field.
    """

    device: str
    field: str
    t_ms: int
    final: str
    initial: str
    reason: str
    by: str

    @property
    def point(self) -> str:
        """The point's name."""
        return f"{self.device}/{self.field}"

    def event(self) -> Event:
        """As it is told to the platform."""
        detail: dict[str, str | int] = asdict(self)
        del detail["t_ms"]
        return Event(self.t_ms, SWAP, detail)


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the inbox: a record, or why it is none."""

    path: Path
    digest: bytes
    record: MeterSwap | None
    problem: str = ""


def hand_in(spool: Path, swap: MeterSwap) -> Path:
    """Put `swap` into the inbox of `spool`; durable and whole when this returns."""
    parse(_bytes(swap))
    folder = spool / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{swap.t_ms}-{uuid.uuid4().hex}.json"
    fresh = path.with_suffix(".new")
    with fresh.open("xb") as file:
        file.write(_bytes(swap))
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return path


def look(spool: Path) -> list[Found]:
    """What lies in the inbox, oldest name first, at most `RECORDS_AT_ONCE`."""
    folder = spool / FOLDER
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    return [_read(path) for path in paths[:RECORDS_AT_ONCE]]


def parse(data: bytes) -> MeterSwap:
    """The record in `data`; `RecordError` naming what is wrong."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"expected JSON, got {error}") from error
    if not isinstance(body, dict) or body.pop("kind", None) != SWAP:
        raise RecordError('expected an object with kind "meter_swap"')
    names = set(MeterSwap.__dataclass_fields__)
    if set(body) != names:
        raise RecordError(f"expected the keys {sorted(names)}, got {sorted(map(str, body))}")
    t_ms = body["t_ms"]
    if type(t_ms) is not int or not 0 < t_ms < 2**53:
        raise RecordError(f"t_ms: expected UTC milliseconds, got {t_ms!r}")
    for name in ("reason", "by"):
        text = body[name]
        if not isinstance(text, str) or not 0 < len(text) <= TEXT_MAX or not text.isprintable():
            raise RecordError(f"{name}: expected a line of text, at most {TEXT_MAX}, got {text!r}")
    identifier(body["device"], "device")
    identifier(body["field"], "field")
    return MeterSwap(**{**body, **{key: _number(body[key], key) for key in ("final", "initial")}})


def _bytes(swap: MeterSwap) -> bytes:
    return json.dumps({"kind": SWAP, **asdict(swap)}, ensure_ascii=False).encode()


def _number(value: Any, name: str) -> str:
    """A decimal number, written as a number or as text, as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or len(str(value)) > 40:
        raise RecordError(f"{name}: expected a number, got {value!r}")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0 or not math.isfinite(float(number)):
        raise RecordError(f"{name}: expected a number from 0, got {value!r}")
    return str(value)


def _read(path: Path) -> Found:
    try:
        with path.open("rb") as file:
            data = file.read(RECORD_BYTES_MAX + 1)
    except OSError as error:
        return Found(path, b"", None, str(error))
    digest = sha256(path.name.encode() + b"\0" + data).digest()
    try:
        if len(data) > RECORD_BYTES_MAX:
            raise RecordError(f"expected at most {RECORD_BYTES_MAX} bytes")
        return Found(path, digest, parse(data))
    except BadInput as error:
        return Found(path, digest, None, str(error))
