"""The checks of a package against its statement and the trust file, point by point.

Everything starts from what is signed: the receipt's statement names the manifest, the gateways and
the ends of their chains. Each point is answered by itself, also where another has failed.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import pairwise

from tanzheng.analytics import package as packages
from tanzheng.analytics.accounting.pack import Pack, load_pack
from tanzheng.analytics.closing import close, closed_on
from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.month import compute
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import RuleSet, load_rules
from tanzheng.analytics.series import Recorded, from_batches
from tanzheng.core import manifest as shape
from tanzheng.core import parameter_tree
from tanzheng.core.bag import check_bag
from tanzheng.core.batch import SignedBatch, check_successor
from tanzheng.core.calendar import Month
from tanzheng.core.errors import TanzhengError
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.manifest import DataPack, GatewayChain, Manifest, PackageInvalid
from tanzheng.core.plant import Plant
from tanzheng.core.points import Point, Verdict, point
from tanzheng.core.statement import Statement
from tanzheng.core.trust import Trust
from tanzheng.verifier.errors import (
    BatchInvalid,
    CoverageIncomplete,
    FigureDiffers,
    PackageForeign,
    PackDiffers,
)

PACKAGE_POINTS = ("body", "plant", "packs", "batches", "coverage", "figures")


def check_package(
    files: Mapping[str, bytes] | None, statement: Statement, trust: Trust
) -> list[Point]:
    """Return the points of a package (path → bytes) that a verified statement speaks of.

    Without a package (None) each is "not asked".
    """
    if files is None:
        return [Point(key, Verdict.NOT_ASKED, "give --package") for key in PACKAGE_POINTS]
    package = _Package(files, statement, trust)
    checks: tuple[Callable[[], str], ...] = (
        package.body, package.plant_trusted, package.packs, package.batches, package.coverage,
        package.figures,
    )  # fmt: skip
    return [point(key, check) for key, check in zip(PACKAGE_POINTS, checks, strict=True)]


class _Package:
    """A package under verification: what several checks need is read once."""

    def __init__(self, files: Mapping[str, bytes], statement: Statement, trust: Trust) -> None:
        self._files, self._statement, self._trust = files, statement, trust

    # ---------------------------------------------------------------- what is in it

    def _file(self, path: str) -> bytes:
        if path not in self._files:
            raise PackageInvalid(f"package: expected {path}, got no such file")
        return self._files[path]

    @cached_property
    def _manifest(self) -> Manifest:
        return Manifest.decode(self._file(shape.MANIFEST_PATH))

    @cached_property
    def _plant(self) -> Plant:
        """The plant file, where it is a trusted one: nothing is computed by another."""
        raw = self._file(shape.PLANT_PATH)
        self._trust.plant(self._statement.subject.enterprise, sha256(raw))
        return Plant.parse(raw, shape.PLANT_PATH)

    @cached_property
    def _chains(self) -> dict[str, list[SignedBatch]]:
        """The batches of each gateway that the statement names; signatures not checked yet."""
        gateways = [chain.gw for chain in self._statement.gateways]
        for gw in gateways:
            self._file(shape.batches_path(gw))
        return {gw: packages.batches_of(self._files, gw) for gw in gateways}

    @cached_property
    def _recorded(self) -> Recorded:
        batches = [signed.batch for chain in self._chains.values() for signed in chain]
        return from_batches(batches, self._plant)

    @cached_property
    def _standard(self) -> tuple[Pack, RuleSet]:
        """The verifier's own standard pack and rules, of the names in the statement."""
        return load_pack(self._statement.standard.name), load_rules(self._statement.rules.name)

    @property
    def _month(self) -> Month:
        return Month.parse(self._statement.subject.period)

    # ---------------------------------------------------------------- checks

    def body(self) -> str:
        """Every byte of the bag, up to the digest in the statement, and the parameter tree."""
        manifest = check_bag(self._files)
        raw = self._file(shape.MANIFEST_PATH)
        stated = self._statement
        pairs: dict[str, tuple[object, object]] = {
            "manifest sha-256": (stated.manifest_sha256.hex(), sha256(raw).hex()),
            "manifest sm3": (stated.manifest_sm3.hex(), sm3(raw).hex()),
            "parameter root": (
                stated.parameters_root.hex(),
                parameter_tree.tree(manifest).root().hex(),
            ),
            "subject": (stated.subject, manifest.subject),
            "period": ((stated.start_ms, stated.end_ms), (manifest.start_ms, manifest.end_ms)),
            "gateways": (stated.gateways, manifest.gateways),
            "standard": (stated.standard, manifest.standard),
            "rules": (stated.rules, manifest.rules),
            "software": (stated.software, manifest.software),
        }
        for what, (expected, got) in pairs.items():
            if expected != got:
                raise PackageForeign(f"{what}: expected {expected} as stated, got {got}")
        octets = sum(len(data) for data in self._files.values())
        return f"{len(self._files)} files, {octets:,} B, manifest {sha256(raw).hex()[:16]}…"

    def plant_trusted(self) -> str:
        """The plant file is a trusted one, and the period is that month in its zone."""
        stated, plant = self._statement, self._plant
        if stated.subject.kind != packages.KIND:
            raise PackageForeign(f"subject: expected kind {packages.KIND}, got {stated.subject}")
        if plant.enterprise != stated.subject.enterprise:
            raise PackageForeign(
                f"plant: expected {stated.subject.enterprise}, got {plant.enterprise}"
            )
        plant.unit(stated.subject.unit)
        bounds = self._month.bounds_ms(plant.zone)
        if bounds != (stated.start_ms, stated.end_ms):
            raise PackageForeign(
                f"period: expected {bounds} for {self._month} in UTC{plant.zone}, "
                f"got {(stated.start_ms, stated.end_ms)}"
            )
        return f"{plant.name} · {plant.name_zh}, {plant.sha256.hex()[:16]}…"

    def packs(self) -> str:
        """Standard pack and rule set are byte for byte the verifier's own."""
        pack, rules = self._standard
        stated = self._statement
        own = (
            DataPack(pack.name, pack.version, pack.sha256),
            DataPack(rules.name, rules.version, rules.sha256),
        )
        for expected, got in zip(own, (stated.standard, stated.rules), strict=True):
            if expected != got:
                raise PackDiffers(
                    f"{expected.name}: expected {expected.version} {expected.sha256.hex()}, "
                    f"got {got.name} {got.version} {got.sha256.hex()}"
                )
        return f"{pack.name} {pack.version}, {rules.name} {rules.version}"

    def batches(self) -> str:
        """Every batch signed by its trusted gateway, one chain up to the head in the statement."""
        unit = self._statement.subject.unit
        expected = sorted(gateway.id for gateway in self._plant.gateways_of_unit(unit))
        named = [chain.gw for chain in self._statement.gateways]
        if named != expected:
            raise PackageForeign(f"gateways: expected {expected} of the plant file, got {named}")
        said = []
        for chain in self._statement.gateways:
            batches = self._chains[chain.gw]
            _check_ends(chain, batches)
            self._check_signed(chain.gw, batches)
            said.append(
                f"{len(batches)} of {chain.gw}, epoch {chain.first_epoch} seq {chain.first_seq} "
                f"to epoch {chain.epoch} seq {chain.last_seq}"
            )
        return "; ".join(said)

    def _check_signed(self, gw: str, batches: list[SignedBatch]) -> None:
        public = self._trust.gateway(gw)
        for signed in batches:
            place = f"{gw} epoch {signed.batch.epoch} seq {signed.batch.seq}"
            if signed.batch.gw != gw:
                raise BatchInvalid(f"{place}: expected a batch of {gw}, got {signed.batch.gw}")
            try:
                signed.verify(public)
            except TanzhengError as error:
                raise BatchInvalid(f"{place}: {error}") from error

    def coverage(self) -> str:
        """Each point at each slot of the month, and at the closing one: reading or gap record."""
        unit, recorded = self._statement.subject.unit, self._recorded
        inputs = MonthInputs.of(self._plant, unit, self._month, recorded.series, recorded.gaps)
        slots = inputs.slots()
        for name, count in slots.unexplained.items():
            raise CoverageIncomplete(
                f"{name}: expected a reading or a gap record at every slot, got none at {count}"
            )
        total = slots.readings + slots.in_gaps
        return f"{slots.readings:,} readings + {slots.in_gaps:,} in gap records = {total:,} slots"

    def figures(self) -> str:
        """Every reported figure, hour and finding again from the signed batches and the books."""
        pack, rules = self._standard
        recorded, subject = self._recorded, self._statement.subject
        result = compute(
            self._plant, subject.unit, self._month, recorded.series, recorded.gaps, pack, rules,
            recorded.steps, books=packages.books_of(self._files),
        )  # fmt: skip
        self._compare_figures(result)
        closing = close(result, pack, rules, closed_on(self._file(shape.FINDINGS_PATH)))
        again = packages.derived_files(
            self._plant, result, closing, packages.Standard(pack, rules), self._chains
        )
        for path, expected in again.items():
            if self._file(path) != expected:
                raise FigureDiffers(f"{path}: expected what follows from batches and books")
        return f"{len(result.parameters)} figures and {len(result.hours)} hours, all equal"

    def _compare_figures(self, result: MonthResult) -> None:
        computed = {item.name: (str(item.value), item.unit) for item in result.parameters}
        reported = {item.name: (item.value, item.unit) for item in self._manifest.parameters}
        for name in sorted(computed.keys() | reported.keys()):
            expected, got = computed.get(name), reported.get(name)
            if expected != got:
                raise FigureDiffers(
                    f"{name}: expected {_shown(expected)} from batches and books, "
                    f"got {_shown(got)} reported"
                )
        if result.absent != self._manifest.absent:
            expected_names, names = (
                ", ".join(item.name for item in each) or "none"
                for each in (result.absent, self._manifest.absent)
            )
            raise FigureDiffers(f"absent: expected {expected_names}, got {names} reported")


def _check_ends(chain: GatewayChain, batches: list[SignedBatch]) -> None:
    """The batches run without a hole from the first to the head that the statement names."""
    if not batches:
        raise BatchInvalid(f"{chain.gw}: expected batches, got none")
    first, last = batches[0].batch, batches[-1].head
    if (first.epoch, first.seq) != (chain.first_epoch, chain.first_seq):
        raise BatchInvalid(
            f"{chain.gw}: expected to start at epoch {chain.first_epoch} seq {chain.first_seq}, "
            f"got epoch {first.epoch} seq {first.seq}"
        )
    if (first.epoch, first.seq) == (1, 1):
        check_successor(None, first)
    for before, after in pairwise(batches):
        check_successor(before.head, after.batch)
    if (last.epoch, last.seq, last.digest) != (chain.epoch, chain.last_seq, chain.head):
        raise BatchInvalid(
            f"{chain.gw}: expected to end at epoch {chain.epoch} seq {chain.last_seq} "
            f"{chain.head.hex()}, got epoch {last.epoch} seq {last.seq} {last.digest.hex()}"
        )


def _shown(figure: tuple[str, str] | None) -> str:
    return " ".join(figure) if figure else "nothing"
