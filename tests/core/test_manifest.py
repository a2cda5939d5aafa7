"""The package's manifest and the bag around it: round trips, and a zoo of broken ones."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core import canonical_json
from tanzheng.core.bag import bag_files, check_bag
from tanzheng.core.errors import BadInput, EncodingError
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.manifest import (
    MANIFEST_PATH,
    PLANT_PATH,
    Absent,
    DataPack,
    GatewayChain,
    Manifest,
    PackageFile,
    PackageInvalid,
    Parameter,
    Reason,
    batches_path,
)

PAYLOAD = {PLANT_PATH: b"version = 1\n", batches_path("gw1"): b"\x00\x01"}
MANIFEST = Manifest(
    subject=Subject("E1", "CT1", "2018-07", "month"),
    start_ms=1_530_428_400_000,
    end_ms=1_533_106_800_000,
    plant_sha256=sha256(PAYLOAD[PLANT_PATH]),
    standard=DataPack("cn-power", "2022.1", bytes(32)),
    rules=DataPack("gas-unit", "1", bytes(32)),
    software="tanzheng 0.1.0",
    parameters=(Parameter("generation_mwh", "211345.000", "MWh", bytes(range(16))),),
    padding=(bytes(16), bytes(15) + b"\x01"),
    files=tuple(PackageFile.of(path, PAYLOAD[path]) for path in sorted(PAYLOAD)),
    gateways=(GatewayChain("gw1", 1, 1, 2, 7, bytes(32)),),
)


ABSENT = dataclasses.replace(
    MANIFEST,
    absent=(Absent("co2_cems_t", Reason.NO_CEMS), Absent("coverage_percent", Reason.NO_CEMS)),
)


def bag() -> dict[str, bytes]:
    return bag_files({**PAYLOAD, MANIFEST_PATH: MANIFEST.encode()})


def test_manifest_round_trip() -> None:
    assert Manifest.decode(MANIFEST.encode()) == MANIFEST
    assert MANIFEST.values() == {"generation_mwh": "211345.000"}


def test_what_a_unit_cannot_have_is_named_with_its_reason() -> None:
    assert Manifest.decode(ABSENT.encode()) == ABSENT
    told = json.loads(ABSENT.encode())["absent"]
    assert told[0] == {"name": "co2_cems_t", "reason": "no_cems"}
    assert b"absent" not in MANIFEST.encode()


def test_bag_is_what_rfc_8493_asks_for() -> None:
    files = bag()
    assert files["bagit.txt"].startswith(b"BagIt-Version: 1.0\n")
    lines = files["manifest-sha256.txt"].decode().splitlines()
    named = {path: digest for digest, path in (re.split(r"\s+", line) for line in lines)}
    assert named == {
        path: hashlib.sha256(data).hexdigest()
        for path, data in files.items()
        if path.startswith("data/")
    }
    size = sum(len(data) for path, data in files.items() if path.startswith("data/"))
    assert f"Payload-Oxum: {size}.3\n".encode() in files["bag-info.txt"]
    assert check_bag(files) == MANIFEST


@pytest.mark.parametrize("path", sorted(bag()))
def test_changed_or_missing_file_is_named(path: str) -> None:
    files = bag()
    changed = {**files, path: files[path][:-1] + bytes([files[path][-1] ^ 1])}
    with pytest.raises(PackageInvalid, match=re.escape(path)):
        check_bag(changed)
    del files[path]
    with pytest.raises(PackageInvalid, match=re.escape(path)):
        check_bag(files)


@pytest.mark.parametrize("path", ["data/extra.json", "notes.txt", "data/../x", "../x"])
def test_extra_file_is_named(path: str) -> None:
    with pytest.raises(PackageInvalid, match=re.escape(path)):
        check_bag({**bag(), path: b""})


MANIFEST_JSON: dict[str, Any] = json.loads(MANIFEST.encode())
MUTATIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "missing key": lambda source: source.pop("padding"),
    "unknown key": lambda source: source.update(extra=1),
    "unknown version": lambda source: source.update(version=2),
    "version true": lambda source: source.update(version=True),
    "number for a digest": lambda source: source.update(plant_sha256=1),
    "upper-case digest": lambda source: source.update(plant_sha256="AA" * 32),
    "period reversed": lambda source: source.update(start_ms=source["end_ms"]),
    "line break in software": lambda source: source.update(software="a\nb"),
    "subject of three parts": lambda source: source.update(subject="a/b/c"),
    "files repeated": lambda source: source.update(files=[*MANIFEST_JSON["files"]] * 2),
    "parameter repeated": lambda source: source.update(
        parameters=[*MANIFEST_JSON["parameters"]] * 2
    ),
    "exponent": lambda source: source.update(
        parameters=[{**MANIFEST_JSON["parameters"][0], "value": "1E400"}]
    ),
    "path that climbs": lambda source: source.update(
        files=[{**MANIFEST_JSON["files"][0], "path": "data/../plant.toml"}]
    ),
}


def _absent(**changed: object) -> dict[str, object]:
    return {"absent": [{"name": "co2_cems_t", "reason": "no_cems", **changed}]}


MUTATIONS |= {
    "absent and empty": lambda source: source.update(absent=[]),
    "absent for no known reason": lambda source: source.update(_absent(reason="broken")),
    "a list for a reason": lambda source: source.update(_absent(reason=[])),
    "absent without a reason": lambda source: source.update(absent=[{"name": "co2_cems_t"}]),
    "absent and reported": lambda source: source.update(_absent(name="generation_mwh")),
    "absent out of order": lambda source: source.update(
        absent=json.loads(ABSENT.encode())["absent"][::-1]
    ),
}


@pytest.mark.parametrize("flaw", MUTATIONS)
def test_manifest_zoo(flaw: str) -> None:
    source = json.loads(MANIFEST.encode())
    MUTATIONS[flaw](source)
    with pytest.raises(BadInput):
        Manifest.decode(canonical_json.dumps(source))


def test_manifest_refuses_another_spelling_of_itself() -> None:
    with pytest.raises(EncodingError):
        Manifest.decode(json.dumps(MANIFEST_JSON, indent=1).encode())


def test_encode_checks_its_own_fields() -> None:
    with pytest.raises(EncodingError):
        dataclasses.replace(MANIFEST, plant_sha256=b"short").encode()


@given(st.binary(max_size=200))
def test_any_garbage_is_a_named_error(data: bytes) -> None:
    with pytest.raises(BadInput):
        Manifest.decode(data)
