"""A good month holds in every point; each kind of forgery fails in the points it should."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analytics import plants
from evidence import OPERATOR
from tanzheng.core import batch as batches
from tanzheng.core import cbor
from tanzheng.core import manifest as shape
from tanzheng.core.batch import SignedBatch
from tanzheng.core.checkpoint import ConsistencyProof
from tanzheng.core.errors import BadInput
from tanzheng.core.keys import SigningKey
from tanzheng.core.manifest import Manifest
from tanzheng.core.receipt import decode
from tanzheng.core.witness import Witness, WitnessPolicy, cosign
from tanzheng.verifier.inputs import read_inputs
from verifier.month import answer, chain, edited, package, rebuilt, seal, stated

CHAIN = chain()
FILES = package(CHAIN)
GOOD = seal(FILES)


def raw(chained: list[SignedBatch]) -> bytes:
    return b"".join(signed.raw for signed in chained)


def test_a_good_month_holds() -> None:
    points = GOOD.points()
    assert points.pop("consistent").verdict == "not asked"
    assert {point.verdict.value for point in points.values()} == {"ok"}
    assert len(points) == 12


# ------------------------------------------------------------------ the bag


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_changed_byte_in_any_file_is_named(path: str) -> None:
    data = bytearray(FILES[path])
    data[len(data) // 2] ^= 1
    changed = replace(GOOD, files={**FILES, path: bytes(data)})
    points = changed.points()
    assert points["body"].verdict == "failed"
    assert Path(path).name in points["body"].detail or path == shape.MANIFEST_PATH


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_missing_file_is_named(path: str) -> None:
    fewer = {name: data for name, data in FILES.items() if name != path}
    assert path in replace(GOOD, files=fewer).points()["body"].detail


def test_an_extra_file_is_named() -> None:
    more = replace(GOOD, files={**FILES, "data/note.txt": b""})
    assert "data/note.txt" in more.points()["body"].detail


def test_another_package_in_order_is_not_the_stated_one() -> None:
    other = package(CHAIN, secret=b"\x01" * 32)
    assert replace(GOOD, files=other).failed() == {"body"}


def test_an_empty_package_fails_in_every_point_of_its_own() -> None:
    found = replace(GOOD, files={}).failed()
    assert found == {"body", "plant", "batches", "coverage", "figures"}


# ------------------------------------------------------------------ the batches


def test_a_dropped_batch() -> None:
    """With every list made anew and sealed again: the chain and the slots tell."""
    fewer = CHAIN[:10] + CHAIN[11:]
    files = rebuilt(FILES, batches=raw(fewer))
    assert replace(GOOD, files=files).failed() == {"body", "batches", "coverage", "figures"}
    resealed = seal(files)
    assert {"batches", "coverage"} <= resealed.failed()
    assert "seq 12" in resealed.points()["batches"].detail


@pytest.mark.parametrize("cut", [slice(1, None), slice(0, -1)], ids=["first", "last"])
def test_a_month_cut_at_an_end(cut: slice) -> None:
    """Sealed anew with the ends of the shorter chain: the slots of the month tell."""
    part = CHAIN[cut]
    first, last = part[0].batch, part[-1]

    def shorter(manifest: Manifest) -> Manifest:
        known = replace(
            manifest.gateways[0],
            first_seq=first.seq,
            last_seq=last.batch.seq,
            head=last.digest,
        )
        return replace(manifest, gateways=(known,))

    resealed = seal(edited(rebuilt(FILES, batches=raw(part)), shorter))
    assert "coverage" in resealed.failed()
    assert not {"batches", "body"} & resealed.failed()


def lowered() -> list[SignedBatch]:
    """The fuel counter of the last batches lowered, re-signed by the operator's valid key."""
    forged = CHAIN[:20]
    for signed in CHAIN[20:]:
        original = signed.batch
        at = original.points.index(plants.VOLUME)
        columns = list(original.columns)
        values = columns[at].value[:]
        for i, value in enumerate(values):
            values[i] = value - 1000.0
        columns[at] = replace(columns[at], value=values)
        changed = replace(original, columns=tuple(columns), prev=forged[-1].digest)
        forged.append(batches.sign(changed, OPERATOR))
    return forged


def test_an_operator_who_rebuilds_everything_with_its_own_keys() -> None:
    resealed = seal(package(lowered()))
    assert resealed.failed() == {"batches"}
    assert "epoch 1 seq 21" in resealed.points()["batches"].detail


def test_batches_of_a_gateway_nobody_trusts() -> None:
    assert seal(FILES, gateways=()).failed() == {"batches"}


def test_batches_out_of_order_and_twice() -> None:
    """Of a batch that comes twice the readings count once; chain and lineage name it."""
    swapped = [CHAIN[1], CHAIN[0], *CHAIN[2:]]
    assert "batches" in seal(rebuilt(FILES, batches=raw(swapped))).failed()
    twice = [*CHAIN[:5], CHAIN[4], *CHAIN[5:]]
    doubled = seal(rebuilt(FILES, batches=raw(twice)))
    assert doubled.failed() == {"batches", "figures"}
    assert shape.LINEAGE_PATH in doubled.points()["figures"].detail


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x00", cbor.dumps([1, 2, 3])])
def test_garbage_for_batches(data: bytes) -> None:
    assert {"batches", "coverage", "figures"} <= seal(rebuilt(FILES, batches=data)).failed()


# ------------------------------------------------------------------ the figures


def test_an_edited_figure_sealed_again() -> None:
    def more(manifest: Manifest) -> Manifest:
        wanted = manifest.parameters
        changed = tuple(
            replace(p, value="1.000") if p.name == "generation_mwh" else p for p in wanted
        )
        return replace(manifest, parameters=changed)

    resealed = seal(edited(FILES, more))
    assert resealed.failed() == {"figures"}
    assert "generation_mwh" in resealed.points()["figures"].detail


def test_a_figure_left_out_and_one_with_another_unit() -> None:
    def fewer(manifest: Manifest) -> Manifest:
        salt = manifest.parameters[-1].salt
        return replace(
            manifest, parameters=manifest.parameters[:-1], padding=(salt, *manifest.padding)
        )

    def kilo(manifest: Manifest) -> Manifest:
        first = replace(manifest.parameters[0], unit="kW")
        return replace(manifest, parameters=(first, *manifest.parameters[1:]))

    for edit in (fewer, kilo):
        assert seal(edited(FILES, edit)).failed() == {"figures"}


@pytest.mark.parametrize("name", ["hours", "findings", "lineage"])
def test_hours_findings_and_lineage_are_recomputed_too(name: str) -> None:
    path = f"data/{name}.json"
    content = json.loads(FILES[path])
    content["version"] = 2
    data = json.dumps(content, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    assert seal(rebuilt(FILES, **{name: data})).failed() == {"figures"}
    assert seal(rebuilt(FILES, **{name: b"{}"})).failed() == {"figures"}


# ------------------------------------------------------------------ plant, packs, statement


def test_an_untrusted_plant_file() -> None:
    """Nothing is computed by it: what rests on it fails with it."""
    resting = {"plant", "batches", "coverage", "figures"}
    assert seal(FILES, plants=()).failed() == resting
    with_comment = rebuilt(FILES, plant=FILES[shape.PLANT_PATH] + b"# one byte more\n")
    assert seal(with_comment).failed() == resting


def test_a_lying_statement() -> None:
    truth = stated(FILES)
    lies = {
        "period": replace(truth, end_ms=truth.end_ms + 1),
        "root": replace(truth, parameters_root=bytes(32)),
        "sm3": replace(truth, manifest_sm3=bytes(32)),
        "software": replace(truth, software="another"),
    }
    for name, lie in lies.items():
        assert "body" in seal(FILES, lie).failed(), name


def test_another_standard_or_rules() -> None:
    def foreign(manifest: Manifest) -> Manifest:
        return replace(manifest, standard=replace(manifest.standard, sha256=bytes(32)))

    def unknown(manifest: Manifest) -> Manifest:
        return replace(manifest, rules=replace(manifest.rules, name="homemade"))

    assert seal(edited(FILES, foreign)).failed() == {"packs"}
    assert seal(edited(FILES, unknown)).failed() == {"packs", "figures"}


# ------------------------------------------------------------------ the command


def run(*arguments: str) -> tuple[int, str]:
    """`tanzheng verify` in a process of its own, in which nothing can open a socket."""
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise SystemExit('a socket was opened')\n"
        "socket.socket.__init__ = refuse\n"
        "sys.argv = ['tanzheng', 'verify', *sys.argv[1:]]\n"
        "from tanzheng.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "COLUMNS": "120"},
    )
    return done.returncode, done.stdout + done.stderr


def test_the_command_without_a_network(tmp_path: Path) -> None:
    arguments = GOOD.write(tmp_path)
    code, text = run(*arguments)
    assert code == 0, text
    assert "Verified" in text
    assert "核验通过" in text
    assert text.count("✓") == 12
    code, text = run(*arguments, "--json")
    assert code == 0
    assert answer(text)["figures"] == "ok"


def test_the_command_says_no(tmp_path: Path) -> None:
    arguments = seal(FILES, gateways=()).write(tmp_path)
    code, text = run(*arguments)
    assert code == 3
    assert "✗" in text
    assert "核验未通过" in text


def test_the_command_with_my_last_checkpoint(tmp_path: Path) -> None:
    arguments = GOOD.write(tmp_path)
    last = tmp_path / "last.cbor"
    last.write_bytes(decode(GOOD.receipt).checkpoint.raw)
    earlier = tmp_path / "receipt.cbor"
    for known in (last, earlier):
        code, text = run(*arguments, "--last-checkpoint", str(known), "--json")
        assert (code, answer(text)["consistent"]) == (0, "ok")
    proof = tmp_path / "proof.cbor"
    proof.write_bytes(ConsistencyProof(1, 2, ()).encode())
    more = ["--last-checkpoint", str(last), "--consistency", str(proof), "--json"]
    code, text = run(*arguments, *more)
    assert (code, answer(text)["consistent"]) == (3, "failed")


def linked(folder: Path) -> None:
    (folder / "bag/data/hours.json").unlink()
    (folder / "bag/data/hours.json").symlink_to("/etc/passwd")


def crowded(folder: Path) -> None:
    for i in range(1030):
        (folder / f"bag/data/{i}").touch()


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "receipt missing": lambda folder: (folder / "receipt.cbor").unlink(),
    "receipt truncated": lambda folder: (folder / "receipt.cbor").write_bytes(GOOD.receipt[:100]),
    "receipt giant": lambda folder: (folder / "receipt.cbor").write_bytes(bytes(3 << 20)),
    "trust garbage": lambda folder: (folder / "TRUST.json").write_text("{"),
    "trust of another version": lambda folder: (folder / "TRUST.json").write_text(
        (folder / "TRUST.json").read_text().replace('"version": 1', '"version": 2')
    ),
    "package missing": lambda folder: (folder / "bag").rename(folder / "elsewhere"),
    "link in the package": linked,
    "pipe in the package": lambda folder: os.mkfifo(folder / "bag/data/pipe"),
    "too many files": crowded,
}


@pytest.mark.parametrize("flaw", UNREADABLE)
def test_unreadable_input_is_bad_input(tmp_path: Path, flaw: str) -> None:
    GOOD.write(tmp_path)
    UNREADABLE[flaw](tmp_path)
    receipt, bag, trust = (tmp_path / name for name in ("receipt.cbor", "bag", "TRUST.json"))
    with pytest.raises(BadInput, match="expected"):
        read_inputs(receipt, bag, trust, None, None)


def test_bad_input_ends_with_2(tmp_path: Path) -> None:
    arguments = GOOD.write(tmp_path)
    UNREADABLE["receipt truncated"](tmp_path)
    code, text = run(*arguments)
    assert code == 2
    assert "error" in text


def test_the_command_with_witnesses(tmp_path: Path) -> None:
    """The trust file wants one of them: in the receipt or beside it, else exit code 3."""
    witness = SigningKey.from_seed(b"witness".ljust(32, b"."))
    policy = WitnessPolicy(1, (Witness("w1", witness.public),))
    arguments = seal(FILES, witnesses=policy).write(tmp_path)
    code, text = run(*arguments, "--json")
    assert (code, answer(text)["witnessed"]) == (3, "failed")
    signed = decode((tmp_path / "receipt.cbor").read_bytes()).checkpoint
    (tmp_path / "c.cose").write_bytes(cosign(signed, 0, witness))
    code, text = run(*arguments, "--cosignatures", str(tmp_path / "c.cose"))
    assert code == 0, text
    assert "1 of 1 witnesses (w1)" in text
    assert "见证人会签足数" in text
