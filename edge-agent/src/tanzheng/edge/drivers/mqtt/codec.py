"""What every payload format gives: samples under the sender's own names, or a named refusal.

Pure, as is every module of this folder but `link.py` and `driver.py`. A payload is whatever
somebody could publish: any bytes give samples or `PayloadRefused`, in time linear in their number.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from tanzheng.core.errors import BadInput
from tanzheng.core.quality import Quality

JSON_DEPTH_MAX: Final = 32
INTEGER_DIGITS_MAX: Final = 20
NOT_AVAILABLE: Final = "not_available"
_BRACKETS_OR_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


class PayloadRefused(BadInput):
    """A payload that is not what its format says; `reason` is an identifier for counters."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Sample:
    """One value under the sender's name (path, metric, tag): raw, before any scale.

    `t_ms` None: the payload does not say when. `value` None: there is none, for `reason`.
    `unit` is what stood behind the number, "" where nothing did.
    """

    name: str
    t_ms: int | None
    value: float | None
    quality: Quality = Quality.GOOD
    reason: str = NOT_AVAILABLE
    unit: str = ""


@dataclass(slots=True)
class Body:
    """A payload that several devices may look into: its JSON is read once."""

    raw: bytes
    _document: Any = field(default=None, init=False)
    _refused: PayloadRefused | None = field(default=None, init=False)
    _read: bool = field(default=False, init=False)

    @property
    def text(self) -> str:
        """The payload as UTF-8 text without a byte order mark."""
        try:
            return self.raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PayloadRefused("not_text", f"expected UTF-8 text, got {error.reason}") from error

    @property
    def json(self) -> Any:
        """The payload as JSON; NaN and the infinities are None."""
        if not self._read:
            self._read = True
            try:
                self._document = read_json(self)
            except PayloadRefused as error:
                self._refused = error
        if self._refused is not None:
            raise self._refused
        return self._document


def read_json(body: Body) -> Any:
    """The document in `body`. Depth is bounded first: the standard reader recurses."""
    depth = json_depth(body.raw)
    if depth > JSON_DEPTH_MAX:
        raise PayloadRefused(
            "json_too_deep", f"expected JSON at most {JSON_DEPTH_MAX} deep, got {depth}"
        )
    try:
        return json.loads(body.text, parse_int=_integer, parse_constant=lambda _name: None)
    except ValueError as error:
        raise PayloadRefused("not_json", f"expected JSON, got {error}") from error


def json_depth(raw: bytes) -> int:
    """How deep lists and objects in `raw` are nested, brackets inside strings aside."""
    if raw.count(b"[") + raw.count(b"{") <= JSON_DEPTH_MAX:
        return 0
    depth = deepest = 0
    for match in _BRACKETS_OR_STRING.finditer(raw):
        first = raw[match.start()]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest


def _integer(digits: str) -> int | float:
    """Long ones become floats: int() takes quadratic time, and nobody counts that far."""
    return int(digits) if len(digits) <= INTEGER_DIGITS_MAX else float(digits)
