"""What the lean process needs to know, as plain JSON: written by `config.py`, read by `agent.py`.

The lean process loads no schema and no TOML library, so everything is resolved before: absolute
paths, links, the profiles of the devices. The plan holds the paths of keys, never a key; it may
hold the passwords of the broker and of links, so its file is for its owner only.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from tanzheng.core.errors import BadInput
from tanzheng.edge.abc import SLOW_EVERY, Placed
from tanzheng.edge.timekeeping.scheduler import Grid

PLAN_VERSION = 4
PLAN_NAME = "plan.json"
"""The plan's file, in the folder of the spool."""
SECRET_KEYS = frozenset({"password"})
"""Link settings that are secrets; `url` may hold one before its @."""


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """One device: how it is reached and which fields of its profile are read, in column order.

    `link` has a `protocol` and what the `link.schema.json` of that protocol's driver allows, every
    file in it as an absolute path; `profile` is `Profile.to_plan()`; `interval_ms` and `phase_ms`
    (within the hour) are its own grid, a coarser one than the gateway's or the same, and
    `slow_fields` are read at every `slow_every`-th of its slots.
    """

    id: str
    link: Mapping[str, Any] = field(repr=False)
    profile: Mapping[str, Any] = field(repr=False)
    fields: tuple[str, ...]
    interval_ms: int
    phase_ms: int = 0
    slow_fields: tuple[str, ...] = ()
    slow_every: int = SLOW_EVERY

    def placed(self, first: int) -> Placed:
        """The device as its driver takes it; `first` is the column of its first point."""
        return Placed(
            self.id, self.link, self.profile, self.fields, first, self.interval_ms, self.phase_ms,
            self.slow_fields, self.slow_every,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """Where batches go; `ca_path` given = TLS, the broker's certificate checked against it.

    `cert_path` and `key_path` are the gateway's own certificate and its key, both or none.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_path: str | None = None
    cert_path: str | None = None
    key_path: str | None = None


@dataclass(frozen=True)
class Plan:
    """All of an agent's settings. `plant_time_socket` None = the machine's clock.

    `spool_full_policy` is "keep_oldest" (new slots become gaps) or "keep_newest" (the oldest
    unacknowledged are dropped, counted and recorded as a gap). `ntp_server` None = the machine's
    own time service is asked; `metrics_port` None = no metrics, else on 127.0.0.1.
    """

    gateway: str
    interval_ms: int
    phase_ms: int
    devices: tuple[DevicePlan, ...]
    key_path: str
    platform_key_path: str
    spool_path: str
    spool_bytes_max: int
    spool_age_s_max: int
    spool_full_policy: str
    disk_free_bytes_min: int
    broker: BrokerPlan
    batch_slots_max: int
    batch_age_s_max: float
    resend_after_s: float
    plant_time_socket: str | None
    ntp_server: str | None
    metrics_port: int | None
    clock_offset_ms_max: int

    @property
    def points(self) -> tuple[str, ...]:
        """Point names `device/field`: the columns of every batch."""
        return tuple(f"{device.id}/{name}" for device in self.devices for name in device.fields)

    def placed(self) -> tuple[Placed, ...]:
        """The devices with the columns of their points, for `make_lines` of the drivers."""
        placed: list[Placed] = []
        first = 0
        for device in self.devices:
            placed.append(device.placed(first))
            first += len(device.fields)
        return tuple(placed)

    @property
    def grids(self) -> dict[str, Grid]:
        """The slots of each point, by its name."""
        return {
            f"{placed.id}/{name}": placed.slow_grid if name in placed.slow_fields else placed.grid
            for placed in self.placed()
            for name in placed.fields
        }

    @property
    def acquisition_digest(self) -> bytes:
        """SHA-256 over what decides which values are read, and how: links, profiles, grid.

        Passwords are left out: the digest is published, and a new password reads the same values.
        """
        devices = [{**asdict(each), "link": without_secrets(each.link)} for each in self.devices]
        body = [self.gateway, self.interval_ms, self.phase_ms, devices]
        return sha256(json.dumps(body, sort_keys=True).encode()).digest()

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the whole plan. The status file shows it as `plan_digest`, so that
        `tanzheng edge reload` sees that the agent took the new one."""
        return sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """The plan as JSON, each profile once; `from_json` is its inverse."""
        body = {"version": PLAN_VERSION, **asdict(self)}
        body["profiles"] = profiles = {}
        for device in body["devices"]:
            profiles[device["profile"]["id"]] = device["profile"]
            device["profile"] = device["profile"]["id"]
        return json.dumps(body, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str, where: str) -> "Plan":
        """The plan in `text`; `BadInput` naming `where`. Only `config.py` writes plans."""
        try:
            body = json.loads(text)
            version = body.pop("version")
            if version != PLAN_VERSION:
                raise BadInput(f"expected plan version {PLAN_VERSION}, got {version!r}, at {where}")
            profiles = body.pop("profiles")
            devices = tuple(
                DevicePlan(
                    **{
                        **device,
                        "profile": profiles[device["profile"]],
                        "fields": tuple(device["fields"]),
                        "slow_fields": tuple(device["slow_fields"]),
                    }
                )
                for device in body.pop("devices")
            )
            return cls(devices=devices, broker=BrokerPlan(**body.pop("broker")), **body)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInput(f"expected a plan, got {error!r}, at {where}") from error


def without_secrets(link: Mapping[str, Any]) -> dict[str, Any]:
    """`link` as it may be shown and published: no password, no user and password in its URL."""
    shown = {key: value for key, value in link.items() if key not in SECRET_KEYS}
    if "url" in shown:
        head, at, tail = str(shown["url"]).rpartition("@")
        shown["url"] = f"{head.partition('://')[0]}://{tail}" if at else tail
    return shown


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
