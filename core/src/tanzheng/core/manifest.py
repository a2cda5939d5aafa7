"""The evidence package: a BagIt bag (RFC 8493) whose every byte is bound by one JSON manifest.

The package is a mapping of path → bytes; reading and writing folders is someone else's job.

    bagit.txt  bag-info.txt  manifest-sha256.txt  manifest-sm3.txt  tagmanifest-sha256.txt
    data/manifest.json          this module's `Manifest`, RFC 8785 form
    data/plant.toml             the plant file, raw
    data/hours.json             the month's hours
    data/findings.json          what the rules found
    data/lineage.json           from what each figure is derived
    data/batches/<gw>.cborseq   the signed batches in chain order, a CBOR sequence (RFC 8742)
    data/books/                 of a unit whose fuel is not metered: plan, records, books

`data/manifest.json` names every other payload file with its digests, and the tag files follow from
the payload alone, so the digest of `data/manifest.json` in a statement binds the whole bag.
RFC 8493 leaves freedom in the tag files (comments, order, spacing); none of it is used here, and
`check_bag` refuses it: a byte that is not bound is a byte that can be changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import pairwise
from typing import Any

from tanzheng.core import canonical_json, closed
from tanzheng.core.errors import CheckFailed, EncodingError
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.ids import Subject, identifier, pack_name

VERSION = 1
MANIFEST_PATH = "data/manifest.json"
PLANT_PATH = "data/plant.toml"
HOURS_PATH = "data/hours.json"
FINDINGS_PATH = "data/findings.json"
LINEAGE_PATH = "data/lineage.json"
BATCHES_FOLDER = "data/batches/"
BOOKS_FOLDER = "data/books/"
TAG_PATHS = (
    "bagit.txt",
    "bag-info.txt",
    "manifest-sha256.txt",
    "manifest-sm3.txt",
    "tagmanifest-sha256.txt",
)
FILES_MAX = 1024
PARAMETERS_MAX = 1024
SALT_BYTES = 16


class PackageInvalid(CheckFailed):
    """A package's files do not match what its manifests say."""


def batches_path(gw: str) -> str:
    """Where the signed batches of gateway `gw` lie in the package."""
    return f"{BATCHES_FOLDER}{identifier(gw, 'gateway')}.cborseq"


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One payload file: path in the bag, size in bytes and both digests (32 bytes each)."""

    path: str
    size: int
    sha256: bytes
    sm3: bytes

    @classmethod
    def of(cls, path: str, data: bytes) -> "PackageFile":
        """Describe `data` as it will lie at `path`."""
        return cls(path, len(data), sha256(data), sm3(data))


@dataclass(frozen=True, slots=True)
class Parameter:
    """A reported figure: `value` is a decimal number as text, `salt` the 16 bytes of its leaf."""

    name: str
    value: str
    unit: str
    salt: bytes


class Reason(StrEnum):
    """Why a unit has not a figure that others have."""

    NO_CEMS = "no_cems"


REASON_LABELS = {Reason.NO_CEMS: ("no CEMS", "无 CEMS")}


@dataclass(frozen=True, slots=True)
class Absent:
    """A figure that the unit cannot have, by its plant file: neither zero nor lost."""

    name: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class DataPack:
    """A versioned set of rules or constants; `sha256` is the digest of its raw bytes."""

    name: str
    version: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class GatewayChain:
    """The stretch of one gateway's hash chain in the package; `head` is the last batch's digest.

    `first_epoch` differs from `epoch` (the last batch's) only where an epoch was opened within it.
    """

    gw: str
    first_epoch: int
    first_seq: int
    epoch: int
    last_seq: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an evidence package says of itself.

    `start_ms`, `end_ms`: the half-open period in UTC milliseconds. `parameters` are in the order
    of their leaves (index = place); `padding` holds the salts of the leaves that fill the tree up.
    `absent` are sorted by name; the key is there only where there is one.
    `files` are the payload files but this one, sorted by path; `gateways` are sorted by name.
    """

    subject: Subject
    start_ms: int
    end_ms: int
    plant_sha256: bytes
    standard: DataPack
    rules: DataPack
    software: str
    parameters: tuple[Parameter, ...]
    padding: tuple[bytes, ...]
    files: tuple[PackageFile, ...]
    gateways: tuple[GatewayChain, ...]
    absent: tuple[Absent, ...] = ()

    def encode(self) -> bytes:
        """Return the RFC 8785 bytes; `EncodingError` where a field breaks the shape."""
        data = canonical_json.dumps(_to_json(self))
        if Manifest.decode(data) != self:  # checked twice: before writing and after reading
            raise EncodingError("manifest: expected fields that survive a round trip")
        return data

    @classmethod
    def decode(cls, data: bytes) -> "Manifest":
        """Read `data/manifest.json`; `EncodingError` names the first field out of shape."""
        return _from_json(canonical_json.loads(data, "manifest"))

    def values(self) -> dict[str, str]:
        """Return the reported figures as name → decimal string."""
        return {parameter.name: parameter.value for parameter in self.parameters}


# ------------------------------------------------------------------ JSON form


def _to_json(manifest: Manifest) -> dict[str, Any]:
    return {
        "version": VERSION,
        "subject": str(manifest.subject),
        "start_ms": manifest.start_ms,
        "end_ms": manifest.end_ms,
        "plant_sha256": manifest.plant_sha256.hex(),
        "standard": _pack_to_json(manifest.standard),
        "rules": _pack_to_json(manifest.rules),
        "software": manifest.software,
        "parameters": [
            {"index": i, "name": p.name, "value": p.value, "unit": p.unit, "salt": p.salt.hex()}
            for i, p in enumerate(manifest.parameters)
        ],
        "padding": [salt.hex() for salt in manifest.padding],
        "files": [
            {"path": f.path, "bytes": f.size, "sha256": f.sha256.hex(), "sm3": f.sm3.hex()}
            for f in manifest.files
        ],
        "gateways": [_chain_to_json(chain) for chain in manifest.gateways],
        **({"absent": list(map(_absent_to_json, manifest.absent))} if manifest.absent else {}),
    }


def _absent_to_json(absent: Absent) -> dict[str, Any]:
    return {"name": absent.name, "reason": str(absent.reason)}


def _pack_to_json(pack: DataPack) -> dict[str, Any]:
    return {"name": pack.name, "version": pack.version, "sha256": pack.sha256.hex()}


def _chain_to_json(chain: GatewayChain) -> dict[str, Any]:
    return {
        "gw": chain.gw,
        "first_epoch": chain.first_epoch,
        "first_seq": chain.first_seq,
        "epoch": chain.epoch,
        "last_seq": chain.last_seq,
        "head": chain.head.hex(),
    }


_ABSENT = "absent"
_KEYS = ("version", *(field.name for field in fields(Manifest) if field.name != _ABSENT))


def _from_json(value: object) -> Manifest:
    where = "manifest"
    told = (_ABSENT,) if _ABSENT in closed.mapping(value, where) else ()
    source = closed.record(value, (*_KEYS, *told), where)
    closed.version(source, VERSION, where)
    manifest = Manifest(
        subject=Subject.parse(closed.text(source, "subject", where)),
        start_ms=closed.integer(source, "start_ms", where),
        end_ms=closed.integer(source, "end_ms", where),
        plant_sha256=closed.hexadecimal(source["plant_sha256"], 32, f"{where}.plant_sha256"),
        standard=_pack(source["standard"], f"{where}.standard"),
        rules=_pack(source["rules"], f"{where}.rules"),
        software=closed.text(source, "software", where),
        parameters=_parameters(closed.items(source, "parameters", where, PARAMETERS_MAX)),
        padding=_padding(closed.items(source, "padding", where, PARAMETERS_MAX)),
        files=_files(closed.items(source, "files", where, FILES_MAX)),
        gateways=_gateways(closed.items(source, "gateways", where, FILES_MAX)),
        absent=_absent(closed.items(source, _ABSENT, where, PARAMETERS_MAX)) if told else (),
    )
    if both := {item.name for item in manifest.absent} & manifest.values().keys():
        raise EncodingError(f"{where}.absent: expected names without a figure, got {sorted(both)}")
    if manifest.start_ms >= manifest.end_ms:
        raise EncodingError(f"{where}: expected start_ms < end_ms, got {manifest.start_ms}")
    return manifest


def _pack(value: object, where: str) -> DataPack:
    source = closed.record(value, ("name", "version", "sha256"), where)
    return DataPack(
        pack_name(source["name"], f"{where}.name"),
        closed.text(source, "version", where),
        closed.hexadecimal(source["sha256"], 32, f"{where}.sha256"),
    )


def _parameters(values: Sequence[object]) -> tuple[Parameter, ...]:
    parameters = []
    for i, value in enumerate(values):
        where = f"manifest.parameters[{i}]"
        source = closed.record(value, ("index", "name", "value", "unit", "salt"), where)
        if closed.integer(source, "index", where) != i:
            raise EncodingError(f"{where}.index: expected {i}, got {source['index']}")
        parameters.append(
            Parameter(
                identifier(source["name"], f"{where}.name"),
                closed.decimal(source["value"], f"{where}.value"),
                closed.text(source, "unit", where),
                closed.hexadecimal(source["salt"], SALT_BYTES, f"{where}.salt"),
            )
        )
    _unique([parameter.name for parameter in parameters], "manifest.parameters")
    return tuple(parameters)


def _absent(values: Sequence[object]) -> tuple[Absent, ...]:
    if not values:
        raise EncodingError("manifest.absent: expected an entry where the key is there, got none")
    found = []
    for i, value in enumerate(values):
        where = f"manifest.absent[{i}]"
        source = closed.record(value, ("name", "reason"), where)
        reason = closed.text(source, "reason", where)
        if reason not in set(Reason):
            raise EncodingError(f"{where}.reason: expected one of {[*map(str, Reason)]}")
        found.append(Absent(identifier(source["name"], f"{where}.name"), Reason(reason)))
    _ascending([item.name for item in found], "manifest.absent")
    return tuple(found)


def _padding(values: Sequence[object]) -> tuple[bytes, ...]:
    return tuple(
        closed.hexadecimal(value, SALT_BYTES, f"manifest.padding[{i}]")
        for i, value in enumerate(values)
    )


def _files(values: Sequence[object]) -> tuple[PackageFile, ...]:
    files = []
    for i, value in enumerate(values):
        where = f"manifest.files[{i}]"
        source = closed.record(value, ("path", "bytes", "sha256", "sm3"), where)
        path = _payload_path(closed.text(source, "path", where), where)
        size = closed.integer(source, "bytes", where)
        digests = [closed.hexadecimal(source[k], 32, f"{where}.{k}") for k in ("sha256", "sm3")]
        files.append(PackageFile(path, size, digests[0], digests[1]))
    _ascending([file.path for file in files], "manifest.files")
    return tuple(files)


def _gateways(values: Sequence[object]) -> tuple[GatewayChain, ...]:
    keys = ("gw", "first_epoch", "first_seq", "epoch", "last_seq", "head")
    chains = []
    for i, value in enumerate(values):
        where = f"manifest.gateways[{i}]"
        source = closed.record(value, keys, where)
        first = [closed.integer(source, key, where, least=1) for key in keys[1:3]]
        last = [closed.integer(source, key, where, least=1) for key in keys[3:5]]
        if first > last:
            raise EncodingError(f"{where}: expected first ≤ last, got {first} > {last}")
        gw = identifier(source["gw"], f"{where}.gw")
        head = closed.hexadecimal(source["head"], 32, f"{where}.head")
        chains.append(GatewayChain(gw, first[0], first[1], last[0], last[1], head))
    _ascending([chain.gw for chain in chains], "manifest.gateways")
    return tuple(chains)


def _payload_path(path: str, where: str) -> str:
    """`data/` and at most three identifiers: no dots that climb, nothing to percent-encode."""
    parts = path.split("/")
    if parts[0] != "data" or not 2 <= len(parts) <= 4 or path == MANIFEST_PATH:
        raise EncodingError(f"{where}: expected a payload path data/…, got {path!r}")
    for part in parts[1:]:
        identifier(part, f"{where}: path {path!r}")
    return path


def _unique(names: Sequence[str], where: str) -> None:
    if len(set(names)) != len(names):
        raise EncodingError(f"{where}: expected each name once, got {names}")


def _ascending(names: Sequence[str], where: str) -> None:
    if any(a >= b for a, b in pairwise(names)):
        raise EncodingError(f"{where}: expected ascending order without repeats, got {names[:8]}")
