"""What a meter's link says, read once. The form was checked against `link.schema.json`. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tanzheng.core.errors import BadInput
from tanzheng.edge.abc import Placed
from tanzheng.hardware.points import ONE, Ratio
from tanzheng.hardware.profile import Profile

CHINA = timezone(timedelta(hours=8))
RATIO_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class PortSettings:
    """What all meters on one pair of wires must agree on: `path`, or `host` and `port`."""

    path: str
    host: str
    port: int
    baud: int
    parity: str
    stop: int

    @classmethod
    def of(cls, link: Mapping[str, Any]) -> "PortSettings":
        """From a meter's link."""
        return cls(
            link.get("serial_port", ""),
            link.get("host", ""),
            link.get("port", 0),
            link.get("baud", 2400),
            link.get("parity", "E"),
            link.get("stop", 1),
        )

    @property
    def name(self) -> str:
        """The endpoint for people: `/dev/ttyS1`, `192.0.2.1:4001`."""
        return self.path or f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RatioHistory:
    """A transformer ratio over time: `ratios[i]` holds from `from_ms[i]` on, the first always."""

    from_ms: tuple[int, ...]
    ratios: tuple[Fraction, ...]

    def at(self, t_ms: int) -> Fraction:
        """The ratio that holds at the instant (UTC ms)."""
        return self.ratios[max(bisect_right(self.from_ms, t_ms) - 1, 0)]


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """How one meter is asked."""

    address: str
    timeout_s: float
    pause_s: float
    wake_bytes: int
    ratios: Mapping[Ratio, RatioHistory]

    def factor(self, times: Iterable[Ratio], t_ms: int) -> Fraction:
        """The product of the ratios named in `times` at the instant."""
        product = ONE
        for name in times:
            product *= self.ratios[name].at(t_ms)
        return product


def settings_of(placed: Placed, profile: Profile) -> MeterSettings:
    """The meter's own settings; `BadInput` where a transformer ratio is missing or none."""
    link = placed.link
    return MeterSettings(
        address=link["address"],
        timeout_s=link.get("timeout_ms", 1000) / 1000,
        pause_s=link.get("pause_ms", profile.pause_ms) / 1000,
        wake_bytes=link.get("wake_bytes", 4),
        ratios=_ratios(placed, profile),
    )


def _ratios(placed: Placed, profile: Profile) -> Mapping[Ratio, RatioHistory]:
    wanted = {name for field in placed.fields for name in profile.field_point(field).times}
    names: tuple[Ratio, ...] = ("ct", "pt")
    found: dict[Ratio, RatioHistory] = {}
    for name in names:
        given = placed.link.get(name)
        where = f"device {placed.id}, {name}"
        if given is not None:
            found[name] = _history(given, where)
        elif name in wanted:
            raise BadInput(
                f'expected a ratio such as "2000/5" ("1" without a transformer), got none, '
                f"at {where}"
            )
    return found


def _history(given: str | Sequence[Mapping[str, str]], where: str) -> RatioHistory:
    if isinstance(given, str):
        return RatioHistory((0,), (ratio_of(given, where),))
    from_ms = tuple(_instant_ms(item["from"], where) for item in given)
    if any(later <= earlier for earlier, later in pairwise(from_ms)):
        raise BadInput(f"expected dates in rising order, got {[i['from'] for i in given]}, {where}")
    return RatioHistory(from_ms, tuple(ratio_of(item["ratio"], where) for item in given))


def _instant_ms(text: str, where: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"expected a date, got {text!r}, at {where}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=CHINA)
    return round(moment.timestamp() * 1000)


def ratio_of(text: str, where: str) -> Fraction:
    """ "2000/5" → 400, "400" → 400; `BadInput` where that is no ratio above 0."""
    above, _, below = text.partition("/")
    try:
        ratio = Fraction(above) / Fraction(below or "1")
    except (ValueError, ArithmeticError):
        raise BadInput(f'expected a ratio such as "2000/5", got {text!r}, at {where}') from None
    if not 0 < ratio < RATIO_MAX:
        raise BadInput(f"expected a ratio above 0 and below a million, got {text!r}, at {where}")
    return ratio
