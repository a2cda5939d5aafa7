"""Five attacks on a finished month. Each works on a copy, or is undone, and must be named.

Four are clumsy: a row, a byte, a byte, a missing batch. The fifth is the operator itself, with its
own valid keys: it lowers the fuel counter in a batch, recomputes everything above it, and has the
result logged and anchored like an honest month.
"""

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import psycopg

from tanzheng.analytics import package
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.closing import close, closed_on
from tanzheng.analytics.month import compute
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import from_batches
from tanzheng.core import bag, batch, manifest
from tanzheng.core.batch import Batch, Column, SignedBatch
from tanzheng.core.keys import SigningKey
from tanzheng.core.plant import Plant, Role
from tanzheng.demo.evidence import Evidence, wait_for_block
from tanzheng.demo.parts import Outcome
from tanzheng.demo.report import Attack

LOWERED_BY = 0.05
A_ROW = """
SELECT r.point_id, r.t FROM reading r JOIN point p USING (point_id)
WHERE p.name = %s ORDER BY r.t OFFSET 1000 LIMIT 1
"""
CHANGE = "UPDATE reading SET value = value + %s WHERE point_id = %s AND t = %s"


def run_all(evidence: Evidence) -> list[Attack]:
    """Every attack in turn."""
    attacks: tuple[Callable[[Evidence], Attack], ...] = (
        row_changed,
        package_byte_changed,
        receipt_byte_changed,
        batch_dropped,
        operator_rewrote,
    )
    return [attack(evidence) for attack in attacks]


def row_changed(evidence: Evidence) -> Attack:
    """One row of the database, changed with plain SQL; put back afterwards."""
    point = evidence.plant.roles(evidence.unit)[Role.FUEL_GAS].name
    url = evidence.secrets["TANZHENG_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(A_ROW, (point,)).fetchone()
        assert row is not None, "the month has readings"
        # Adding and taking away a power of two is exact for these counters.
        connection.execute(CHANGE, (-1024.0, *row))
        found = evidence.audit()
        connection.execute(CHANGE, (1024.0, *row))
    named = point in found.text + str(found.data)
    mended = evidence.audit().exit_code == 0
    caught = found.exit_code == 3 and named and mended
    return Attack("database_row_changed", "a row changed in the database", caught, said(found))


def package_byte_changed(evidence: Evidence) -> Attack:
    """One byte of the hours."""
    copy = _copy(evidence, "package_byte")
    _flip(copy / manifest.HOURS_PATH)
    return _verified(
        evidence, "package_byte_changed", "a byte changed in the package", copy,
        evidence.folder.receipt,
    )  # fmt: skip


def receipt_byte_changed(evidence: Evidence) -> Attack:
    """One byte in the middle of the receipt."""
    copy = evidence.folder.attacks / "receipt_byte.cbor"
    shutil.copy(evidence.folder.receipt, copy)
    _flip(copy)
    return _verified(
        evidence, "receipt_byte_changed", "a byte changed in the receipt",
        evidence.folder.package, copy,
    )  # fmt: skip


def batch_dropped(evidence: Evidence) -> Attack:
    """A batch left out and every list of files made anew, so that the bag itself is in order."""
    files = read_bag(evidence.folder.package)
    path = manifest.batches_path(evidence.gateway.id)
    batches = package.batches_of(files, evidence.gateway.id)
    del batches[len(batches) // 2]
    files[path] = b"".join(item.raw for item in batches)
    described = manifest.Manifest.decode(files[manifest.MANIFEST_PATH])
    entries = [manifest.PackageFile.of(f.path, files[f.path]) for f in described.files]
    files[manifest.MANIFEST_PATH] = replace(described, files=tuple(entries)).encode()
    copy = evidence.folder.attacks / "batch_dropped"
    write_bag(copy, bag.bag_files(_payload(files)))
    return _verified(
        evidence, "batch_dropped", "a batch dropped from the package", copy,
        evidence.folder.receipt,
    )  # fmt: skip


def operator_rewrote(evidence: Evidence) -> Attack:
    """A lower fuel counter, with package, tree, statement, log and chain rebuilt around it."""
    operator = SigningKey.from_pem(evidence.keys.operator.private.read_bytes())
    files = read_bag(evidence.folder.package)
    point = evidence.plant.roles(evidence.unit)[Role.FUEL_GAS].name
    honest = package.batches_of(files, evidence.gateway.id)
    forged = _forge(honest, point, operator)
    copy = evidence.folder.attacks / "operator_rewrote"
    write_bag(copy, _rebuild(evidence, files, forged))
    receipt = evidence.folder.attacks / "operator_rewrote.cbor"
    sealed = evidence.seal(copy, receipt, "--reason", "data_corrected", "--approver", "operator")
    wait_for_block(evidence.folder.trust, int(sealed["block_number"]))
    return _verified(
        evidence, "operator_rewrote", "the operator lowers the fuel and re-anchors", copy, receipt
    )


def _forge(honest: list[SignedBatch], point: str, operator: SigningKey) -> list[SignedBatch]:
    """The chain with the last fuel readings lowered; from there on signed by the operator."""
    first = max(i for i, item in enumerate(honest) if _column(item.batch, point) is not None)
    forged = honest[:first]
    for item in honest[first:]:
        prev = forged[-1].digest if forged else item.batch.prev
        forged.append(batch.sign(_lowered(replace(item.batch, prev=prev), point), operator))
    return forged


def _lowered(original: Batch, point: str) -> Batch:
    index = _column(original, point)
    if index is None:
        return original
    columns = list(original.columns)
    values = columns[index].value[:]
    for i, value in enumerate(values):
        values[i] = value * (1 - LOWERED_BY)
    columns[index] = Column(columns[index].t_ms, values, columns[index].quality)
    return replace(original, columns=tuple(columns))


def _column(item: Batch, point: str) -> int | None:
    """Where `point` has readings in a batch."""
    index = item.points.index(point) if point in item.points else None
    return index if index is not None and len(item.columns[index]) else None


def _rebuild(
    evidence: Evidence, files: Mapping[str, bytes], forged: list[SignedBatch]
) -> dict[str, bytes]:
    """The package an honest month close would make of the forged batches."""
    standard = package.Standard(load_pack(), load_rules())
    raw = files[manifest.PLANT_PATH]
    plant = Plant.parse(raw)
    recorded = from_batches([item.batch for item in forged], plant)
    result = compute(
        plant, evidence.unit, evidence.month, recorded.series, recorded.gaps,
        standard.pack, standard.rules, recorded.steps,
    )  # fmt: skip
    day = closed_on(files[manifest.FINDINGS_PATH])
    closing = close(result, standard.pack, standard.rules, day)
    chains = {evidence.gateway.id: forged}
    return package.build(raw, result, closing, standard, chains, secrets.token_bytes(32))


def read_bag(folder: Path) -> dict[str, bytes]:
    """The files of a bag by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def write_bag(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a bag without asking whether it is honest."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def said(outcome: Outcome) -> str:
    """The sentence in which a check named what it found."""
    failed = [p for p in outcome.data.get("points") or [] if p["verdict"] == "failed"]
    if failed:
        # Where several points fail, the batches are the cause and the rest its consequence.
        point = next((p for p in failed if p["name"] == "batches"), failed[0])
        text = point["detail"]
    elif difference := outcome.data.get("difference"):
        text = (
            f"{difference['kind']}: {difference['point']} at {difference['time']}, "
            f"expected {difference['expected']}, got {difference['got']}"
        )
    else:
        text = outcome.text.removeprefix("错误 error: ")
    return " ".join(text.split())[:240]


def _payload(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if path not in manifest.TAG_PATHS}


def _copy(evidence: Evidence, name: str) -> Path:
    target = evidence.folder.attacks / name
    shutil.copytree(evidence.folder.package, target)
    return target


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _verified(evidence: Evidence, name: str, title: str, bag_folder: Path, receipt: Path) -> Attack:
    found = evidence.verify(bag_folder, receipt)
    # Only a named refusal counts: a crash of the verifier (exit code 1) would catch nothing.
    return Attack(name, title, found.exit_code in (2, 3), said(found))
