"""Links and profiles as the driver needs them: one logger, and a rule for each of its points."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

from tanzheng.core.errors import BadInput
from tanzheng.edge.abc import Placed
from tanzheng.edge.drivers.hj212.units import conversion
from tanzheng.edge.timekeeping.scheduler import Grid
from tanzheng.hardware.profile import Hj212At, PointSpec, Profile

CrcRule = Literal["hj212", "modbus_le", "off"]
IDLE_S_MAX: Final = 3900
_STATISTICS: Final = {"Rtd": "Avg", "ZsRtd": "ZsAvg"}


@dataclass(frozen=True, slots=True)
class PointRule:
    """From the text of a value to a reading of the point `index`.

    In the profile's unit: `to_unit` = (a, b) of a × sent + b; then × `to_field`.
    """

    index: int
    code: str
    suffix: str
    sent_unit: str
    to_unit: tuple[Fraction, Fraction]
    to_field: Fraction
    expected: tuple[Fraction, Fraction] | None
    sentinels: frozenset[float]
    counter: bool

    @classmethod
    def of(cls, index: int, spec: PointSpec, units: Mapping[str, str], data: str) -> "PointRule":
        """`BadInput` where the unit does not lead to the profile's."""
        if not isinstance(spec.at, Hj212At):
            raise BadInput(f"point {spec.id}: expected an HJ 212 factor, got {spec.at}")
        code, suffix = spec.at.code, spec.at.suffix.lstrip("-")
        if data != "2011":
            suffix = _STATISTICS.get(suffix, suffix)
        sent = units.get(code, spec.unit)
        scale, shift = conversion(code, sent, spec.unit)
        return cls(
            index,
            code,
            suffix,
            sent,
            (scale * spec.scale, shift * spec.scale + spec.offset),
            spec.to_field,
            spec.expected,
            frozenset(map(float, spec.sentinels)),
            spec.counter,
        )


@dataclass(frozen=True, slots=True)
class LoggerLink:
    """One logger of a plan."""

    id: str
    mode: Literal["listen", "connect"]
    host: str
    port: int
    mn: str
    password: str | None
    crc: CrcRule
    sm4_key: bytes | None
    utc_offset_min: int
    data: str
    grid: Grid
    stale_after_ms: int
    idle_s_max: int
    quarantine: str | None
    rules: tuple[PointRule, ...]

    @classmethod
    def of(cls, placed: Placed) -> "LoggerLink":
        """`BadInput` names the device and what does not fit."""
        link = placed.link
        try:
            return cls(
                id=placed.id,
                mode=link["mode"],
                host=link["host"],
                port=link["port"],
                mn=link["mn"],
                password=link.get("password"),
                crc=link.get("crc", "hj212"),
                sm4_key=_sm4_key(link.get("sm4_key_file")),
                utc_offset_min=_minutes(link.get("utc_offset", "+08:00")),
                data=link.get("data", "2011"),
                grid=placed.grid,
                stale_after_ms=link.get("stale_after", 3) * placed.interval_ms,
                idle_s_max=link.get("idle_s_max", IDLE_S_MAX),
                quarantine=link.get("quarantine"),
                rules=_rules(placed),
            )
        except BadInput as error:
            raise BadInput(f"device {placed.id}: {error}") from error


def _rules(placed: Placed) -> tuple[PointRule, ...]:
    units: Mapping[str, Any] = placed.link.get("units", {})
    data = placed.link.get("data", "2011")
    profile = Profile.from_plan(placed.profile)
    rules = tuple(
        PointRule.of(placed.first + index, profile.field_point(name), units, data)
        for index, name in enumerate(placed.fields)
    )
    unknown = units.keys() - {
        point.at.code for point in profile.points if isinstance(point.at, Hj212At)
    }
    if unknown:
        raise BadInput(f"units: expected codes of profile {profile.id}, got {sorted(unknown)}")
    return rules


def _minutes(text: str) -> int:
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text.startswith("-") else minutes


def _sm4_key(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        key = bytes.fromhex(Path(path).read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: expected a file with 32 hex digits, got {error}") from error
    if len(key) != 16:
        raise BadInput(f"{path}: expected 32 hex digits, got {2 * len(key)}")
    return key
