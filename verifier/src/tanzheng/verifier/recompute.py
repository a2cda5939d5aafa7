"""A whole package again from its plant file, signed batches and books: no receipt, no network.

`tanzheng verify` asks whether a receipt's statement holds; this asks less and shows more: what
every figure, file and digest of a package comes to on this machine, beside what the package says.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tanzheng.analytics import package as packages
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.errors import PackInvalid
from tanzheng.analytics.package import Standard
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.core import manifest as shape
from tanzheng.core import parameter_tree
from tanzheng.core.bag import check_bag
from tanzheng.core.errors import TanzhengError
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.manifest import (
    REASON_LABELS,
    DataPack,
    GatewayChain,
    Manifest,
    PackageInvalid,
)
from tanzheng.verifier.difference import first_difference
from tanzheng.verifier.errors import StandardNotInstalled

FIGURE, FILE, DIGEST = "figure", "file", "digest"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing compared: what the package says, what came out here (None: nothing of the kind).

    `copied`: an input, taken over and not made. `difference` says where a file first differs.
    """

    kind: str
    name: str
    reported: str | None
    recomputed: str | None
    copied: bool = False
    difference: str = ""

    @property
    def equal(self) -> bool:
        """Whether both are the same."""
        return self.reported == self.recomputed


@dataclass(frozen=True, slots=True)
class Recomputation:
    """What a package came to. `problems`: checks that failed before or beside the comparison.

    `files` is the recomputed package by path, None where nothing could be computed.
    """

    described: Manifest
    problems: tuple[str, ...]
    rows: tuple[Row, ...] = ()
    files: Mapping[str, bytes] | None = field(default=None, repr=False)

    @property
    def equal(self) -> bool:
        """Whether the package is, byte for byte, what follows from its batches and books."""
        return not self.problems and all(row.equal for row in self.rows)


def recompute(files: Mapping[str, bytes]) -> Recomputation:
    """Compute a package (path → bytes) again and compare it, as far as its parts allow.

    `PackageInvalid` without a manifest that can be read; `StandardNotInstalled` where this machine
    has not the standard or rules that the manifest names.
    """
    if shape.MANIFEST_PATH not in files:
        raise PackageInvalid(f"package: expected {shape.MANIFEST_PATH}, got none")
    described = Manifest.decode(files[shape.MANIFEST_PATH])
    standard = installed_standard(described)
    problems = _problem(lambda: check_bag(files))
    try:
        chains = packages.chains_of(files, described)
        problems += _problem(lambda: packages.check_chains(chains))
        again = packages.rebuild(files, described, chains, standard)
    except TanzhengError as error:
        return Recomputation(described, (*problems, str(error)))
    rows = (*_figures(described, again), *_files(files, again), *_digests(files, described, again))
    return Recomputation(described, tuple(problems), rows, again)


def installed_standard(described: Manifest) -> Standard:
    """The installed standard pack and rules of the manifest's names, versions and digests."""
    try:
        pack, rules = load_pack(described.standard.name), load_rules(described.rules.name)
    except PackInvalid as error:
        raise StandardNotInstalled(f"{_needed(described)}: {error}") from None
    own = (
        DataPack(pack.name, pack.version, pack.sha256),
        DataPack(rules.name, rules.version, rules.sha256),
    )
    for wanted, found in zip((described.standard, described.rules), own, strict=True):
        if wanted != found:
            raise StandardNotInstalled(
                f"{_needed(described)}: expected {_pack(wanted)}, got {_pack(found)} installed"
            )
    return Standard(pack, rules)


def _needed(described: Manifest) -> str:
    return f"package made by {described.software}"


def _pack(pack: DataPack) -> str:
    return f"{pack.name} version {pack.version} sha-256 {pack.sha256.hex()}"


def _problem(check: Callable[[], object]) -> list[str]:
    """What a check finds wrong, in its own words."""
    try:
        check()
    except TanzhengError as error:
        return [str(error)]
    return []


def _figures(described: Manifest, again: Mapping[str, bytes]) -> Iterator[Row]:
    """Each figure with its unit, in the order of the package; what only came out here follows."""
    reported, recomputed = map(_told, (described, Manifest.decode(again[shape.MANIFEST_PATH])))
    for name in reported | recomputed:
        yield Row(FIGURE, name, reported.get(name), recomputed.get(name))


def _told(described: Manifest) -> dict[str, str]:
    figures = {item.name: f"{item.value} {item.unit}" for item in described.parameters}
    return figures | {item.name: " ".join(REASON_LABELS[item.reason]) for item in described.absent}


def _files(files: Mapping[str, bytes], again: Mapping[str, bytes]) -> Iterator[Row]:
    """Each file by its SHA-256; plant file, batches, books are what all else is made from."""
    for path in sorted(files.keys() | again.keys()):
        ours, theirs = again.get(path), files.get(path)
        same = ours == theirs or ours is None or theirs is None
        yield Row(
            FILE,
            path,
            None if theirs is None else sha256(theirs).hex(),
            None if ours is None else sha256(ours).hex(),
            copied=_is_input(path),
            difference="" if same else first_difference(ours or b"", theirs or b""),
        )


def _is_input(path: str) -> bool:
    return path == shape.PLANT_PATH or path.startswith((shape.BATCHES_FOLDER, shape.BOOKS_FOLDER))


def _digests(
    files: Mapping[str, bytes], described: Manifest, again: Mapping[str, bytes]
) -> Iterator[Row]:
    """What a statement names: manifest, parameter root, the head of each gateway's chain."""
    theirs, ours = files[shape.MANIFEST_PATH], again[shape.MANIFEST_PATH]
    made = Manifest.decode(ours)
    yield Row(DIGEST, "manifest sha-256", sha256(theirs).hex(), sha256(ours).hex())
    yield Row(DIGEST, "manifest sm3", sm3(theirs).hex(), sm3(ours).hex())
    yield Row(DIGEST, "parameter root", _root(described), _root(made))
    heads = ({chain.gw: chain for chain in each.gateways} for each in (described, made))
    reported, recomputed = heads
    for gw in sorted(reported | recomputed):
        yield Row(DIGEST, f"chain {gw}", _end(reported.get(gw)), _end(recomputed.get(gw)))


def _root(described: Manifest) -> str | None:
    try:
        return parameter_tree.tree(described).root().hex()
    except TanzhengError:  # too few salts for a full tree: there is no root
        return None


def _end(chain: GatewayChain | None) -> str | None:
    if chain is None:
        return None
    first, last = (chain.first_epoch, chain.first_seq), (chain.epoch, chain.last_seq)
    return f"epoch {first[0]} seq {first[1]} – epoch {last[0]} seq {last[1]} {chain.head.hex()}"
