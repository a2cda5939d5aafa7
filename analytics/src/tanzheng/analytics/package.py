"""Evidence packages: what a month's figures rest on, in a bag that a stranger can recompute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.closing import Closing, close, closed_on, findings_json
from tanzheng.analytics.errors import EvidenceMismatch
from tanzheng.analytics.lineage.month import month_graph
from tanzheng.analytics.month import compute
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import RuleSet
from tanzheng.analytics.series import from_batches
from tanzheng.core import cbor, manifest, parameter_tree
from tanzheng.core.bag import bag_files, check_bag
from tanzheng.core.batch import SignedBatch, check_successor, open_signed
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.ids import Subject
from tanzheng.core.plant import Plant

KIND = "month"


@dataclass(frozen=True, slots=True)
class Standard:
    """By what a month is judged: the pack of constants and the rules."""

    pack: Pack
    rules: RuleSet


def software() -> str:
    """What makes packages here: name and version."""
    return f"tanzheng-analytics {version('tanzheng-analytics')}"


@dataclass(frozen=True, slots=True)
class Copied:
    """What of a package does not follow from plant file and batches: whoever closes a month makes
    it, whoever recomputes it copies it. `salts`: one a leaf of the parameter tree, in order."""

    salts: Sequence[bytes]
    software: str

    @classmethod
    def fresh(cls, secret: bytes, count: int) -> "Copied":
        """For a month of `count` figures closed here and now."""
        return cls(parameter_tree.salts(secret, count), software())

    @classmethod
    def of(cls, described: manifest.Manifest) -> "Copied":
        """As a package's manifest has it."""
        salts = [*(item.salt for item in described.parameters), *described.padding]
        return cls(salts, described.software)


def build(
    plant_raw: bytes,
    result: MonthResult,
    closing: Closing,
    standard: Standard,
    chains: Mapping[str, Sequence[SignedBatch]],
    secret: bytes,
) -> dict[str, bytes]:
    """The files of the package by path.

    `chains`: the signed batches of each gateway in chain order, without a hole (`SequenceError`).
    `secret`: 32 random bytes from which the salts of the figures come; it stays outside.
    """
    check_chains(chains)
    copied = Copied.fresh(secret, len(result.parameters))
    return _assembled(plant_raw, result, closing, standard, chains, copied)


def check_chains(chains: Mapping[str, Sequence[SignedBatch]]) -> None:
    """Return where each batch comes right after the one before it, else a `SequenceError`."""
    for batches in chains.values():
        for before, after in pairwise(batches):
            check_successor(before.head, after.batch)


def _assembled(
    plant_raw: bytes,
    result: MonthResult,
    closing: Closing,
    standard: Standard,
    chains: Mapping[str, Sequence[SignedBatch]],
    copied: Copied,
) -> dict[str, bytes]:
    plant = Plant.parse(plant_raw)
    payload = {
        manifest.PLANT_PATH: plant_raw,
        **derived_files(plant, result, closing, standard, chains),
    }
    if result.filed is not None:
        payload |= result.filed.payload()
    for gw, batches in chains.items():
        payload[manifest.batches_path(gw)] = b"".join(batch.raw for batch in batches)
    described = _manifest(plant, result, standard, chains, copied, payload)
    payload[manifest.MANIFEST_PATH] = described.encode()
    return bag_files(payload)


def derived_files(
    plant: Plant,
    result: MonthResult,
    closing: Closing,
    standard: Standard,
    chains: Mapping[str, Sequence[SignedBatch]],
) -> dict[str, bytes]:
    """The payload files that follow from a month computed from `chains` and closed, by path."""
    results, rules = closing.rule_results, standard.rules
    graph = month_graph(plant, result, results, standard.pack, rules, chains)
    return {
        manifest.HOURS_PATH: result.hours_json(),
        manifest.FINDINGS_PATH: findings_json(result, closing),
        manifest.LINEAGE_PATH: graph.encode(),
    }


def _manifest(
    plant: Plant,
    result: MonthResult,
    standard: Standard,
    chains: Mapping[str, Sequence[SignedBatch]],
    copied: Copied,
    payload: Mapping[str, bytes],
) -> manifest.Manifest:
    pack, rules, salts = standard.pack, standard.rules, copied.salts
    count = len(result.parameters)
    if count > len(salts):
        raise EvidenceMismatch(f"package: expected salts for {count} figures, got {len(salts)}")
    return manifest.Manifest(
        subject=Subject(plant.enterprise, result.unit, str(result.month), KIND),
        start_ms=result.start_ms,
        end_ms=result.end_ms,
        plant_sha256=plant.sha256,
        standard=manifest.DataPack(pack.name, pack.version, pack.sha256),
        rules=manifest.DataPack(rules.name, rules.version, rules.sha256),
        software=copied.software,
        parameters=tuple(
            manifest.Parameter(item.name, str(item.value), item.unit, salt)
            for item, salt in zip(result.parameters, salts[:count], strict=True)
        ),
        padding=tuple(salts[count:]),
        files=tuple(manifest.PackageFile.of(path, payload[path]) for path in sorted(payload)),
        gateways=tuple(_chain(gw, chains[gw]) for gw in sorted(chains)),
        absent=result.absent,
    )


def _chain(gw: str, batches: Sequence[SignedBatch]) -> manifest.GatewayChain:
    first, last = batches[0].batch, batches[-1].batch
    return manifest.GatewayChain(
        gw, first.epoch, first.seq, last.epoch, last.seq, batches[-1].digest
    )


def batches_of(files: Mapping[str, bytes], gw: str) -> list[SignedBatch]:
    """The signed batches of a gateway in a package; signatures are not checked here."""
    return [open_signed(raw) for raw in cbor.split(files[manifest.batches_path(gw)])]


def chains_of(
    files: Mapping[str, bytes], described: manifest.Manifest
) -> dict[str, list[SignedBatch]]:
    """The signed batches of each gateway that the manifest names.

    `PackageInvalid` names the file that is missing or holds anything else.
    """
    found = {}
    for chain in described.gateways:
        path = manifest.batches_path(chain.gw)
        _file(files, path)
        try:
            found[chain.gw] = batches_of(files, chain.gw)
        except BadInput as error:
            raise manifest.PackageInvalid(f"{path}: {error}") from error
        if not found[chain.gw]:
            raise manifest.PackageInvalid(f"{path}: expected signed batches, got none")
    return found


def books_of(files: Mapping[str, bytes]) -> dict[str, bytes] | None:
    """The plant's books in a package, by path in their folder; None where it holds none."""
    if not any(path.startswith(manifest.BOOKS_FOLDER) for path in files):
        return None
    from tanzheng.analytics.parameters.bookfiles import books_in

    return books_in(files)


def _file(files: Mapping[str, bytes], path: str) -> bytes:
    if path not in files:
        raise manifest.PackageInvalid(f"package: expected {path}, got no such file")
    return files[path]


def recompute(files: Mapping[str, bytes], standard: Standard) -> tuple[MonthResult, Closing]:
    """The month as it follows from the package's plant file, signed batches and books alone.

    The bag's own digests are checked; signatures, chain and trust are the verifier's business.
    """
    described = check_bag(files)
    return _recomputed(files, described, chains_of(files, described), standard)


def rebuild(
    files: Mapping[str, bytes],
    described: manifest.Manifest,
    chains: Mapping[str, Sequence[SignedBatch]],
    standard: Standard,
) -> dict[str, bytes]:
    """The whole package again, as it follows from its plant file, books, and batches in `chains`.

    Taken over are these, subject, salts, software and day of closing; every other byte is made
    anew, so an honest package comes out as it was. No digest of the old one is looked at.
    """
    result, closing = _recomputed(files, described, chains, standard)
    copied = Copied.of(described)
    return _assembled(files[manifest.PLANT_PATH], result, closing, standard, chains, copied)


def _recomputed(
    files: Mapping[str, bytes],
    described: manifest.Manifest,
    chains: Mapping[str, Sequence[SignedBatch]],
    standard: Standard,
) -> tuple[MonthResult, Closing]:
    plant = Plant.parse(_file(files, manifest.PLANT_PATH), manifest.PLANT_PATH)
    recorded = from_batches(
        (signed.batch for batches in chains.values() for signed in batches), plant
    )
    result = compute(
        plant,
        described.subject.unit,
        Month.parse(described.subject.period),
        recorded.series,
        recorded.gaps,
        standard.pack,
        standard.rules,
        recorded.steps,
        books=books_of(files),
    )
    day = closed_on(_file(files, manifest.FINDINGS_PATH))
    return result, close(result, standard.pack, standard.rules, day)


def check(files: Mapping[str, bytes], standard: Standard) -> None:
    """Return where every figure follows from batches and books, else `EvidenceMismatch`."""
    described = check_bag(files)
    chains = chains_of(files, described)
    result, closing = _recomputed(files, described, chains, standard)
    found = described.values()
    for name, value in result.values().items():
        if found.pop(name, None) != str(value):
            raise EvidenceMismatch(
                f"package: expected {name} = {value} from batches and books, "
                f"got {described.values().get(name)}"
            )
    if found:
        raise EvidenceMismatch(
            f"package: figures {sorted(found)} do not follow from batches and books"
        )
    if described.absent != result.absent:
        raise EvidenceMismatch(
            f"package: expected as absent {_names(result.absent)}, got {_names(described.absent)}"
        )
    plant = Plant.parse(files[manifest.PLANT_PATH], manifest.PLANT_PATH)
    for path, expected in derived_files(plant, result, closing, standard, chains).items():
        if _file(files, path) != expected:
            raise EvidenceMismatch(f"package: {path} does not follow from batches and books")


def _names(absent: Sequence[manifest.Absent]) -> str:
    return ", ".join(f"{item.name} ({item.reason})" for item in absent) or "none"
