"""What the lean process needs to know, as plain JSON: written by `config.py`, read by `agent.py`.

The lean process loads no schema and no TOML library, so everything is resolved before: absolute
paths, addresses, the profiles of the devices. The plan holds the paths of keys, never a key; it
may hold the broker's password, so its file is for its owner only.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tanzheng.core.errors import BadInput

PLAN_VERSION = 1


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """One device: where it is and which fields of its profile are read, in column order."""

    id: str
    host: str
    port: int
    unit: int
    timeout_ms: int
    profile: Mapping[str, Any]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """Where batches go; `ca_path` given = TLS, the broker's certificate checked against it."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_path: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All of an agent's settings. `plant_time_socket` None = the machine's clock."""

    gateway: str
    interval_ms: int
    phase_ms: int
    devices: tuple[DevicePlan, ...]
    key_path: str
    platform_key_path: str
    spool_path: str
    spool_bytes_max: int
    disk_free_bytes_min: int
    broker: BrokerPlan
    batch_slots_max: int
    batch_age_s_max: float
    resend_after_s: float
    plant_time_socket: str | None

    @property
    def points(self) -> tuple[str, ...]:
        """Point names `device/field`: the columns of every batch."""
        return tuple(f"{device.id}/{name}" for device in self.devices for name in device.fields)

    @property
    def acquisition_digest(self) -> bytes:
        """SHA-256 over what decides which values are read, and how: devices, profiles, grid."""
        devices = [asdict(device) for device in self.devices]
        body = [self.gateway, self.interval_ms, self.phase_ms, devices]
        return sha256(json.dumps(body, sort_keys=True).encode()).digest()

    def to_json(self) -> str:
        """The plan as JSON; `from_json` is its inverse."""
        return json.dumps({"version": PLAN_VERSION, **asdict(self)}, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str, where: str) -> "Plan":
        """The plan in `text`; `BadInput` naming `where`. Only `config.py` writes plans."""
        try:
            body = json.loads(text)
            version = body.pop("version")
            if version != PLAN_VERSION:
                raise BadInput(f"expected plan version {PLAN_VERSION}, got {version!r}, at {where}")
            devices = tuple(
                DevicePlan(**{**device, "fields": tuple(device["fields"])})
                for device in body.pop("devices")
            )
            return cls(devices=devices, broker=BrokerPlan(**body.pop("broker")), **body)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInput(f"expected a plan, got {error!r}, at {where}") from error


def save_plan(plan: Plan, path: Path) -> None:
    """Write `plan` for `load_plan`, readable by its owner only."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(plan.to_json())


def load_plan(path: Path) -> Plan:
    """The plan in the file `path`."""
    try:
        return Plan.from_json(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise BadInput(f"expected a readable plan, got {error}") from error
