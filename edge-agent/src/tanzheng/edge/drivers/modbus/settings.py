"""What a device's link says, read once. The form was checked against `link.schema.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tanzheng.core.errors import BadInput
from tanzheng.edge.abc import Placed
from tanzheng.hardware.profile import Profile

TCP, RTU, RTU_OVER_TCP = "modbus_tcp", "modbus_rtu", "modbus_rtu_over_tcp"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What all devices behind one endpoint must agree on. `path` for a serial port, else `host`."""

    protocol: str
    host: str = ""
    port: int = 0
    path: str = ""
    baud: int = 9600
    parity: str = "N"
    stop: int = 1
    echo: bool = False

    @property
    def name(self) -> str:
        """The endpoint for people: `192.0.2.1:502`, `/dev/ttyS1`."""
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint_of(link: Mapping[str, Any]) -> Endpoint:
    """Where the device is reached."""
    protocol, echo = link["protocol"], link.get("echo", False)
    if protocol == RTU:
        return Endpoint(
            protocol,
            path=link["serial_port"],
            baud=link.get("baud", 9600),
            parity=link.get("parity", "N"),
            stop=link.get("stop", 1),
            echo=echo,
        )
    return Endpoint(protocol, link["host"], link.get("port", 502), echo=echo)


@dataclass(frozen=True, slots=True)
class Settings:
    """How one device is asked. `ratios` are CT and PT where the meter does not say them itself."""

    unit: int
    timeout_s: float
    pause_s: float
    connect_pause_s: float
    registers_per_read_max: int
    ratios: Mapping[str, Fraction]
    serial_number: str | None


def settings_of(placed: Placed, profile: Profile) -> Settings:
    """The device's own settings; the link's pauses and sizes where given, else the profile's.

    `BadInput` where a transformer ratio is missing, or given although the meter has it; where a
    serial number is given that the profile cannot find.
    """
    link = placed.link
    if "serial_number" in link and profile.identity is None:
        raise BadInput(
            f"expected no serial number, as profile {profile.id} does not say where a device "
            f"shows its own, got one, at device {placed.id}"
        )
    most = profile.registers_per_read_max
    return Settings(
        unit=link.get("unit_id", 1),
        timeout_s=link.get("timeout_ms", 1000) / 1000,
        pause_s=link.get("pause_ms", profile.pause_ms) / 1000,
        connect_pause_s=link.get("connect_pause_ms", profile.connect_pause_ms) / 1000,
        registers_per_read_max=min(most, link.get("registers_per_read_max", most)),
        ratios=_ratios(placed, profile),
        serial_number=link.get("serial_number"),
    )


def _ratios(placed: Placed, profile: Profile) -> Mapping[str, Fraction]:
    wanted = {name for field in placed.fields for name in profile.field_point(field).times}
    ratios: dict[str, Fraction] = {}
    for name in ("ct", "pt"):
        given = placed.link.get(name)
        where = f"device {placed.id}, {name}"
        if given is None:
            if name in wanted and name not in profile.ratios:
                raise BadInput(f'expected a ratio such as "2000/5", got none, at {where}')
            continue
        if name in profile.ratios:
            raise BadInput(f"expected none, as the meter says its ratio, got {given!r}, at {where}")
        ratios[name] = ratio_of(given, where)
    return ratios


def ratio_of(text: str, where: str) -> Fraction:
    """ "2000/5" → 400, "400" → 400; `BadInput` where that is no ratio above 0."""
    above, _, below = text.partition("/")
    try:
        ratio = Fraction(above) / Fraction(below or "1")
    except (ValueError, ArithmeticError):
        raise BadInput(f'expected a ratio such as "2000/5", got {text!r}, at {where}') from None
    if not 0 < ratio < 1_000_000:
        raise BadInput(f"expected a ratio above 0 and below a million, got {text!r}, at {where}")
    return ratio
