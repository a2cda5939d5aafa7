"""EDGE.toml → plan. Loaded in the command's process only: TOML, schema, YAML, then forgotten.

Nothing here opens a connection: `tanzheng edge check` says what is wrong in the files, with file,
key, what was expected and what is there.
"""

import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tanzheng.core.errors import BadInput
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.plant import Device, Plant
from tanzheng.edge.plan import BrokerPlan, DevicePlan, Plan
from tanzheng.hardware.loader import load_profile

DEFAULTS: Mapping[str, Any] = {
    "device_timeout_ms": 1000,
    "spool_bytes_max": 4 << 30,
    "disk_free_bytes_min": 256 << 20,
    "batch_slots_max": 60,
    "batch_age_s_max": 10,
    "resend_after_s": 5,
}
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_BROKER_FORM = "mqtt[s]://[USER:PASSWORD@]HOST[:PORT]"


class ConfigError(BadInput):
    """A configuration file that must be mended: file, key, expected, got."""


def load_config(path: Path) -> Plan:
    """The plan that EDGE.toml at `path` and the files it names describe; `ConfigError` if wrong."""
    config = _Config(path)
    plant_path = config.path("plant")
    plant = Plant.parse(_read(plant_path), str(plant_path))
    gateway = plant.gateway(config.text("gateway"))
    addresses = _load_addresses(config.path("devices"))
    devices = tuple(_device(device, addresses, config) for device in plant.devices_of(gateway.id))
    if not devices:
        raise ConfigError(f"{plant_path}: device: expected one of gateway {gateway.id}, got none")
    socket = config.path("plant_time_socket") if config.has("plant_time_socket") else None
    return Plan(
        gateway=gateway.id,
        interval_ms=gateway.interval_ms,
        phase_ms=-plant.zone.offset_minutes * 60_000 % gateway.interval_ms,
        devices=devices,
        key_path=str(_checked_key(config.path("key"))),
        platform_key_path=str(_checked_platform_key(config.path("platform_key"))),
        spool_path=str(config.path("spool")),
        spool_bytes_max=config.number("spool_bytes_max"),
        disk_free_bytes_min=config.number("disk_free_bytes_min"),
        broker=_broker(config),
        batch_slots_max=config.number("batch_slots_max"),
        batch_age_s_max=config.number("batch_age_s_max"),
        resend_after_s=config.number("resend_after_s"),
        plant_time_socket=str(socket) if socket else None,
    )


def spool_of(path: Path) -> tuple[Path, Path]:
    """Folder of the spool and private key: all that looking into a spool needs of EDGE.toml."""
    config = _Config(path)
    return config.path("spool"), _checked_key(config.path("key"))


class _Config:
    """The checked table of EDGE.toml; paths are relative to its folder."""

    def __init__(self, path: Path) -> None:
        self.file = path
        try:
            self._table = tomllib.loads(_read(path).decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: expected TOML, got {error}") from error
        check_schema(self._table, "edge.schema.json", str(path))

    def has(self, key: str) -> bool:
        return key in self._table

    def text(self, key: str) -> str:
        return str(self._table[key])

    def number(self, key: str) -> Any:
        return self._table.get(key, DEFAULTS[key])

    def path(self, key: str) -> Path:
        return (self.file.parent / self.text(key)).absolute()


def check_schema(document: Any, schema_name: str, where: str) -> None:
    """`document` against a schema of this package; `ConfigError` names the first wrong key."""
    from jsonschema import Draft202012Validator

    schema = json.loads((resources.files("tanzheng.edge") / schema_name).read_text("utf-8"))
    errors = sorted(Draft202012Validator(schema).iter_errors(document), key=lambda e: e.json_path)
    if errors:
        raise ConfigError(f"{where}: {_explain(errors[0])}")


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return f"{_join(key, missing)}: expected a value, got none"
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        unknown = next(name for name in sorted(error.instance) if name not in known)
        return f"{_join(key, unknown)}: expected one of {', '.join(known)}, got {unknown!r}"
    expected = error.schema.get("description", error.message)
    return f"{key or 'file'}: expected {expected}, got {error.instance!r}"


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _load_addresses(path: Path) -> dict[str, Any]:
    try:
        addresses = json.loads(_read(path))
    except ValueError as error:
        raise ConfigError(f"{path}: expected JSON, got {error}") from error
    check_schema(addresses, "devices.schema.json", str(path))
    assert isinstance(addresses, dict)
    return addresses


def _device(device: Device, addresses: Mapping[str, Any], config: _Config) -> DevicePlan:
    where = config.path("devices")
    address = addresses.get(device.id)
    if address is None:
        raise ConfigError(f"{where}: {device.id}: expected an address, got none")
    if address["profile"] != device.profile:
        raise ConfigError(
            f"{where}: {device.id}.profile: expected {device.profile!r} as in the plant file, "
            f"got {address['profile']!r}"
        )
    profile = load_profile(device.profile)
    for point in device.points:
        profile.field_point(point.field)
    return DevicePlan(
        id=device.id,
        host=address["host"],
        port=address["port"],
        unit=address["unit_id"],
        timeout_ms=config.number("device_timeout_ms"),
        profile=profile.to_plan(),
        fields=tuple(point.field for point in device.points),
    )


def _broker(config: _Config) -> BrokerPlan:
    text = config.text("broker")
    where = f"{config.file}: broker"
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise ConfigError(f"{where}: expected {_BROKER_FORM}, got {error}") from error
    if url.scheme not in _PORTS or not host or url.path or url.query:
        raise ConfigError(f"{where}: expected {_BROKER_FORM}, got {_without_secret(text)}")
    if (url.scheme == "mqtts") != config.has("broker_ca"):
        raise ConfigError(f"{config.file}: broker_ca: expected with mqtts:// and only there")
    ca_path = str(config.path("broker_ca")) if config.has("broker_ca") else None
    user, password = (unquote(part) if part else None for part in (url.username, url.password))
    return BrokerPlan(host, port or _PORTS[url.scheme], user, password, ca_path)


def _without_secret(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else url


def _checked_key(path: Path) -> Path:
    mode = path.stat().st_mode if path.exists() else 0
    SigningKey.from_pem(_read(path), str(path))
    if mode & 0o077:
        raise ConfigError(f"{path}: expected mode 0600, got {mode & 0o777:04o}: run chmod 600")
    return path


def _checked_platform_key(path: Path) -> Path:
    VerifyKey.from_pem(_read(path), str(path))
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable file, got {error.strerror}") from error
