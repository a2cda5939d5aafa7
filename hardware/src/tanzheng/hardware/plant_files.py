"""The files of a simulated plant's folder, and their text. Writing is atomic where others wait.

`plant.toml` describes the plant, `devices.json` says where its devices listen, `taken.jsonl` has
one line a slot taken, `sim-status.json` shows progress.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final

from tanzheng.core.calendar import PlantZone
from tanzheng.core.ids import IDENTIFIER
from tanzheng.hardware.epa import MonthOfHours

# Part 75 reports in standard time; the replayed plant's clock is mountain time without daylight
# saving, as Langley Gulch's.
REPLAY_ZONE: Final = PlantZone(-7 * 60)


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the replayed plant: its points by field of the dictionary, with their roles."""

    id: str
    profile: str
    roles: Mapping[str, str]


DEVICES: Final = (
    Device(
        "gen_meter",
        "schneider_iem3000",
        {
            "active_energy_export_kwh": "generation",
            "active_power_kw": "power",
        },
    ),
    Device(
        "gas_meter",
        "sick_flowsic500",
        {
            "gas_volume_nm3": "fuel_gas",
            "gas_flow_nm3_per_h": "fuel_gas_flow",
        },
    ),
    Device(
        "cems",
        "generic_cems_modbus",
        {
            "co2_dry_percent": "cems_co2",
            "o2_dry_percent": "cems_o2",
            "stack_flow_wet_m3_per_h": "cems_flow",
            "stack_temperature_degc": "cems_temperature",
            "stack_pressure_kpa": "cems_pressure",
            "stack_moisture_percent": "cems_moisture",
            "run_state": "run_state",
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Site:
    """What the plant file says beyond the devices."""

    name: str
    name_zh: str
    gateway: str
    rated_mw: Decimal
    rated_source: str


def site_of(replay: MonthOfHours) -> Site:
    """The known site (`data/plants.toml`), else one made from the hours themselves."""
    path = resources.files("tanzheng.hardware") / "data" / "plants.toml"
    known = tomllib.loads(path.read_text(encoding="utf-8")).get(replay.facility)
    if known is not None:
        return Site(
            known["name"],
            known["name_zh"],
            known["gateway"],
            Decimal(known["rated_capacity_mw"]),
            known["rated_capacity_source"],
        )
    largest = max(hour.load_mw for hour in replay.hours)
    rated = max(Decimal(10), (largest / 10).to_integral_value(ROUND_CEILING) * 10)
    name = replay.name or f"ORIS {replay.facility}"
    return Site(
        f"{name} (replayed)",
        f"{name}（回放）",
        "gw1",
        rated,
        f"assumed: largest hourly load of {replay.month} ({largest} MW), rounded up to 10 MW",
    )


def plant_toml(replay: MonthOfHours, site: Site) -> str:
    """The plant file of the replayed unit."""
    unit = unit_identifier(replay.unit)
    lines = [
        "# Written by `tanzheng sim`: a unit that replays hours of US EPA Part 75.",
        "version = 1",
        f"enterprise = {_quoted(enterprise_of(replay.facility))}",
        f"name = {_quoted(site.name)}",
        f"name_zh = {_quoted(site.name_zh)}",
        f"utc_offset = {_quoted(str(REPLAY_ZONE))}",
        "",
        "[[unit]]",
        f"id = {_quoted(unit)}",
        'kind = "gas"',
        f"rated_capacity_mw = {_quoted(str(site.rated_mw))}",
        f"rated_capacity_source = {_quoted(site.rated_source)}",
        "",
        "[[gateway]]",
        f"id = {_quoted(site.gateway)}",
        "interval_s = 60",
    ]
    for device in DEVICES:
        lines += [
            "",
            "[[device]]",
            f"id = {_quoted(device.id)}",
            f"gateway = {_quoted(site.gateway)}",
            f"unit = {_quoted(unit)}",
            f"profile = {_quoted(device.profile)}",
        ]
        for field, role in device.roles.items():
            lines += ["[[device.point]]", f"field = {_quoted(field)}", f"role = {_quoted(role)}"]
    return "\n".join(lines) + "\n"


def enterprise_of(facility: str) -> str:
    """`US-ORIS-57028`."""
    return unit_identifier(f"US-ORIS-{facility}")


def unit_identifier(text: str) -> str:
    """An EPA unit id as an identifier of ours: `*1` becomes `U-1`."""
    safe = "".join(
        char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in text
    )[:60]
    return safe if IDENTIFIER.fullmatch(safe) else f"U{safe}"


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` as a whole: a reader sees the old text or the new one."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def devices_json(ports: Iterable[tuple[Device, str, int]]) -> str:
    """Device id → profile, and the link as the edge agent takes it."""
    table: dict[str, Any] = {
        device.id: {
            "profile": device.profile,
            "protocol": "modbus_tcp",
            "host": host,
            "port": port,
            "unit_id": 1,
        }
        for device, host, port in ports
    }
    return json.dumps(table, indent=2) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are a part of TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
