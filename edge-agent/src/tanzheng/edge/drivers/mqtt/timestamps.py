"""Time stamps as senders write them → UTC milliseconds. Pure."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tanzheng.core.errors import BadInput
from tanzheng.edge.drivers.mqtt.codec import PayloadRefused

EARLIEST_MS: Final = 946_684_800_000  # 2000-01-01
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01
UNIX_MS: Final = {"unix_s": 1000.0, "unix_ms": 1.0, "unix_us": 0.001}
"""Format → milliseconds in one of its steps."""
_ISO: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})"
    r"(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"\s?(Z|z|[+-][0-9]{2}:?[0-9]{2})?"
)
_COMPACT: Final = re.compile("([0-9]{4})" + "([0-9]{2})" * 5 + "([0-9]{3})?")
_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")


def parse_time(raw: Any, form: str, offset_minutes: int) -> int:
    """UTC ms of `raw`; `form` is a key of `UNIX_MS`, `iso8601` or `compact` (YYYYMMDDhhmmss[zzz]).

    `offset_minutes` is the zone of the sender's clock, for times that name none. A time outside
    2000 to 2099 is refused: mostly seconds taken for milliseconds, or a clock that was never set.
    """
    if form in UNIX_MS:
        t_ms = _unix(raw, UNIX_MS[form])
    elif form == "iso8601":
        t_ms = _iso(str(raw), offset_minutes)
    else:
        t_ms = _compact(str(raw), offset_minutes)
    if t_ms is None or not EARLIEST_MS <= t_ms < LATEST_MS:
        raise PayloadRefused("bad_time", f"expected a time as {form}, got {str(raw)[:40]!r}")
    return t_ms


def parse_offset(text: str) -> int:
    """Minutes east of Greenwich: "+08:00" → 480; `BadInput` for anything else."""
    match = _OFFSET.fullmatch(text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise BadInput(f"expected a zone such as +08:00, got {text!r}")
    minutes = int(match[2]) * 60 + int(match[3])
    return -minutes if match[1] == "-" else minutes


def _unix(raw: Any, step_ms: float) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        number = float(raw[:32] if isinstance(raw, str) else raw)
    except (ValueError, OverflowError):
        return None
    return round(number * step_ms) if math.isfinite(number) else None


def _iso(text: str, offset_minutes: int) -> int | None:
    match = _ISO.fullmatch(text.strip()) if len(text) <= 48 else None
    if match is None:
        return None
    *parts, fraction, zone = match.groups()
    if zone in ("Z", "z"):
        offset_minutes = 0
    elif zone is not None:
        try:
            offset_minutes = parse_offset(zone)
        except BadInput:
            return None
    milliseconds = int((fraction or "0").ljust(3, "0")[:3])
    return _instant([int(part or 0) for part in parts], milliseconds, offset_minutes)


def _compact(text: str, offset_minutes: int) -> int | None:
    match = _COMPACT.fullmatch(text)
    if match is None:
        return None
    *parts, milliseconds = match.groups()
    return _instant([int(part) for part in parts], int(milliseconds or 0), offset_minutes)


def _instant(parts: list[int], milliseconds: int, offset_minutes: int) -> int | None:
    year, month, day, hour, minute, second = parts
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    since = local - datetime(1970, 1, 1, tzinfo=UTC) - timedelta(minutes=offset_minutes)
    return since // timedelta(milliseconds=1) + milliseconds
