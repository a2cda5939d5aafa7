"""GATEWAYS.toml: which gateways may send, with which key, and what they measure.

    version = 1
    enrolment_key = "keys/enrolment.pub.pem"   # who signs re-enrolments; may be left out

    [[gateway]]
    id = "lg-gw1"
    plant = "plant.toml"                    # names its points
    public_key = "keys/gateway.pub.pem"     # Ed25519: its first key, or any later one

Paths are relative to the file. Later keys come from re-enrolments: signed by the enrolment key
and kept in the database (`enrolments`), they make the history of each gateway's keys.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tanzheng.core.batch import SignedBatch, open_verified
from tanzheng.core.calendar import PlantZone
from tanzheng.core.enrolment import Enrolment
from tanzheng.core.errors import BadInput, SignatureInvalid
from tanzheng.core.keys import Algorithm, VerifyKey
from tanzheng.core.plant import Plant
from tanzheng.ingest.topics import gateway_identifier

KEYS = {"id", "plant", "public_key"}


@dataclass(frozen=True, slots=True)
class Gateway:
    """An enrolled gateway: its keys and the names of the points it may report.

    `key` is the one of its first epoch; each of `enrolments`, the oldest first, names the next.
    `operator` is whose signature a re-enrolment needs (None: there are none).
    """

    gw: str
    key: VerifyKey
    points: tuple[str, ...]
    zone: PlantZone
    operator: VerifyKey | None = None
    enrolments: tuple[Enrolment, ...] = field(default=(), repr=False)

    def key_at(self, epoch: int) -> VerifyKey:
        """The key that signs batches of `epoch`: of later re-enrolments for it, the last."""
        for enrolment in reversed(self.enrolments):
            if epoch >= enrolment.opens_epoch:
                return enrolment.new_key
        return self.key

    @property
    def newest_key(self) -> VerifyKey:
        """The key it signs with now."""
        return self.enrolments[-1].new_key if self.enrolments else self.key

    def open(self, raw: bytes) -> SignedBatch:
        """The batch in `raw`, signed by the key of its epoch; nothing of it is read before one of
        the gateway's keys is known to have signed it.

        `EncodingError`, `SignatureInvalid`.
        """
        signed = open_verified(raw, (self.key, *(each.new_key for each in self.enrolments)))
        expected = self.key_at(signed.batch.epoch)
        if signed.kid != expected.kid:
            raise SignatureInvalid(
                f"expected a signature of key {expected.kid.hex()} in epoch "
                f"{signed.batch.epoch}, got one of {signed.kid.hex()}"
            )
        return signed


def read_gateways(path: Path) -> dict[str, Gateway]:
    """Gateways by id; `BadInput` names the entry and what is wrong with it."""
    try:
        top = tomllib.loads(read_file(path).decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path}: expected TOML, got {error}") from error
    if top.get("version") != 1 or top.keys() - {"enrolment_key"} != {"version", "gateway"}:
        raise BadInput(f"{path}: expected version = 1 and [[gateway]], got {sorted(top)}")
    if not isinstance(top["gateway"], list) or not top["gateway"]:
        raise BadInput(f"{path}: expected at least one [[gateway]], got {top['gateway']!r}")
    operator = _operator(top.get("enrolment_key"), path)
    found: dict[str, Gateway] = {}
    for index, item in enumerate(top["gateway"]):
        gateway = _gateway(item, path.parent, operator, f"{path}: gateway[{index}]")
        if gateway.gw in found:
            raise BadInput(f"{path}: expected each gateway once, got {gateway.gw!r} twice")
        found[gateway.gw] = gateway
    return found


def select(gateways: dict[str, Gateway], gw: str | None) -> dict[str, Gateway]:
    """The gateway of that id alone (None: all); `BadInput` lists them."""
    if gw is None:
        return gateways
    if gw not in gateways:
        raise BadInput(f"expected a gateway of ({', '.join(gateways)}), got {gw!r}")
    return {gw: gateways[gw]}


def read_file(path: Path) -> bytes:
    """The bytes of a file the user named; `BadInput` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: expected a readable file, got {error.strerror}") from error


def _operator(name: object, path: Path) -> VerifyKey | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise BadInput(f"{path}: enrolment_key: expected a path, got {name!r}")
    key_path = path.parent / name
    return VerifyKey.from_pem(read_file(key_path), str(key_path))


def _gateway(
    item: Mapping[str, Any], folder: Path, operator: VerifyKey | None, where: str
) -> Gateway:
    if not isinstance(item, dict) or item.keys() != KEYS:
        raise BadInput(f"{where}: expected {sorted(KEYS)}, got {sorted(item)}")
    if not all(isinstance(value, str) for value in item.values()):
        raise BadInput(f"{where}: expected texts, got {item}")
    gw = gateway_identifier(item["id"])
    plant_path, key_path = folder / item["plant"], folder / item["public_key"]
    plant = Plant.parse(read_file(plant_path), str(plant_path))
    plant.gateway(gw)  # refuses a gateway the plant file does not have
    points = tuple(point.name for point in plant.points_of_gateway(gw))
    key = VerifyKey.from_pem(read_file(key_path), str(key_path))
    if key.algorithm is not Algorithm.EDDSA:  # a fleet's batches are checked by the thousand
        raise BadInput(
            f"{key_path}: expected an Ed25519 key of a gateway, got {key.algorithm.name}"
        )
    return Gateway(gw, key, points, plant.zone, operator)
