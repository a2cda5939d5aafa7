"""What is damaged: each piece of evidence, with what the verifier says of it."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

from anchor import logs
from core.statements import samples
from mutants import kinds
from mutants.der import of_der
from mutants.kinds import Mutant
from tanzheng.core.log_audit import audit
from tanzheng.core.log_files import LogFiles
from tanzheng.core.receipt import with_attestations
from vectors import cases_sealed, cases_statements, stamps, world
from vectors.case import given
from vectors.judge import Given, judge, refused

Judge = Callable[[bytes], str]
RECEIPT, CHECKPOINT, PROOF = "receipt", "last_checkpoint", "consistency"
OK = "ok"


@dataclass(frozen=True)
class Target:
    """`name` of the evidence, the good `data`, `judge` → "ok" or what was refused or failed.

    `given` and `field`: the page takes the same; None where only Python reads it. `good`: other
    values that hold. `cbor`: whether the data are one CBOR item; `grows`: whether more may follow.
    `part`: what is changed of the data, DER where `put` is there to put it back.
    """

    name: str
    data: bytes
    judge: Judge
    given: Given | None = None
    field: str = ""
    good: Sequence[bytes] = ()
    cbor: bool = True
    grows: bool = False
    part: bytes = b""
    put: Callable[[bytes], bytes] | None = None

    def mutants(self, random: Random, bits: Sequence[int] = range(8)) -> Iterator[Mutant]:
        """Every mutant once, those that hold by right left out."""
        seen = {self.data, *self.good}
        made = [kinds.of_bytes(self.data, random, bits)]
        if self.put is not None:
            made = [self._of_part(random, bits, self.put)]
        elif self.cbor:
            made += [kinds.of_cbor(self.data), kinds.transplants(self.data, self.good)]
        for source in made:
            for kind, data in source:
                if data not in seen and not (self.grows and data.startswith(self.data)):
                    seen.add(data)
                    yield kind, data

    def _of_part(
        self, random: Random, bits: Sequence[int], put: Callable[[bytes], bytes]
    ) -> Iterator[Mutant]:
        for source in (kinds.of_bytes(self.part, random, bits), of_der(self.part)):
            for kind, data in source:
                yield kind, put(data)


def short(answer: Mapping[str, Any]) -> str:
    """An answer in one word or a few."""
    if "refused" in answer:
        return f"refused: {answer['refused']}"
    failed = [name for name, verdict in answer["points"].items() if verdict == "failed"]
    return f"failed: {', '.join(failed)}" if failed else OK


@cache
def all_targets() -> tuple[Target, ...]:
    """Receipts, time stamps, what is handed in beside them, files of a package and of a log."""
    return (*_receipts(), *_kinds(), *_stamped(), *_beside(), *_package(), *_log())


LISTED = {"cosignatures", "key_events"}


def _of(name: str, base: Given, field: str, **more: Any) -> Target:
    """A target that is one field of what a verifier is handed."""
    whole: bytes | Sequence[bytes] = getattr(base, field)
    listed = field in LISTED
    assert not refused(judge(base)), name

    def judged(data: bytes) -> str:
        changed: dict[str, Any] = {field: (data,) if listed else data}
        return short(judge(replace(base, **changed)))

    data = whole[0] if listed else whole
    assert isinstance(data, bytes)
    return Target(name, data, judged, base, field, **more)


def _receipts() -> Iterator[Target]:
    small, grown, corrected = world.small(), world.grown(), world.corrected()
    good = [grown.receipt(index) for index in range(7)]
    yield _of("receipt, log of one leaf", given(small), RECEIPT, good=[*good, small.receipt()])
    yield _of("receipt, leaf 2 of 7", given(grown, 2), RECEIPT, good=good)
    yield _of("receipt, last leaf of 7", given(grown, 6), RECEIPT, good=good)
    yield _of("receipt, correction", given(corrected, 2), RECEIPT)
    carried = {"cosignatures": world.cosignatures(grown, 1, 3)}
    policy = {"witnesses": world.POLICY}
    cosigned = given(grown, 2, trust=policy, attestations=carried)
    others = [grown.receipt(index, carried) for index in range(7)]
    sealed = world.sealed()
    on_trust = cases_sealed.trusting(world.VALIDATORS.addresses)
    yield _of("receipt, sealed", given(sealed, trust=on_trust), RECEIPT, good=good)
    yield _of("receipt, witnessed", cosigned, RECEIPT, good=others)


def _kinds() -> Iterator[Target]:
    """Statements that others than the operator sign, and a key event beside one of them."""
    good = [cases_statements.of_sample(name).receipt for name in samples.SAMPLES]
    for name in ("review, city", "confirmed emissions", "trust anchors"):
        yield _of(f"receipt, {name}", cases_statements.of_sample(name), RECEIPT, good=good)
    rotated = cases_statements.rotated()
    yield _of("receipt, by a key that came", rotated, RECEIPT)
    yield _of("key event", rotated, "key_events")


def _stamped() -> Iterator[Target]:
    """The token beside a core, not the core: of what it is made, no byte is free."""
    for name in ("rsa", "p256"):
        token = stamps.token(name)
        authorities = {"timestamp_authorities": (stamps.authority(name),)}
        base = given(world.small(), trust=authorities, attestations={"rfc3161": token})
        put = partial(_with_token, base.receipt)
        yield _of(f"time stamp, {name}", base, RECEIPT, part=token, put=put)


def _with_token(data: bytes, token: bytes) -> bytes:
    return with_attestations(data, {"rfc3161": token})


def _beside() -> Iterator[Target]:
    grown = world.grown()
    marks = grown.checkpoints
    proof = world.consistency(grown, 2, 7)
    asked = replace(given(grown, 2), last_checkpoint=marks[0].raw, consistency=proof)
    yield _of("last checkpoint", asked, CHECKPOINT, good=[m.raw for m in marks])
    yield _of("consistency proof", asked, PROOF)
    two = world.cosignatures(grown, 1, 2)
    cosigned = given(grown, 2, trust={"witnesses": world.POLICY}, cosignatures=(two,))
    yield _of("cosignatures", cosigned, "cosignatures")
    redacted = given(world.small(), disclosure=world.disclosure())
    yield _of("disclosed figure", redacted, "disclosure", cbor=False)


def _package() -> Iterator[Target]:
    files = world.package()
    base = given(world.small(), package=files)
    for path, data in files.items():

        def judged(changed: bytes, path: str = path) -> str:
            return short(judge(replace(base, package={**files, path: changed})))

        yield Target(f"package, {path}", data, judged, base, path, cbor=False)


@cache
def log_files() -> dict[str, bytes]:
    """A log of seven statements and three checkpoints, as its files."""
    with tempfile.TemporaryDirectory() as folder:
        logs.sealed(Path(folder), 2, 3, 7)
        paths = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return {path: data for path, data in found.items() if data}


def audited(path: str, data: bytes) -> str:
    """What the audit finds in that log with another content of one file."""
    files = {**log_files(), path: data}
    found = audit(LogFiles(files.get), trust=logs.trust()).findings
    return f"found: {found[0].check}" if found else OK


def _log() -> Iterator[Target]:
    """What grows behind the newest checkpoint is no damage: the audit ends where that ends."""
    for path, data in log_files().items():
        assert audited(path, data) == OK
        grows = path.startswith("tile/")
        yield Target(f"log, {path}", data, partial(audited, path), cbor=False, grows=grows)
