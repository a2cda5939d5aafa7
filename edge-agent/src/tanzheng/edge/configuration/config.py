"""EDGE.toml → plan. Loaded in the command's process only: TOML, schema, YAML, then forgotten.

Nothing here opens a connection: `tanzheng edge check` says what is wrong in the files, all of it,
with file, line, key, what was expected and what is there.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.plant import Device, GatewayPlan, Plant, Unit
from tanzheng.edge.abc import Placed, Surroundings
from tanzheng.edge.configuration.documents import (
    ConfigError,
    Document,
    Problems,
    check_schema,
    own_schema,
    read_bytes,
    shown,
)
from tanzheng.edge.configuration.intervals import phase_ms, slow_fields
from tanzheng.edge.configuration.links import checked_link, driver_of, endpoint
from tanzheng.edge.configuration.locate import Key
from tanzheng.edge.drivers import PROTOCOLS
from tanzheng.edge.plan import BrokerPlan, DevicePlan, Plan
from tanzheng.hardware.loader import load_profile
from tanzheng.hardware.profile import Profile

__all__ = ["DEFAULTS", "ConfigError", "Loaded", "Placement", "load", "load_config", "spool_of"]

DEFAULTS: Mapping[str, Any] = {
    "spool_bytes_max": 4 << 30,
    "spool_age_s_max": 90 * 86_400,
    "spool_full_policy": "keep_oldest",
    "disk_free_bytes_min": 256 << 20,
    "batch_slots_max": 60,
    "batch_age_s_max": 10,
    "resend_after_s": 5,
    "clock_offset_ms_max": 1000,
}
_BROKER_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_BROKER_FORM: Final = "mqtt[s]://[USER:PASSWORD@]HOST[:PORT]"


@dataclass(frozen=True, slots=True)
class Placement:
    """A device of the plan with what a person wants to know of it: where its link is written."""

    device: Device
    plan: DevicePlan
    profile: Profile
    document: Document
    key: Key

    @property
    def placed(self) -> Placed:
        """The device as its driver takes it, alone."""
        return self.plan.placed(0)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files say: the plan, where each device of it came from, the plant's units."""

    plan: Plan
    edge: Document
    plant: Document
    placements: tuple[Placement, ...]
    units: tuple[Unit, ...] = ()


def load_config(path: Path) -> Plan:
    """The plan that EDGE.toml at `path` and the files it names describe; `ConfigError` if wrong."""
    return load(path).plan


def load(path: Path) -> Loaded:
    """As `load_config`, with the places in the files; every error is in the one `ConfigError`."""
    config = _Config(path)
    plant_document, plant = config.plant()
    gateway = config.gateway(plant)
    placements = tuple(_placements(config, plant_document, plant, gateway))
    _one_owner(placements, config.problems)
    if not config.problems.errors:
        _try_drivers(placements, gateway, config.problems)
    broker = _broker(config)
    keys = [config.checked("key", _checked_key), config.checked("platform_key", _checked_public)]
    config.problems.raise_any()
    socket = config.path("plant_time_socket") if config.has("plant_time_socket") else None
    plan = Plan(
        gateway=gateway.id,
        interval_ms=gateway.interval_ms,
        phase_ms=phase_ms(plant, gateway.interval_ms),
        devices=tuple(each.plan for each in placements),
        key_path=keys[0],
        platform_key_path=keys[1],
        spool_path=config.path("spool"),
        broker=broker,
        plant_time_socket=socket,
        ntp_server=config.table.get("ntp_server"),
        metrics_port=config.table.get("metrics_port"),
        **{key: config.table.get(key, default) for key, default in DEFAULTS.items()},
    )
    return Loaded(plan, config.document, plant_document, placements, plant.units)


def spool_of(path: Path) -> tuple[Path, Path]:
    """Folder of the spool and private key: all that looking into a spool needs of EDGE.toml."""
    config = _Config(path)
    key = config.checked("key", _checked_key)
    config.problems.raise_any()
    return Path(config.path("spool")), Path(key)


class _Config:
    """EDGE.toml after its schema; paths are relative to its folder."""

    def __init__(self, path: Path) -> None:
        self.document = Document.toml(path)
        self.table = self.document.body
        self.problems = Problems()
        check_schema(self.table, own_schema("edge.schema.json"), self.document, (), self.problems)
        if ("devices" in self.table) == ("device" in self.table):
            what = "expected either a file of links or [[device]] tables"
            self.problems.add(self.document, ("devices",), what)
        self.problems.raise_any()
        folders = (Path(self.path("profiles")),) if self.has("profiles") else ()
        # Fifty devices of one site profile are one file to parse, not fifty.
        self.profile = cache(partial(load_profile, folders=folders))

    def has(self, key: str) -> bool:
        return key in self.table

    def path(self, key: str) -> str:
        return str(self.document.resolved(self.table[key]))

    def checked(self, key: str, check: Callable[[Path], object]) -> str:
        """The path at `key` after `check`, whose error becomes one of this line."""
        path = self.path(key)
        try:
            check(Path(path))
        except TanzhengError as error:
            self.problems.add(self.document, (key,), str(error))
        return path

    def plant(self) -> tuple[Document, Plant]:
        """The plant file, and its lines; its first error ends all, for nothing follows from it."""
        path = Path(self.path("plant"))
        document = Document.toml(path)
        try:
            return document, Plant.parse(read_bytes(path), str(path))
        except ConfigError:
            raise
        except BadInput as error:
            raise ConfigError(_with_line(str(error), document)) from error

    def gateway(self, plant: Plant) -> GatewayPlan:
        try:
            return plant.gateway(self.table["gateway"])
        except BadInput as error:
            self.problems.add(self.document, ("gateway",), str(error))
            self.problems.raise_any()
            raise

    def links(self) -> tuple[Document, Mapping[str, tuple[Key, Mapping[str, Any]]]]:
        """The file with the links, and for each device id the key and the table of its link."""
        if "device" in self.table:
            tables = self.table["device"]
            for index, table in enumerate(tables):
                if table["id"] in [each["id"] for each in tables[:index]]:
                    what = f"expected each id once, got {shown(table['id'])} again"
                    self.problems.add(self.document, ("device", index, "id"), what)
            return self.document, {t["id"]: (("device", i), t) for i, t in enumerate(tables)}
        document = Document.json(Path(self.path("devices")))
        good = check_schema(
            document.body, own_schema("devices.schema.json"), document, (), self.problems
        )
        if not good:
            self.problems.raise_any()
        return document, {name: ((name,), table) for name, table in document.body.items()}


def _placements(
    config: _Config, plant_document: Document, plant: Plant, gateway: GatewayPlan
) -> Iterator[Placement]:
    """The gateway's devices in plant order; where one is wrong it is told and left out."""
    document, links = config.links()
    devices = plant.devices_of(gateway.id)
    if not devices:
        what = f"expected a device of gateway {gateway.id}, got none"
        config.problems.add(plant_document, ("device",), what)
    for name in sorted(links.keys() - {device.id for device in plant.devices}):
        what = f"expected a device of the plant file, got {shown(name)}"
        config.problems.add(document, links[name][0], what)
    for device in devices:
        profile = _profile(device, config, plant_document, plant)
        if device.id not in links:
            place: Key = ("device",) if config.has("device") else (device.id,)
            config.problems.add(document, place, f"expected a link of device {device.id}, got none")
            continue
        key, table = links[device.id]
        link = _link(device, table, document, key, profile, config.problems)
        if profile is not None:
            fields = tuple(point.field for point in device.points)
            slow, slow_every = slow_fields(device, plant, link, plant_document, config.problems)
            plan = DevicePlan(
                device.id, link, profile.to_plan(), fields, plant.interval_ms(device),
                phase_ms(plant, HOUR_MS), slow, slow_every,
            )  # fmt: skip
            yield Placement(device, plan, profile, document, key)


def _link(
    device: Device,
    table: Mapping[str, Any],
    document: Document,
    key: Key,
    profile: Profile | None,
    problems: Problems,
) -> dict[str, Any]:
    named = table.get("profile", device.profile)
    if named != device.profile:
        what = f"expected {device.profile!r} as in the plant file, got {named!r}"
        problems.add(document, (*key, "profile"), what)
    link = checked_link(table, document, key, problems)
    if profile is not None and profile.protocol not in _profile_protocols(link):
        what = f"expected a protocol of profile {profile.id} ({profile.protocol}), got "
        problems.add(document, (*key, "protocol"), what + shown(link["protocol"]))
    return link


def _profile_protocols(link: Mapping[str, Any]) -> tuple[str, ...]:
    """Which profiles fit a link: HJ 212 text may come over MQTT too."""
    if link["protocol"] == "mqtt" and link.get("format") == "hj212":
        return ("mqtt", "hj212")
    return (PROTOCOLS[link["protocol"]],)


def _one_owner(placements: Sequence[Placement], problems: Problems) -> None:
    """An endpoint has one owner: an error where devices there have other drivers or framings."""
    firsts: dict[str, Placement] = {}
    for each in placements:
        first = firsts.setdefault(endpoint(each.plan.link), each)
        mine, theirs = each.plan.link["protocol"], first.plan.link["protocol"]
        if mine != theirs:
            where = endpoint(each.plan.link)
            what = f"expected {theirs} as for {first.device.id} at {where}, got {mine}"
            problems.add(each.document, (*each.key, "protocol"), what)


def _try_drivers(placements: Sequence[Placement], gateway: GatewayPlan, problems: Problems) -> None:
    """Let each driver take each device's settings: what only it knows to be wrong is told too.

    Nothing is opened: a line connects when it is started.
    """
    around = Surroundings(
        now_ms=lambda: 0,
        note=lambda _event: None,
        suspect=lambda _point, _value, _t_ms: False,
        interval_ms=gateway.interval_ms,
        phase_ms=0,
    )
    wrong = len(problems.errors)
    drivers: dict[str, list[Placement]] = {}
    for each in placements:
        drivers.setdefault(PROTOCOLS[each.plan.link["protocol"]], []).append(each)
        _try_driver([each], around, problems)
    for together in drivers.values() if len(problems.errors) == wrong else ():
        _try_driver(together, around, problems)


def _try_driver(together: Sequence[Placement], around: Surroundings, problems: Problems) -> None:
    try:
        driver_of(together[0].plan.link).make_lines([each.placed for each in together], around)
    except BadInput as error:
        problems.add(together[0].document, together[0].key, str(error))


def _profile(device: Device, config: _Config, document: Document, plant: Plant) -> Profile | None:
    """The profile of a device, with its fields looked for; None where an error was added."""
    key: Key = ("device", plant.devices.index(device))
    try:
        profile = config.profile(device.profile)
    except TanzhengError as error:
        config.problems.add(document, (*key, "profile"), str(error))
        return None
    wrong = len(config.problems.errors)
    for index, point in enumerate(device.points):
        try:
            profile.field_point(point.field)
        except TanzhengError as error:
            config.problems.add(document, (*key, "point", index, "field"), str(error))
    return profile if len(config.problems.errors) == wrong else None


def _broker(config: _Config) -> BrokerPlan:
    text = str(config.table["broker"])
    wrong = f"expected {_BROKER_FORM}, got "
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError as error:
        config.problems.add(config.document, ("broker",), wrong + str(error))
        return BrokerPlan("", 0)
    if url.scheme not in _BROKER_PORTS or not host or url.path or url.query:
        config.problems.add(config.document, ("broker",), wrong + _without_secret(text))
    user, password = (unquote(part) if part else None for part in (url.username, url.password))
    port = port or _BROKER_PORTS.get(url.scheme, 0)
    return BrokerPlan(host or "", port, user, password, *_broker_files(config, url.scheme))


def _broker_files(config: _Config, scheme: str) -> list[str | None]:
    """Paths of CA, certificate and its key; each None where it is not set."""
    add = config.problems.add
    if (scheme == "mqtts") != config.has("broker_ca"):
        add(config.document, ("broker_ca",), "expected with mqtts:// and only there")
    if config.has("broker_cert") != config.has("broker_key"):
        add(config.document, ("broker_cert",), "expected together with broker_key")
    if config.has("broker_cert") and scheme != "mqtts":
        add(config.document, ("broker_cert",), "expected with mqtts:// only")
    checks = (("broker_ca", read_bytes), ("broker_cert", read_bytes), ("broker_key", _checked_mode))
    return [config.checked(key, check) if config.has(key) else None for key, check in checks]


def _without_secret(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else url


def _checked_key(path: Path) -> None:
    SigningKey.from_pem(read_bytes(path), str(path))
    _checked_mode(path)


def _checked_public(path: Path) -> None:
    VerifyKey.from_pem(read_bytes(path), str(path))


def _checked_mode(path: Path) -> None:
    """A private key is for its owner only."""
    read_bytes(path)
    mode = path.stat().st_mode
    if mode & 0o077:
        raise ConfigError(f"{path}: expected mode 0600, got {mode & 0o777:04o}: run chmod 600")


def _with_line(message: str, document: Document) -> str:
    """A message of the plant parser (`FILE: device[0]: point[1]: role: …`) with its line."""
    rest = message.removeprefix(f"{document.path}: ")
    key: list[str | int] = []
    while found := re.match(r"(\w+)(?:\[(\d+)\])?: ", rest):
        key += [found[1], int(found[2])] if found[2] else [found[1]]
        rest = rest[found.end() :]
    return f"{document.where(*key)}: {rest}"
