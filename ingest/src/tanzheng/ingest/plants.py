"""Plant files in the database, in time: a change closes the old range and opens a new one.

`load` compares what is valid now with the file, thing by thing. What is equal stays as it is, so
the same file loaded again changes nothing; the past is never touched (triggers refuse it).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant
from tanzheng.ingest import audit_log, ledger

DIVISION = re.compile("[1-9][0-9]{5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Versions:
    """A table of versions: the thing's key and what is said of it beside `valid`."""

    table: str
    key: str
    columns: tuple[str, ...]


PLANT = Versions("plant_version", "plant_id", ("name", "name_zh", "division", "file_sha256"))
UNIT = Versions("unit_version", "unit_id", ("kind", "rated_capacity_mw", "rated_capacity_source"))
DEVICE = Versions("device_version", "device_id", ("gw", "profile", "serial"))
POINT = Versions(
    "point_assignment", "point_id", ("device_id", "unit_id", "role", "interval_ms")
)  # fmt: skip

Wanted = Mapping[int, tuple[Any, ...]]
"""Key of a thing → its columns from now on."""


@dataclass(slots=True)
class Loaded:
    """What a plant file changed; `plant` is the name the database has for it."""

    plant: str
    opened: int = 0
    closed: int = 0
    unchanged: int = 0
    things: dict[str, int] = field(default_factory=dict)


def load(
    connection: psycopg.Connection, plant: Plant, name: str, division: str, at: datetime
) -> Loaded:
    """Make `plant` valid from `at` on, in one transaction; the caller commits nothing else.

    `division`: GB/T 2260, six digits. `BadInput` where a gateway is not enrolled or is another
    plant's, or where `at` is not after the start of what it would close.
    """
    if not DIVISION.fullmatch(division):
        raise BadInput(f"division: expected six digits by GB/T 2260, got {division!r}")
    done = Loaded(name)
    with connection.transaction():
        plant_id = _plant_id(connection, plant, name)
        _gateways(connection, plant, plant_id, name)
        units = _ids(connection, "unit", plant_id, [unit.id for unit in plant.units])
        devices = _ids(connection, "device", plant_id, [device.id for device in plant.devices])
        wanted: list[tuple[Versions, Wanted, str]] = [
            (PLANT, {plant_id: (plant.name, plant.name_zh, division, plant.sha256)},
             "plant_id = %(plant)s"),
            (UNIT, {units[u.id]: (u.kind, u.rated_capacity_mw, u.rated_capacity_source)
                    for u in plant.units},
             "unit_id IN (SELECT unit_id FROM unit WHERE plant_id = %(plant)s)"),
            (DEVICE, {devices[d.id]: (d.gateway, d.profile, d.serial) for d in plant.devices},
             "device_id IN (SELECT device_id FROM device WHERE plant_id = %(plant)s)"),
            (POINT, _points(connection, plant, devices, units),
             "unit_id IN (SELECT unit_id FROM unit WHERE plant_id = %(plant)s)"),
        ]  # fmt: skip
        for versions, things, of_plant in wanted:
            _settle(connection, versions, things, (of_plant, plant_id), at, done)
        if done.opened or done.closed:
            detail = {"plant": name, "file_sha256": plant.sha256.hex(), "from": at.isoformat()}
            audit_log.add(connection, "plant load", detail)
    return done


def _plant_id(connection: psycopg.Connection, plant: Plant, name: str) -> int:
    """The plant's id; two loads of one plant wait for each other from here on."""
    connection.execute(
        "INSERT INTO enterprise (enterprise) VALUES (%s) ON CONFLICT DO NOTHING",
        (plant.enterprise,),
    )
    connection.execute(
        "INSERT INTO plant (plant, enterprise_id) SELECT %s, enterprise_id FROM enterprise "
        "WHERE enterprise = %s ON CONFLICT DO NOTHING",
        (name, plant.enterprise),
    )
    found = connection.execute(
        "SELECT plant_id, enterprise FROM plant JOIN enterprise USING (enterprise_id) "
        "WHERE plant = %s FOR UPDATE OF plant",
        (name,),
    ).fetchone()
    assert found is not None
    if found[1] != plant.enterprise:
        raise BadInput(f"plant {name}: expected enterprise {found[1]}, got {plant.enterprise}")
    return int(found[0])


def _gateways(connection: psycopg.Connection, plant: Plant, plant_id: int, name: str) -> None:
    for gateway in plant.gateways:
        found = connection.execute(
            "UPDATE gateway SET plant_id = %(plant)s WHERE gw = %(gw)s "
            "AND coalesce(plant_id, %(plant)s) = %(plant)s RETURNING gw",
            {"plant": plant_id, "gw": gateway.id},
        ).fetchone()
        if found is None:
            raise BadInput(
                f"plant {name}: expected the gateway {gateway.id} to be enrolled here and no "
                "other plant's: name it in gateways.toml, start `tanzheng ingest run`"
            )


def _ids(
    connection: psycopg.Connection, table: str, plant_id: int, names: list[str]
) -> dict[str, int]:
    """Name → id of the plant's units or devices; new ones are entered."""
    connection.execute(
        f"INSERT INTO {table} (plant_id, {table}) SELECT %s, name FROM unnest(%s::text[]) name "  # noqa: S608
        f"WHERE name NOT IN (SELECT {table} FROM {table} WHERE plant_id = %s)".encode(),
        (plant_id, names, plant_id),
    )
    query = f"SELECT {table}, {table}_id FROM {table} WHERE plant_id = %s"  # noqa: S608
    return dict(connection.execute(query.encode(), (plant_id,)).fetchall())


def _points(
    connection: psycopg.Connection, plant: Plant, devices: Mapping[str, int],
    units: Mapping[str, int],
) -> dict[int, tuple[Any, ...]]:  # fmt: skip
    found: dict[int, tuple[Any, ...]] = {}
    for device in plant.devices:
        names = [point.name for point in device.points]
        ledger.enter_points(connection, device.gateway, names)
        ids: dict[str, int] = dict(
            connection.execute(
                "SELECT name, point_id FROM point WHERE gw = %s AND name = ANY(%s)",
                (device.gateway, names),
            ).fetchall()
        )
        for point in device.points:
            role = str(point.role) if point.role else ""
            every_ms = plant.interval_ms(device, point)
            found[ids[point.name]] = (devices[device.id], units[device.unit], role, every_ms)
    return found


def _settle(
    connection: psycopg.Connection, versions: Versions, wanted: Wanted,
    scope: tuple[str, int], at: datetime, done: Loaded,
) -> None:  # fmt: skip
    """Close what the file no longer says, open what it says anew."""
    of_plant, plant_id = scope
    table, key, columns = versions.table, versions.key, ", ".join(versions.columns)
    found = connection.execute(
        f"SELECT {key}, lower(valid), {columns} FROM {table} "  # noqa: S608
        f"WHERE upper_inf(valid) AND {of_plant}".encode(),
        {"plant": plant_id},
    ).fetchall()
    now = {row[0]: (row[1], tuple(row[2:])) for row in found}
    same = {thing for thing, said in wanted.items() if thing in now and now[thing][1] == said}
    for thing in now.keys() - same:
        if now[thing][0] >= at:
            raise BadInput(
                f"plant {done.plant}: expected a day after {now[thing][0].isoformat()}, since "
                f"when {table} is as it is now, got {at.isoformat()}: the past is not rewritten"
            )
        connection.execute(
            f"UPDATE {table} SET valid = tstzrange(lower(valid), %s) "  # noqa: S608
            f"WHERE {key} = %s AND upper_inf(valid)".encode(),
            (at, thing),
        )
        done.closed += 1
    for thing in wanted.keys() - same:
        places = ", ".join(["%s"] * len(versions.columns))
        connection.execute(
            f"INSERT INTO {table} ({key}, valid, {columns}) "  # noqa: S608
            f"VALUES (%s, tstzrange(%s, NULL), {places})".encode(),
            (thing, at, *wanted[thing]),
        )
        done.opened += 1
    done.unchanged += len(same)
    done.things[table] = len(wanted)


def valid_at(
    connection: psycopg.Connection, at: datetime, name: str | None
) -> list[dict[str, Any]]:
    """Each point of a plant (None: of all) with its device, unit and gateway at `at`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT p.plant, v.name, v.name_zh, v.division, u.unit, point.gw, point.name AS point, "
            "a.role, d.device, dv.profile, dv.serial, lower(a.valid)::text AS valid_from, "
            "lower(dv.valid)::text AS device_from FROM point_assignment a "
            "JOIN point USING (point_id) JOIN unit u USING (unit_id) "
            "JOIN device d USING (device_id) JOIN plant p ON p.plant_id = u.plant_id "
            "JOIN device_version dv ON dv.device_id = d.device_id AND dv.valid @> %(at)s "
            "JOIN plant_version v ON v.plant_id = p.plant_id AND v.valid @> %(at)s "
            "WHERE a.valid @> %(at)s AND (%(name)s::text IS NULL OR p.plant = %(name)s) "
            "ORDER BY p.plant, u.unit, point.gw, point.name",
            {"at": at, "name": name},
        ).fetchall()
