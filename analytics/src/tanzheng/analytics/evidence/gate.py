"""The gate before a deposit: what a package is, whether its own rules let it through."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tanzheng.analytics.closing import Deposit
from tanzheng.analytics.evidence.entries import KIND, word
from tanzheng.analytics.evidence.errors import DepositBlocked
from tanzheng.core import canonical_json, closed
from tanzheng.core.bag import check_bag
from tanzheng.core.calendar import PlantZone
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.manifest import FINDINGS_PATH, MANIFEST_PATH, PLANT_PATH
from tanzheng.core.plant import Plant


@dataclass(frozen=True, slots=True)
class Evidence:
    """A package that may be deposited: `deposit` is ready or explain, `standard` names its pack.

    `zone` is the plant's, of the plant file in the package.
    """

    subject: Subject
    manifest_sha256: bytes
    deposit: Deposit
    standard: str
    zone: PlantZone

    def on(self, day: date, deadline: date) -> Deposit:
        """What it takes to deposit it on `day`: behind the deadline, a written explanation."""
        return Deposit.EXPLAIN if day > deadline else self.deposit


def open_package(files: Mapping[str, bytes]) -> Evidence:
    """The evidence in the files of a package; every byte of the bag is checked.

    `PackageInvalid` for a bag that does not hold, `DepositBlocked` where its rules block it.
    """
    manifest = check_bag(files)
    if manifest.subject.kind != KIND:
        raise BadInput(f"expected the package of a {KIND}, got {manifest.subject}")
    for path in (FINDINGS_PATH, PLANT_PATH):
        if path not in files:
            raise BadInput(f"package: expected {path}, got none")
    deposit = _deposit(files[FINDINGS_PATH])
    if deposit is Deposit.BLOCKED:
        raise DepositBlocked(
            f"package of {manifest.subject}: expected deposit ready or explain, got blocked · "
            "整改前不可存证"
        )
    digest = sha256(files[MANIFEST_PATH])
    plant = Plant.parse(files[PLANT_PATH], PLANT_PATH)
    return Evidence(manifest.subject, digest, deposit, manifest.standard.name, plant.zone)


def _deposit(raw: bytes) -> Deposit:
    content = closed.mapping(canonical_json.loads(raw, FINDINGS_PATH), FINDINGS_PATH)
    return word(content.get("deposit"), Deposit, f"{FINDINGS_PATH}.deposit")
