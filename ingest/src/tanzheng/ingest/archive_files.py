"""A month's readings as Parquet: one file a gateway and UTC day, and a manifest of them.

A file has the columns point, t, value, quality, batch_id, sorted by point and t; its own metadata
name gateway, day and the batches in it. The manifest is canonical JSON, each file with SHA-256 and
SM3. Needs Polars; nothing here knows the database.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tanzheng.core import canonical_json, closed
from tanzheng.core.errors import BadInput, CheckFailed, TanzhengError
from tanzheng.core.hashing import sha256, sm3
from tanzheng.ingest import rows

MANIFEST = "manifest.json"
FILES_MAX = 1_000_000
FILE_KEYS = (
    "batch_first", "batch_last", "day", "gw", "path", "readings", "sha256", "size_bytes", "sm3",
)  # fmt: skip


class ArchiveDamaged(CheckFailed):
    """A file of the archive is not what its manifest says: take another copy."""


@dataclass(frozen=True, slots=True)
class File:
    """One file; `path` relative to the manifest, digests over its bytes."""

    path: str
    gw: str
    day: date
    readings: int
    batch_first: int
    batch_last: int
    size_bytes: int
    sha256: bytes
    sm3: bytes

    def record(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "batch_first": self.batch_first, "batch_last": self.batch_last,
            "day": self.day.isoformat(), "gw": self.gw, "path": self.path,
            "readings": self.readings, "sha256": self.sha256.hex(),
            "size_bytes": self.size_bytes, "sm3": self.sm3.hex(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manifest:
    """A month (UTC) of an archive; `holes` says what was missing when it was made."""

    month: str
    holes: tuple[str, ...]
    files: tuple[File, ...]

    def encode(self) -> bytes:
        """Canonical JSON."""
        files = [file.record() for file in self.files]
        return canonical_json.dumps(
            {"version": 1, "month": self.month, "holes": list(self.holes), "files": files}
        )

    @property
    def readings(self) -> int:
        """In all files."""
        return sum(file.readings for file in self.files)

    def of_day(self, day: date) -> list[File]:
        """The files of a day."""
        return [file for file in self.files if file.day == day]


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`; `BadInput` for anything but its one canonical form."""
    path = folder / MANIFEST
    try:
        value = canonical_json.loads(path.read_bytes(), str(path))
    except OSError as error:
        raise BadInput(f"{path}: expected an archive's manifest, got {error.strerror}") from error
    top = closed.record(value, ("version", "month", "holes", "files"), str(path))
    closed.version(top, 1, str(path))
    holes = [closed.line(hole, f"{path}.holes") for hole in
             closed.items(top, "holes", str(path), FILES_MAX)]  # fmt: skip
    files = [_file(item, f"{path}.files[{index}]") for index, item in
             enumerate(closed.items(top, "files", str(path), FILES_MAX))]  # fmt: skip
    return Manifest(closed.text(top, "month", str(path)), tuple(holes), tuple(files))


def _file(value: object, where: str) -> File:
    item = closed.record(value, FILE_KEYS, where)
    path, day = closed.text(item, "path", where), closed.text(item, "day", where)
    try:
        parsed = date.fromisoformat(day)
    except ValueError as error:
        raise BadInput(f"{where}.day: expected YYYY-MM-DD, got {day!r}") from error
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise BadInput(f"{where}.path: expected a path below the manifest, got {path!r}")
    return File(
        path=path,
        gw=closed.text(item, "gw", where),
        day=parsed,
        readings=closed.integer(item, "readings", where),
        batch_first=closed.integer(item, "batch_first", where),
        batch_last=closed.integer(item, "batch_last", where),
        size_bytes=closed.integer(item, "size_bytes", where),
        sha256=closed.hexadecimal(item["sha256"], 32, f"{where}.sha256"),
        sm3=closed.hexadecimal(item["sm3"], 32, f"{where}.sm3"),
    )


def write_day(
    folder: Path, gw: str, day: date, readings: rows.Readings, names: Mapping[int, str]
) -> File:
    """Write a gateway's readings of a day below `folder`, durably, and read them back.

    `ArchiveDamaged` where what is read is not what was to be written, bit by bit.
    """
    ordered = _ordered(readings, names)
    first, last = int(readings["batch_id"].min()), int(readings["batch_id"].max())
    path = folder / gw / f"{day.isoformat()}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {"gw": gw, "day": day.isoformat(), "batch_first": str(first), "batch_last": str(last)}
    with path.open("xb") as file:
        frame(ordered, names).write_parquet(file, compression="zstd", metadata=said)
        file.flush()
        os.fsync(file.fileno())
    data = path.read_bytes()
    relative = path.relative_to(folder).as_posix()
    made = File(relative, gw, day, len(readings), first, last, len(data), sha256(data), sm3(data))
    ids = {name: point_id for point_id, name in names.items()}
    if read_day(folder, made, ids).tobytes() != ordered.tobytes():
        raise ArchiveDamaged(f"{path}: expected the rows that were written, read others")
    return made


def _ordered(readings: rows.Readings, names: Mapping[int, str]) -> rows.Readings:
    rank = {point_id: place for place, point_id in enumerate(sorted(names, key=names.__getitem__))}
    places = np.array([rank[point_id] for point_id in readings["point_id"].tolist()])
    return readings[np.lexsort((readings["batch_id"], readings["t_ms"], places))]


def frame(readings: rows.Readings, names: Mapping[int, str]) -> pl.DataFrame:
    """The table that a file holds."""
    known = np.unique(readings["point_id"])
    points = np.array([names[point_id] for point_id in known.tolist()])
    named = points[np.searchsorted(known, readings["point_id"])]
    return pl.DataFrame(
        {
            "point": pl.Series(named, dtype=pl.String),
            "t": pl.Series(readings["t_ms"].copy()).cast(pl.Datetime("ms", "UTC")),
            "value": readings["value"].copy(),
            "quality": readings["quality"].copy(),
            "batch_id": readings["batch_id"].copy(),
        }
    )


def read_day(folder: Path, file: File, ids: Mapping[str, int]) -> rows.Readings:
    """The rows of a file whose digests fit; `ArchiveDamaged` else. `ids`: point name → id."""
    path = folder / file.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArchiveDamaged(f"{path}: expected a file, got {error.strerror}") from error
    if (sha256(data), sm3(data)) != (file.sha256, file.sm3):
        raise ArchiveDamaged(f"{path}: expected SHA-256 {file.sha256.hex()}, got another file")
    table = pl.read_parquet(data)
    points = table["point"].to_list()
    if unknown := sorted(set(points) - ids.keys()):
        raise BadInput(f"{path}: expected points of gateway {file.gw}, got {unknown[:3]}")
    readings = np.empty(len(table), rows.READING)
    readings["point_id"] = [ids[point] for point in points]
    readings["t_ms"] = table["t"].cast(pl.Int64).to_numpy()
    for name in ("value", "quality", "batch_id"):
        readings[name] = table[name].to_numpy()
    return readings


def publish(partial: Path, folder: Path, manifest: Manifest) -> None:
    """Write the manifest and give the finished folder its name."""
    with (partial / MANIFEST).open("xb") as file:
        file.write(manifest.encode())
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder)
    for each in (folder, folder.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise TanzhengError(f"{each}: expected a durable folder, got {error}") from error
        finally:
            os.close(descriptor)
