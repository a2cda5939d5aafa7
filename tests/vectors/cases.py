"""The cases of the published vectors: what is handed in, and why."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import cbor2

from evidence import OPERATOR, TIME_S, Operator, statement
from tanzheng.core import inclusion, receipt
from tanzheng.core.hashing import sha256
from tanzheng.core.statement import BlockReference
from tanzheng.core.trust import TrustedBlock
from vectors import cases_keys, world
from vectors.case import Case, given
from vectors.judge import Given

Content = dict[str, Any]


# ------------------------------------------------------------------ good, and answered with a no


def receipts() -> Iterator[Case]:
    small, grown, corrected = world.small(), world.grown(), world.corrected()
    yield Case("log of one leaf", given(small))
    for index in range(7):
        yield Case(f"leaf {index} of 7", given(grown, index))
    yield Case("superseded statement", given(corrected, 0))
    yield Case("correction that supersedes", given(corrected, 2))
    yield Case("with its package and a disclosed figure", given(
        small, package=world.package(), disclosure=world.disclosure()
    ))  # fmt: skip
    unseen = Operator()
    unseen.seal(statement(not_before=BlockReference(1, b"\x02" * 32)))
    yield Case("not-before block that was not observed", given(unseen))
    yield from _attested()
    yield from cases_keys.receipts()


def _attested() -> Iterator[Case]:
    """What stands beside the core has verdicts of its own, and an exit code where it is broken."""
    small = world.small()
    core = receipt.decode(small.receipt()).core
    carried = {"rfc3161": b"token", "second_chain": b"proof"}
    yield Case(
        "attestations that the trust file says nothing of", given(small, attestations=carried)
    )
    proof = world.ots(sha256(core))
    broken = {
        "OpenTimestamps proof of this core": proof,
        "OpenTimestamps proof of another core": world.ots(bytes(32)),
        "OpenTimestamps proof with a byte more": proof + b"\x00",
        "OpenTimestamps proof cut": proof[:-1],
        "OpenTimestamps proof of nothing": b"",
    }
    for name, data in broken.items():
        yield Case(name, given(small, attestations={"opentimestamps": data}))
    superseded = given(world.corrected(), 0, attestations={"opentimestamps": b""})
    yield Case("superseded, and an attestation broken", superseded)


def consistencies() -> Iterator[Case]:
    grown, forked = world.grown(), world.forked()
    marks = grown.checkpoints
    proofs = {n: world.consistency(grown, n, 7) for n in (2, 3)}
    good = given(grown, 0)
    yield Case("older checkpoint, proof 2 to 7", replace(
        good, last_checkpoint=marks[0].raw, consistency=proofs[2]
    ))  # fmt: skip
    yield Case("older checkpoint, proof 3 to 7", replace(
        good, last_checkpoint=marks[1].raw, consistency=proofs[3]
    ))  # fmt: skip
    yield Case("the same checkpoint needs no proof", replace(good, last_checkpoint=marks[2].raw))
    yield Case("checkpoint inside another receipt", replace(
        good, last_checkpoint=grown.receipt(4)
    ))  # fmt: skip
    yield Case("proof of other sizes", replace(
        good, last_checkpoint=marks[0].raw, consistency=proofs[3]
    ))  # fmt: skip
    yield Case("no proof where one is needed", replace(good, last_checkpoint=marks[0].raw))
    yield Case("proof with a digest changed", replace(
        good, last_checkpoint=marks[0].raw, consistency=flipped(proofs[2], -1)
    ))  # fmt: skip
    yield Case("a log that forgot my checkpoint", replace(
        given(forked, 0), last_checkpoint=marks[0].raw, consistency=world.consistency(forked, 2, 7)
    ))  # fmt: skip
    yield Case("two checkpoints of one seq", replace(
        given(forked, 0), last_checkpoint=marks[2].raw
    ))  # fmt: skip
    yield Case("checkpoint with a bit flipped", replace(
        good, last_checkpoint=flipped(marks[0].raw, -1), consistency=proofs[2]
    ))  # fmt: skip
    yield Case("no checkpoint at all", replace(good, last_checkpoint=b"\xd2\x80"))
    yield Case("no proof at all", replace(good, last_checkpoint=marks[0].raw, consistency=b"\x80"))
    yield from _newer()


def _newer() -> Iterator[Case]:
    """A receipt of the log at three leaves, and the checkpoint of seven seen since."""
    old = Operator()
    old.seal(world.stated(), statement(world.SUBJECTS[1]))
    old.seal(statement(world.SUBJECTS[2]))
    grown = world.grown()
    newer = {
        "last_checkpoint": grown.checkpoints[2].raw,
        "consistency": world.consistency(grown, 3, 7),
    }
    yield Case("newer checkpoint, proof 3 to 7", given(old, 0, **newer))


def witnessed() -> Iterator[Case]:
    grown = world.grown()
    wanted = {"witnesses": world.POLICY}

    def case(name: str, carried: bytes | None, *beside: bytes) -> Case:
        attestations = None if carried is None else {"cosignatures": carried}
        found = given(grown, 1, trust=wanted, attestations=attestations, cosignatures=beside)
        return Case(name, found)

    two = world.cosignatures(grown, 1, 3)
    yield case("two of three in the envelope", two)
    yield case("three of three beside the receipt", None, world.cosignatures(grown, 1, 2, 3))
    one = world.cosignatures(grown, 2)
    yield case("one in the envelope, one beside", one, cbor2.loads(world.cosignatures(grown, 1))[0])
    yield case("one of three is not enough", one)
    yield case("the same one twice is not enough", one, one)
    yield case("none", None)
    yield case("cosignatures of an earlier checkpoint", world.cosignatures(grown, 1, 2, seq=0))
    yield case("a cosignature with a bit flipped", flipped(two, -1))
    yield case("cosignatures out of order", cbor2.dumps(cbor2.loads(two)[::-1]))
    yield case("no list of cosignatures", b"\x01")
    yield Case("nobody asks for witnesses", given(grown, 1, attestations={"cosignatures": two}))


def redacted() -> Iterator[Case]:
    operator, text = world.small(), world.disclosure()
    good = given(operator)
    told = json.loads(text)

    def edited(name: str, **changes: Any) -> Case:
        figure = {**told["figures"][0], **changes.pop("figure", {})}
        return Case(
            name, replace(good, disclosure=canonical({**told, "figures": [figure], **changes}))
        )

    yield Case("a disclosed figure", replace(good, disclosure=text))
    yield edited("another value", figure={"value": "65469.73"})
    yield edited("another unit", figure={"unit": "kg"})
    yield edited("another name", figure={"name": "generation_mwh"})
    yield edited("another index", figure={"index": 1})
    yield edited("another salt", figure={"salt": "00" * 16})
    yield edited("path cut", figure={"path": told["figures"][0]["path"][:-1]})
    yield edited("another number of leaves", leaves=128)
    yield edited("leaves that no tree has", leaves=60)
    yield edited("another root", parameters_root="00" * 32)
    yield edited("another subject", subject="E1/CT2/2018-07/month")
    yield edited("value with an exponent", figure={"value": "6E4"})
    yield edited("unknown key", note="x")
    yield edited("no figure", figures=[])
    yield Case("not canonical", replace(good, disclosure=json.dumps(told).encode()))
    yield Case("of another month", replace(given(world.grown(), 1), disclosure=text))


def packages() -> Iterator[Case]:
    files = world.package()
    good = given(world.small(), package=files)
    for path, data in files.items():
        at = len(data) // 2
        changed = {**files, path: flipped(data, at)}
        yield Case(f"a bit of {path} flipped", replace(good, package=changed))
        fewer = {name: kept for name, kept in files.items() if name != path}
        yield Case(f"{path} missing", replace(good, package=fewer))
    yield Case("a file more", replace(good, package={**files, "data/note.txt": b""}))
    yield Case("a file more beside data", replace(good, package={**files, "fetch.txt": b""}))
    yield Case("no file", replace(good, package={}))
    yield Case("package of another statement", replace(given(world.grown(), 1), package=files))


# ------------------------------------------------------------------ damaged


def flipped(data: bytes, at: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def encoded(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def damaged() -> Iterator[Case]:
    good = given(world.grown(), 2)
    for name, data in {**_form(good.receipt), **_meaning(good.receipt)}.items():
        yield Case(name, replace(good, receipt=data))
    yield from _other_worlds()


def parts_of(data: bytes) -> tuple[Content, Content]:
    envelope = cbor2.loads(data)
    return envelope, cbor2.loads(envelope["core"])


def _form(data: bytes) -> Mapping[str, bytes]:
    envelope, core = parts_of(data)

    def changed(**changes: Any) -> bytes:
        return encoded({**envelope, **changes})

    def within(**changes: Any) -> bytes:
        return changed(core=encoded({**core, **changes}))

    before, _, after = data.rpartition(b"gversion\x01")
    tag = cbor2.loads(core["transparent"])
    protected, unprotected, payload, signature = tag.value
    proof = dict(unprotected)[394][0]

    def transparent(*parts: Any, tag: int = 18) -> bytes:
        return within(transparent=encoded(cbor2.CBORTag(tag, list(parts))))

    return {
        "empty": b"",
        "truncated": data[:-1],
        "trailing byte": data + b"\x00",
        "another version": changed(version=2),
        "version true": changed(version=True),
        "version 1.0": changed(version=1.0),
        "core of another version": within(version=2),
        "unknown envelope key": changed(note=b""),
        "unknown core key": within(note=b""),
        "core key missing": changed(core=encoded({k: v for k, v in core.items() if k != "evm"})),
        "unknown attestation": changed(attestations={"promise": b""}),
        "attestation of text": changed(attestations={"rfc3161": "x"}),
        "giant attestation": changed(attestations={"rfc3161": bytes(65537)}),
        "number longer than needed": before + b"gversion\x18\x01" + after,
        "key twice": b"\xa4" + data[1:] + b"gversion\x01",
        "keys out of order": b"\xa3" + b"gversion\x01" + data[1:].replace(b"gversion\x01", b"", 1),
        "indefinite map": b"\xbf" + data[1:] + b"\xff",
        "core is a list": changed(core=b"\x80"),
        "heads too short": within(heads=core["heads"][:4]),
        "a head's seq as text": within(heads=["1", *core["heads"][1:]]),
        "number beyond 2^53": within(heads=[2**53, *core["heads"][1:]]),
        "bare statement": transparent(protected, {}, payload, signature),
        "another tag": transparent(protected, dict(unprotected), payload, signature, tag=17),
        "two receipts": transparent(protected, {394: [proof, proof]}, payload, signature),
        "label 394 as a float": transparent(protected, {394.0: [proof]}, payload, signature),
        "label more": transparent(protected, {**unprotected, 1000: 1}, payload, signature),
        "short signature": transparent(protected, dict(unprotected), payload, signature[:-1]),
        "checkpoint of text": within(checkpoint="x"),
        "header too long": within(evm={**core["evm"], "header": bytes(4097)}),
    }


def _meaning(data: bytes) -> Mapping[str, bytes]:
    envelope, core = parts_of(data)
    grown, seq, evm = world.grown(), len(world.grown().checkpoints), core["evm"]
    head = core["heads"]

    def within(**changes: Any) -> bytes:
        return encoded({**envelope, "core": encoded({**core, **changes})})

    def evidence(**changes: Any) -> bytes:
        return within(evm={**evm, **changes})

    raw, last = grown.leaves[2].raw, grown.checkpoints[-1].checkpoint

    def proved(size: int, index: int, path: list[bytes]) -> bytes:
        cose = inclusion.sign(last.root_sha256, size, index, path, OPERATOR)
        return within(transparent=inclusion.attach(raw, cose))

    path = grown.tree.inclusion(2, 7)
    found = {
        "inclusion at another size": proved(8, 2, path),
        "inclusion at another index": proved(7, 3, path),
        "inclusion path too short": proved(7, 2, path[:-1]),
        "inclusion path too long": proved(7, 2, [*path, path[-1]]),
        "inclusion path out of order": proved(7, 2, path[::-1]),
        "index beyond the size": proved(7, 7, path),
        "heads count changed": within(heads=[*head[:3], head[3] + 1, head[4]]),
        "heads index changed": within(heads=[*head[:2], head[2] + 1, *head[3:]]),
        "heads digest changed": within(heads=[head[0], bytes(32), *head[2:]]),
        "heads path out of order": within(heads=[*head[:4], head[4][::-1]]),
        "checkpoint of an earlier seq": within(checkpoint=grown.checkpoints[0].raw),
        "slot proof of nothing": evidence(slot=[]),
        "account proof of nothing": evidence(account=[]),
        "slot proof with a node more": evidence(slot=[*evm["slot"], evm["slot"][-1]]),
        "account proof with a node less": evidence(account=evm["account"][:-1]),
        "proofs swapped": evidence(account=evm["slot"], slot=evm["account"]),
        "header with a bit flipped": evidence(header=flipped(evm["header"], 100)),
        "header is no list": evidence(header=b"\x80"),
    }
    assert seq == 3
    for part in ("transparent", "checkpoint"):
        found[f"last byte of {part} flipped"] = within(**{part: flipped(core[part], -1)})
    return found


def _other_worlds() -> Iterator[Case]:
    """Receipts in good order of a world that the trust file does not know."""
    forger = Operator(key=world.STRANGER)
    forger.seal(statement())
    yield Case("signed by a stranger", given(forger))
    operator = world.small()
    for name, value in {"chain_id": 1, "contract": bytes(20), "log_id": bytes(32)}.items():
        yield Case(f"another {name} on trust", given(operator, trust={name: value}))
        lying = Operator()
        lying.seal(statement(), **{name: value})
        yield Case(f"another {name} in the checkpoint", given(lying))
    data = operator.receipt()
    first, block = operator.blocks
    blocks = {
        "block not observed": (first,),
        "block with another time on trust": (first, replace(block, time_s=TIME_S)),
        "block with another number on trust": (first, replace(block, number=7)),
        "not-before block with another number": (TrustedBlock(9, first.hash, first.time_s), block),
        "not-before block after the anchor": (TrustedBlock(999, first.hash, TIME_S), block),
    }
    for name, observed in blocks.items():
        yield Case(name, Given(data, operator.trust(blocks=observed).encode()))
    ahead = Operator()
    ahead.seal(statement(), t_ms=(TIME_S + 3600) * 1000)
    yield Case("operator's clock an hour ahead", given(ahead))
    skewed = Operator()
    skewed.seal(statement(), t_ms=(TIME_S + 25) * 1000)
    yield Case("operator's clock ahead within the bound", given(skewed))
    lying = Operator()
    lying.seal(world.stated(), statement(world.SUBJECTS[1]))
    lying.seal(statement(world.SUBJECTS[2]), size=2)
    yield Case("checkpoint that lies about its size", given(lying, 0))
    far = Operator()
    far.seal(statement(software="软件 1 — é"))
    yield Case("text beyond ASCII", given(far))
