"""A small month in evidence: package, receipt and trust file, as bytes and as files."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from analytics import chains, plants
from evidence import GATEWAY, Operator, statement
from tanzheng.analytics import package as packages
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.closing import close
from tanzheng.analytics.month import compute
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import from_batches
from tanzheng.core import manifest as shape
from tanzheng.core import parameter_tree
from tanzheng.core.bag import bag_files, check_bag
from tanzheng.core.batch import SignedBatch
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.manifest import Manifest
from tanzheng.core.plant import Plant
from tanzheng.core.points import Point
from tanzheng.core.receipt import decode
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.statement import Statement
from tanzheng.core.trust import Trust, TrustedGateway, TrustedPlant
from tanzheng.verifier.package import check_package

SLOT_MS = 600_000
PLANT_RAW = plants.PLANT_TOML.replace(b"interval_s = 60\n", b"interval_s = 600\n")
PLANT = Plant.parse(PLANT_RAW)
STANDARD = packages.Standard(load_pack(), load_rules())
RUNS = [plants.Run(plants.START_MS, plants.END_MS)]


def chain() -> list[SignedBatch]:
    """The gateway's month, signed by its own key, a day in each batch."""
    readings = plants.record(RUNS, SLOT_MS)
    return chains.sign_chain(readings, span_ms=86_400_000, key=GATEWAY)


def package(batches: Sequence[SignedBatch], secret: bytes = bytes(32)) -> dict[str, bytes]:
    """What an honest month close makes of those batches."""
    recorded = from_batches([signed.batch for signed in batches], PLANT)
    result = compute(
        PLANT, "G1", plants.MONTH, recorded.series, recorded.gaps, STANDARD.pack, STANDARD.rules
    )
    closing = close(result, STANDARD.pack, STANDARD.rules, date(2018, 3, 5))
    return packages.build(PLANT_RAW, result, closing, STANDARD, {"gw1": list(batches)}, secret)


def stated(files: Mapping[str, bytes], **changes: Any) -> Statement:
    """The statement that an operator makes of a package."""
    raw = files[shape.MANIFEST_PATH]
    described = Manifest.decode(raw)
    plain = statement(
        described.subject,
        start_ms=described.start_ms,
        end_ms=described.end_ms,
        manifest_sha256=sha256(raw),
        manifest_sm3=sm3(raw),
        parameters_root=parameter_tree.tree(described).root(),
        gateways=described.gateways,
        standard=described.standard,
        rules=described.rules,
        software=described.software,
    )
    return replace(plain, **changes)


@dataclass(frozen=True)
class Sealed:
    """A package with its receipt, and the trust file of a stranger."""

    files: dict[str, bytes]
    receipt: bytes
    trust: Trust

    def points(self) -> dict[str, Point]:
        """All points by name."""
        found = decode(self.receipt)
        points = check_receipt(found, self.trust)
        points += check_package(self.files, found.statement.of(Statement), self.trust)
        return {point.key: point for point in points}

    def failed(self) -> set[str]:
        """Names of the points that do not hold."""
        return {key for key, point in self.points().items() if point.verdict == "failed"}

    def write(self, folder: Path) -> list[str]:
        """Write everything; return the arguments of `tanzheng verify`."""
        write_files(self.files, folder / "bag")
        (folder / "receipt.cbor").write_bytes(self.receipt)
        (folder / "TRUST.json").write_bytes(self.trust.encode())
        trust = ["--trust", str(folder / "TRUST.json")]
        return [str(folder / "receipt.cbor"), "--package", str(folder / "bag"), *trust]


def seal(files: Mapping[str, bytes], of: Statement | None = None, **trust: Any) -> Sealed:
    """Seal a package in a log of its own."""
    operator = Operator()
    operator.seal(of or stated(files))
    receipt = operator.receipt()
    anchors: dict[str, Any] = {
        "plants": (TrustedPlant(PLANT.enterprise, PLANT.sha256),),
        "gateways": (TrustedGateway("gw1", GATEWAY.public),),
    }
    return Sealed(dict(files), receipt, operator.trust(**{**anchors, **trust}))


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """A package as a folder."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def rebuilt(files: Mapping[str, bytes], **changed: bytes | None) -> dict[str, bytes]:
    """The bag with payload files replaced (None: left out) and every list made anew.

    Names: `plant`, `hours`, `findings`, `lineage`, `batches`, or a path with `/` written as `__`.
    """
    known = {
        "plant": shape.PLANT_PATH,
        "hours": shape.HOURS_PATH,
        "findings": shape.FINDINGS_PATH,
        "lineage": shape.LINEAGE_PATH,
        "batches": shape.batches_path("gw1"),
    }
    payload = {path: data for path, data in files.items() if path not in shape.TAG_PATHS}
    described = Manifest.decode(payload.pop(shape.MANIFEST_PATH))
    for name, data in changed.items():
        path = known.get(name, name.replace("__", "/"))
        if data is None:
            del payload[path]
        else:
            payload[path] = data
    entries = tuple(shape.PackageFile.of(path, payload[path]) for path in sorted(payload))
    again = replace(described, files=entries)
    return bag_files({**payload, shape.MANIFEST_PATH: again.encode()})


def edited(files: Mapping[str, bytes], edit: Callable[[Manifest], Manifest]) -> dict[str, bytes]:
    """The bag with an edited manifest, and the tag files that belong to it."""
    payload = {path: data for path, data in files.items() if path not in shape.TAG_PATHS}
    again = edit(check_bag(files))
    return bag_files({**payload, shape.MANIFEST_PATH: again.encode()})


def answer(text: str) -> dict[str, str]:
    """The verdicts in the machine form."""
    return {point["name"]: point["verdict"] for point in json.loads(text)["points"]}
