"""The health of devices as the lines of all drivers tell it, in one form. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SUCCESSES: Final = ("successes", "answers", "frames", "messages")
_REFUSED: Final = "refused_"
"""Sources count what they refuse by reason: `refused_bad_crc` …"""


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """One device behind `line`. What its driver does not tell is None; `reason` is of the last
    failure while it lasts."""

    line: str
    device: str
    answering: bool | None
    reason: str | None
    successes: int | None
    failures: int | None
    backoff_s: float | None


def health_of(lines: Any) -> Iterator[DeviceHealth]:
    """`lines` maps endpoints to `Line.status()`, as in the status file; what is neither a mapping
    nor a device in one is passed over."""
    for line, status in _items(lines):
        devices = status.get("devices") if isinstance(status, Mapping) else None
        for device, told in _items(devices):
            if isinstance(told, Mapping):
                yield _device(line, device, told)


def _device(line: str, device: str, told: Mapping[str, Any]) -> DeviceHealth:
    answering, reason = told.get("answering"), told.get("reason") or told.get("last_refusal")
    return DeviceHealth(
        line=line,
        device=device,
        answering=answering if isinstance(answering, bool) else None,
        reason=str(reason) if reason else None,
        successes=_count(told, _SUCCESSES),
        failures=_refusals(told),
        backoff_s=_number(told.get("backoff_s")),
    )


def _count(told: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        if isinstance(found := told.get(name), int):
            return found
    return None


def _refusals(told: Mapping[str, Any]) -> int | None:
    if "failures" in told or "answering" not in told:
        return _count(told, ("failures",))
    counts = [value for name, value in told.items() if str(name).startswith(_REFUSED)]
    return sum(count for count in counts if isinstance(count, int))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _items(table: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(table, Mapping):
        for name, value in table.items():
            yield str(name), value
