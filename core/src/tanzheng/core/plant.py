"""The plant file: who measures what with which device, in TOML.

It is the machine-readable part of the filed monitoring plan (数据质量控制方案, DQCP). Its SHA-256
over the raw bytes goes into every evidence package and is pinned by the verifier, so that a
changed meter assignment or capacity cannot pass for the filed one. It holds no network address.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Protocol, TypeVar

from tanzheng.core.calendar import PlantZone
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import FIELDS
from tanzheng.core.plant_table import Table

PLANT_BYTES_MAX = 1 << 20


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


_T = TypeVar("_T", bound=_Identified)


class Role(StrEnum):
    """What the month close uses a point for."""

    GENERATION = "generation"
    POWER = "power"
    FUEL_GAS = "fuel_gas"
    FUEL_GAS_FLOW = "fuel_gas_flow"
    CEMS_CO2 = "cems_co2"
    CEMS_O2 = "cems_o2"
    CEMS_FLOW = "cems_flow"
    CEMS_TEMPERATURE = "cems_temperature"
    CEMS_PRESSURE = "cems_pressure"
    CEMS_MOISTURE = "cems_moisture"
    RUN_STATE = "run_state"


@dataclass(frozen=True, slots=True)
class Operating:
    """When a unit without a run state counts as operating: while the gauge `point` (its name)
    reads more than `above`, in the unit of its field."""

    point: str
    above: Decimal


@dataclass(frozen=True, slots=True)
class Unit:
    """A generating unit. `rated_capacity_mw` as filed; `rated_capacity_source` says by whom.

    `filed_plan_sha256`: 32 bytes, over the raw `plan.toml` that says by which source each figure of
    its books counts; None where a unit has no books. `operating`: None where a point fills the role
    of the run state.
    """

    id: str
    kind: str
    rated_capacity_mw: Decimal
    rated_capacity_source: str
    filed_plan_sha256: bytes | None = None
    operating: Operating | None = None


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """A gateway and its sampling grid in seconds."""

    id: str
    interval_s: int

    @property
    def interval_ms(self) -> int:
        return self.interval_s * 1000


@dataclass(frozen=True, slots=True)
class Point:
    """A field of a device and its role; `role` None where it is recorded only.

    `interval_s` None: the device's own.
    """

    device: str
    field: str
    role: Role | None
    interval_s: int | None = None

    @property
    def name(self) -> str:
        """`device/field`, the name in batches and in the database."""
        return f"{self.device}/{self.field}"


class CertificateKind(StrEnum):
    """What a certificate says of a device: verified by law, or calibrated."""

    VERIFICATION = "verification"
    CALIBRATION = "calibration"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A filed certificate of a device (检定、校准证书), valid on both days and between them.

    `document_sha256`: 32 bytes, over the raw bytes of the document that was filed.
    """

    id: str
    kind: CertificateKind
    issuer: str
    valid_from: date
    valid_to: date
    document_sha256: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """A device of `profile` read by `gateway`, measuring `unit`.

    `serial` is the number on its plate, empty where none is filed. `interval_s` is how often it is
    read, or sends by itself (None: at each slot of its gateway).
    """

    id: str
    gateway: str
    unit: str
    profile: str
    points: tuple[Point, ...]
    serial: str = ""
    certificates: tuple[Certificate, ...] = ()
    interval_s: int | None = None


@dataclass(frozen=True, slots=True)
class Plant:
    """A parsed plant file; `sha256` is over its raw bytes."""

    enterprise: str
    name: str
    name_zh: str
    zone: PlantZone
    units: tuple[Unit, ...]
    gateways: tuple[GatewayPlan, ...]
    devices: tuple[Device, ...]
    sha256: bytes

    @classmethod
    def parse(cls, raw: bytes, where: str = "plant.toml") -> "Plant":
        """The plant in `raw`; `BadInput` naming `where` and the key that is wrong."""
        if len(raw) > PLANT_BYTES_MAX:
            raise BadInput(f"{where}: expected at most {PLANT_BYTES_MAX} bytes, got {len(raw)}")
        try:
            top = Table(tomllib.loads(raw.decode("utf-8")), where)
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadInput(f"{where}: expected TOML, got {error}") from error
        return _plant(top, sha256(raw).digest())

    def unit(self, unit_id: str) -> Unit:
        """The unit of that id, else `BadInput` that lists them."""
        return _find(self.units, unit_id, "unit")

    def gateway(self, gateway_id: str) -> GatewayPlan:
        """The gateway of that id, else `BadInput` that lists them."""
        return _find(self.gateways, gateway_id, "gateway")

    def devices_of(self, gateway_id: str) -> tuple[Device, ...]:
        """Devices read by a gateway, in file order."""
        return tuple(device for device in self.devices if device.gateway == gateway_id)

    def points_of_gateway(self, gateway_id: str) -> tuple[Point, ...]:
        """All points of the gateway's devices, in file order: the columns of its batches."""
        return tuple(point for device in self.devices_of(gateway_id) for point in device.points)

    def interval_ms(self, device: Device, point: Point | None = None) -> int:
        """Milliseconds from one slot of `point` (None: of the device) to the next.

        The slots lie at multiples of it from the month's first instant in plant time on.
        """
        own = point.interval_s if point is not None else None
        seconds = own or device.interval_s or self.gateway(device.gateway).interval_s
        return seconds * 1000

    def roles(self, unit_id: str) -> Mapping[Role, Point]:
        """The point that fills each role of a unit."""
        return {
            point.role: point
            for device in self.devices
            if device.unit == unit_id
            for point in device.points
            if point.role is not None
        }

    def gateways_of_unit(self, unit_id: str) -> tuple[GatewayPlan, ...]:
        """Gateways that read a device of the unit."""
        ids = {device.gateway for device in self.devices if device.unit == unit_id}
        return tuple(gateway for gateway in self.gateways if gateway.id in ids)


def _plant(top: Table, digest: bytes) -> Plant:
    if top.get("version", int) != 1:
        raise BadInput(f"{top.path}: version: expected 1")
    plant = Plant(
        enterprise=top.id("enterprise"),
        name=top.get("name", str),
        name_zh=top.get("name_zh", str),
        zone=PlantZone.parse(top.get("utc_offset", str)),
        units=tuple(map(_unit, top.tables("unit"))),
        gateways=tuple(map(_gateway, top.tables("gateway"))),
        devices=tuple(map(_device, top.tables("device"))),
        sha256=digest,
    )
    top.close()
    _check_references(plant, top.path)
    return plant


def _unit(table: Table) -> Unit:
    capacity = table.decimal("rated_capacity_mw", "a decimal above 0")
    if capacity <= 0:
        raise BadInput(
            f"{table.path}: rated_capacity_mw: expected a decimal above 0, got '{capacity}'"
        )
    unit = Unit(
        table.id("id"), table.id("kind"), capacity, table.get("rated_capacity_source", str),
        table.sha256("filed_plan_sha256") if "filed_plan_sha256" in table else None,
        _operating(table.table("operating")) if "operating" in table else None,
    )  # fmt: skip
    table.close()
    return unit


def _operating(table: Table) -> Operating:
    above = table.decimal("above", "a decimal of at least 0")
    if above < 0:
        raise BadInput(f"{table.path}: above: expected a decimal of at least 0, got '{above}'")
    found = Operating(table.get("point", str), above)
    table.close()
    return found


def _gateway(table: Table) -> GatewayPlan:
    gateway = GatewayPlan(table.id("id"), _interval_s(table))
    table.close()
    return gateway


def _interval_s(table: Table) -> int:
    seconds: int = table.get("interval_s", int)
    if not 1 <= seconds <= 3600 or 3600 % seconds:
        raise BadInput(
            f"{table.path}: interval_s: expected 1 to 3600 dividing the hour, got {seconds}"
        )
    return seconds


def _own_interval_s(table: Table) -> int | None:
    return _interval_s(table) if "interval_s" in table else None


def _device(table: Table) -> Device:
    device_id = table.id("id")
    device = Device(
        device_id,
        table.id("gateway"),
        table.id("unit"),
        table.id("profile"),
        points=tuple(_point(item, device_id) for item in table.tables("point")),
        serial=table.get("serial", str, ""),
        certificates=tuple(map(_certificate, table.tables("certificate"))),
        interval_s=_own_interval_s(table),
    )
    table.close()
    if not device.points:
        raise BadInput(f"{table.path}: expected at least one [[device.point]], got none")
    return device


def _point(table: Table, device_id: str) -> Point:
    name, role = table.id("field"), table.get("role", str, "")
    if name not in FIELDS:
        raise BadInput(f"{table.path}: field: expected a name of the dictionary, got {name!r}")
    if role and role not in set(Role):
        raise BadInput(f"{table.path}: role: expected one of {[*map(str, Role)]}, got {role!r}")
    point = Point(device_id, name, Role(role) if role else None, _own_interval_s(table))
    table.close()
    return point


def _certificate(table: Table) -> Certificate:
    kind, digest = table.get("kind", str), table.sha256("document_sha256")
    if kind not in set(CertificateKind):
        raise BadInput(
            f"{table.path}: kind: expected one of {[*map(str, CertificateKind)]}, got {kind!r}"
        )
    first, last = table.day("valid_from"), table.day("valid_to")
    if first > last:
        raise BadInput(f"{table.path}: expected valid_from ≤ valid_to, got {first} > {last}")
    found = Certificate(
        table.id("id"), CertificateKind(kind), table.get("issuer", str), first, last,
        digest,
    )  # fmt: skip
    table.close()
    return found


def _check_references(plant: Plant, where: str) -> None:
    families: tuple[tuple[str, Sequence[_Identified]], ...] = (
        ("unit", plant.units),
        ("gateway", plant.gateways),
        ("device", plant.devices),
    )
    for what, items in families:
        ids = [item.id for item in items]
        if not ids or len(set(ids)) != len(ids):
            raise BadInput(f"{where}: expected at least one {what}, each id once, got {ids}")
    for device in plant.devices:
        _check_intervals(plant, device, where)
        plant.unit(device.unit)
        ids = [certificate.id for certificate in device.certificates]
        if len(set(ids)) != len(ids):
            raise BadInput(
                f"{where}: device {device.id}: expected each certificate once, got {ids}"
            )
    for unit in plant.units:
        roles = [p.role for d in plant.devices if d.unit == unit.id for p in d.points if p.role]
        if len(set(roles)) != len(roles):
            raise BadInput(f"{where}: unit {unit.id}: expected each role once, got {sorted(roles)}")
        if unit.operating is not None:
            _check_operating(plant, unit, unit.operating, f"{where}: unit {unit.id}: operating")


def _check_operating(plant: Plant, unit: Unit, operating: Operating, where: str) -> None:
    """A gauge of the unit, and no second source of the same."""
    if Role.RUN_STATE in plant.roles(unit.id):
        raise BadInput(f"{where}: expected none beside a point of role run_state, got both")
    gauges = [
        point.name
        for device in plant.devices
        if device.unit == unit.id
        for point in device.points
        if FIELDS[point.field].kind == "gauge"
    ]
    if operating.point not in gauges:
        raise BadInput(f"{where}: point: expected one of {gauges}, got {operating.point!r}")


def _check_intervals(plant: Plant, device: Device, where: str) -> None:
    """A device keeps the grid of its gateway, a point that of its device."""
    base_ms, own_ms = plant.gateway(device.gateway).interval_ms, plant.interval_ms(device)
    steps = [(f"device {device.id}", base_ms, own_ms)]
    steps += [
        (f"point {point.name}", own_ms, plant.interval_ms(device, point)) for point in device.points
    ]
    for what, coarse_ms, ms in steps:
        if ms % coarse_ms:
            raise BadInput(
                f"{where}: {what}: interval_s: expected a multiple of {coarse_ms // 1000}, "
                f"got {ms // 1000}"
            )


def _find(items: Sequence[_T], wanted: str, what: str) -> _T:
    for item in items:
        if item.id == wanted:
            return item
    raise BadInput(f"expected a {what} of ({', '.join(item.id for item in items)}), got {wanted!r}")
