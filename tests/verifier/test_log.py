"""`tanzheng log`: what it proves from plain files, and every damage that it names."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from anchor import logs
from anchor.packages import OPERATOR
from tanzheng.anchor.log_store import LogStore
from tanzheng.core.checkpoint import ConsistencyProof
from tanzheng.core.equivocation import NoEquivocation
from tanzheng.core.errors import BadInput
from tanzheng.core.heads import HeadsTree
from tanzheng.core.keys import SigningKey
from tanzheng.core.log_audit import CHECKS, audit
from tanzheng.core.merkle import leaf_hash, verify_consistency, verify_inclusion
from tanzheng.core.tiles import LogDamaged
from tanzheng.core.trust import OperatorKey, Untrusted
from tanzheng.core.witness import cosign
from tanzheng.verifier.errors import InUse, NothingSealed, Unreadable
from tanzheng.verifier.inputs import read_cosignatures
from tanzheng.verifier.log_commands import app
from tanzheng.verifier.log_export import ExportUnsound
from tanzheng.verifier.log_source import LogUnreachable, open_log

SIZES = (2, 300, 600)


def run(*arguments: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.stdout


def machine(*arguments: object, exit_code: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(*arguments, "--json", exit_code=exit_code))
    return answer


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return logs.sealed(tmp_path_factory.mktemp("sealed"), *SIZES)


@pytest.fixture
def log(sealed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sealed, tmp_path / "log")


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    path = tmp_path / "TRUST.json"
    path.write_bytes(logs.trust().encode())
    return path


@pytest.fixture
def web(log: Path) -> Iterator[str]:
    """The log's folder, offered by a static web server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing on the console of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(log))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


# ------------------------------------------------------------------ head and proofs


def test_head(sealed: Path, trust_file: Path) -> None:
    shown = machine("head", sealed, "--trust", trust_file)
    assert (shown["checkpoint_seq"], shown["size"]) == (3, 600)
    assert shown["trusted"] == "operator's signature holds; no witnesses named"
    assert "检查点" in run("head", sealed)


def test_head_by_a_key_that_is_not_trusted(sealed: Path, tmp_path: Path) -> None:
    other = SigningKey.from_seed(bytes(32)).public
    path = tmp_path / "TRUST.json"
    path.write_bytes(logs.trust(operator_keys=(OperatorKey(other, 0, None),)).encode())
    with pytest.raises(Untrusted):
        run("head", sealed, "--trust", path)


def test_head_before_the_first_checkpoint(tmp_path: Path) -> None:
    LogStore(tmp_path).open()
    with pytest.raises(NothingSealed):
        run("head", tmp_path)


@pytest.mark.parametrize("index", [0, 255, 256, 599])
def test_inclusion_by_index(sealed: Path, index: int) -> None:
    shown = machine("prove", sealed, "--index", index)
    raw = bytes.fromhex(shown["statement"])
    assert raw == logs.stated(index).raw
    path, root = (
        [bytes.fromhex(node) for node in shown["path"]],
        bytes.fromhex(shown["root_sha256"]),
    )
    verify_inclusion(leaf_hash(raw), index, 600, path, root)
    assert shown["root_sha256"] == machine("head", sealed)["root_sha256"]


def test_inclusion_in_an_earlier_size(sealed: Path) -> None:
    shown = machine("prove", sealed, "--index", 1, "--size", 2)
    assert shown["path"] == [leaf_hash(logs.stated(0).raw).hex()]


def test_consistency_between_two_sizes(sealed: Path, tmp_path: Path) -> None:
    out = tmp_path / "proof.cbor"
    shown = machine("prove", sealed, "--from", 2, "--to", 300, "--out", out)
    files = open_log(str(sealed))
    older, newer = (files.checkpoint(seq).checkpoint for seq in (1, 2))
    proof = ConsistencyProof.decode(out.read_bytes())
    verify_consistency(2, 300, proof.path, older.root_sha256, newer.root_sha256)
    assert [bytes.fromhex(node) for node in shown["path"]] == list(proof.path)


def test_presence_of_a_subject(sealed: Path) -> None:
    shown = machine("prove", sealed, "--subject", logs.subject(300))
    assert (shown["kind"], shown["leaf"]["index"]) == ("presence", 300)
    assert shown["head"]["statement_sha256"] == logs.stated(300).digest.hex()


@pytest.mark.parametrize("text", ["A/CT1/2018-07/month", "E00007/CT2/2018-07/month", "Z/1/2/3"])
def test_absence_of_a_subject(sealed: Path, text: str) -> None:
    shown = machine("prove", sealed, "--subject", text)
    assert (shown["kind"], shown["count"]) == ("absence", 600)
    run("prove", sealed, "--subject", text)


def test_subject_without_the_file_of_heads(log: Path) -> None:
    shutil.rmtree(log / "heads")
    assert machine("prove", log, "--subject", logs.subject(5))["leaf"]["index"] == 5


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--index", 600),
        ("--index", 1, "--size", 601),
        ("--from", 0),
        ("--from", 3, "--to", 2),
        ("--index", 1, "--from", 2),
        ("--index", 1, "--out", "x"),
        ("--subject", "nonsense"),
    ],
)
def test_what_cannot_be_proved_is_bad_input(sealed: Path, arguments: tuple[object, ...]) -> None:
    with pytest.raises(BadInput, match="expected"):
        run("prove", sealed, *arguments)


def test_all_of_it_from_a_static_web_server(web: str, sealed: Path, tmp_path: Path) -> None:
    for arguments in (("head",), ("prove", "--index", 256), ("audit",)):
        name, *options = arguments
        assert machine(name, web, *options) == machine(name, sealed, *options)
    out = tmp_path / "copy"
    run("export", web, "--out", out)
    assert machine("audit", out)["ok"]
    with pytest.raises(LogUnreachable):
        run("head", "http://127.0.0.1:9")


def test_no_log_there(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="expected a folder"):
        run("head", tmp_path)


# ------------------------------------------------------------------ audit and fsck


def test_sound_log(sealed: Path, trust_file: Path) -> None:
    shown = machine("fsck", sealed, "--trust", trust_file)
    assert shown["ok"]
    verdicts = {check["name"]: check["verdict"] for check in shown["checks"]}
    assert {verdicts.pop(name) for name in ("witnesses", "policy")} == {"not asked"}
    assert set(verdicts.values()) == {"ok"}
    assert "Sound: 600 statements, 3 checkpoints" in run("audit", sealed)


def test_statements_that_are_not_sealed_yet(log: Path) -> None:
    store = LogStore(log)
    logs.append(store, store.open(), 3)
    assert machine("fsck", log)["statements"] == 603
    assert machine("audit", log)["statements"] == 600


def add(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((path.read_bytes() if path.exists() else b"") + data)


AUDITED: dict[str, tuple[str, Callable[[Path], None]]] = {
    "statement flipped": ("statements", lambda log: logs.flip(log / "tile/entries/000", 700)),
    "statements swapped": ("statements", lambda log: logs.swap(log / "tile/entries/000")),
    "bundle lost": ("statements", lambda log: (log / "tile/entries/001").unlink()),
    "bundle cut": ("statements", lambda log: logs.cut(log / "tile/entries/002", 5)),
    "leaf hash flipped": ("statements", lambda log: logs.flip(log / "tile/sha256/0/001", 65)),
    "SM3 hash flipped": ("statements", lambda log: logs.flip(log / "tile/sm3/0/001", 65)),
    "tile lost": ("tiles", lambda log: (log / "tile/sm3/0/001").unlink()),
    "tile cut": ("tiles", lambda log: logs.cut(log / "tile/sha256/0/002", 32)),
    "upper hash flipped": ("tiles", lambda log: logs.flip(log / "tile/sha256/1/000", 40)),
    "checkpoint lost": ("checkpoints", lambda log: (log / "checkpoints/000002.cose").unlink()),
    "checkpoint flipped": (
        "checkpoints",
        lambda log: logs.flip(log / "checkpoints/000002.cose", 250),
    ),
    "newest lost": ("checkpoints", lambda log: (log / "checkpoint").unlink()),
    "heads of another log": ("heads", lambda log: logs.flip(log / "heads/000003.cbor", -40)),
}
SEEN: dict[str, tuple[str, Callable[[Path], None]]] = {
    "torn statement": ("files", lambda log: add(log / "tile/entries/002", b"\xd2\x84")),
    "bytes in a full bundle": ("files", lambda log: add(log / "tile/entries/000", b"\x00")),
    "torn hash": ("files", lambda log: add(log / "tile/sha256/0/002", b"\x00")),
    "hash too many": ("files", lambda log: add(log / "tile/sm3/0/002", bytes(32))),
    "bundle too many": ("files", lambda log: add(log / "tile/entries/003", b"\x00")),
    "file of no log": ("files", lambda log: add(log / "notes.txt", b"x")),
    "level too many": ("files", lambda log: add(log / "tile/sha256/2/000", bytes(32))),
    "upper tile lost": ("files", lambda log: (log / "tile/sm3/1/000").unlink()),
}


@pytest.mark.parametrize("flaw", AUDITED)
def test_audit_names_what_is_damaged(log: Path, flaw: str) -> None:
    check, damage = AUDITED[flaw]
    damage(log)
    for command in ("audit", "fsck"):
        shown = machine(command, log, exit_code=3)
        assert check in {finding["check"] for finding in shown["findings"]}, shown["findings"]
    assert "Not sound" in run("audit", log, exit_code=3)


@pytest.mark.parametrize("flaw", SEEN)
def test_fsck_names_what_is_beside_or_behind(log: Path, flaw: str) -> None:
    check, damage = SEEN[flaw]
    damage(log)
    before = {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}
    shown = machine("fsck", log, exit_code=3)
    assert check in {finding["check"] for finding in shown["findings"]}
    assert before == {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}


def test_one_flipped_body_is_one_place(log: Path) -> None:
    logs.flip(log / "tile/entries/001", 30)
    shown = machine("audit", log, exit_code=3)
    named = [each["what"] for each in shown["findings"] if each["check"] == "statements"]
    assert any(what.startswith("leaf 256 in tile/entries/001") for what in named)


def test_a_checkpoint_of_a_size_that_nobody_can_read_ends(log: Path) -> None:
    """A server that claims 2^53 statements does not keep an auditor busy for ever."""
    signed = open_log(str(log)).checkpoint(3)
    huge = logs.next_point(signed, size=(1 << 53) - 1).sign(OPERATOR)
    (log / "checkpoints/000004.cose").write_bytes(huge.raw)
    (log / "checkpoint").write_bytes(huge.raw)
    assert not machine("audit", log, exit_code=3)["ok"]


def test_statements_by_another_key(tmp_path: Path) -> None:
    log = logs.sealed(tmp_path, 3)
    later = logs.trust(operator_keys=(OperatorKey(OPERATOR.public, 1 << 50, None),))
    found = audit(open_log(str(log)), trust=later)
    assert [finding.check for finding in found.findings] == ["signatures", *["signers"] * 3]


def test_fsck_waits_for_no_seal(log: Path) -> None:
    with LogStore(log).lock(), pytest.raises(InUse):
        run("fsck", log)


def test_every_check_is_bilingual() -> None:
    assert all(en and zh for en, zh in CHECKS.values())
    assert len(HeadsTree()) == 0


# ------------------------------------------------------------------ export


def test_export_is_a_log_without_what_came_later(log: Path, tmp_path: Path) -> None:
    store = LogStore(log)
    logs.append(store, store.open(), 3)
    out = tmp_path / "frozen"
    assert machine("export", log, "--out", out)["statements"] == 600
    assert machine("fsck", out)["statements"] == 600
    assert machine("prove", out, "--index", 599) == machine("prove", log, "--index", 599)
    names = {path.name for path in out.iterdir()}
    assert names == {"checkpoint", "checkpoints", "heads", "tile"}


def test_export_again_gives_the_same_bytes(log: Path, tmp_path: Path) -> None:
    run("export", log, "--out", tmp_path / "a")
    run("export", tmp_path / "a", "--out", tmp_path / "b")
    for path in (tmp_path / "a").rglob("*"):
        if path.is_file():
            other = tmp_path / "b" / path.relative_to(tmp_path / "a")
            assert other.read_bytes() == path.read_bytes()


def test_export_into_a_folder_that_is_there(log: Path, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="new folder"):
        run("export", log, "--out", tmp_path)


def test_export_of_a_damaged_log_says_so(log: Path, tmp_path: Path) -> None:
    logs.flip(log / "tile/sha256/1/000", 40)
    with pytest.raises((ExportUnsound, LogDamaged)):
        run("export", log, "--out", tmp_path / "frozen")


# ------------------------------------------------------------------ equivocation


def test_equivocation_from_two_files_to_a_checked_proof(
    log: Path, tmp_path: Path, trust_file: Path
) -> None:
    signed = open_log(str(log)).checkpoint(3)
    lie = replace(signed.checkpoint, heads_root=bytes(32)).sign(OPERATOR)
    other, proof = tmp_path / "other.cose", tmp_path / "proof.cbor"
    other.write_bytes(lie.raw)
    shown = machine("prove-equivocation", log / "checkpoint", other, "--out", proof)
    assert shown["equivocation"] == "two checkpoints of seq 3"
    assert bytes.fromhex(shown["proof"]) == proof.read_bytes()
    checked = machine("check-equivocation", proof, "--trust", trust_file)
    assert {checked[side]["checkpoint_sha256"] for side in ("older", "newer")} == {
        signed.digest.hex(),
        lie.digest.hex(),
    }
    assert "双重签署" in run("check-equivocation", proof, "--trust", trust_file)


def test_honest_checkpoints_are_no_equivocation(log: Path) -> None:
    with pytest.raises(NoEquivocation):
        run("prove-equivocation", log / "checkpoint", log / "checkpoints/000002.cose")


# ------------------------------------------------------------------ what `verify` is handed


def test_cosignatures_alone_and_as_the_log_keeps_them(log: Path, tmp_path: Path) -> None:
    witness = SigningKey.from_seed(b"witness".ljust(32, b"."))
    signed = open_log(str(log)).checkpoint(3)
    raw, path = cosign(signed, 0, witness), tmp_path / "c.cose"
    path.write_bytes(raw)
    LogStore(log).add_cosignature(raw, witness.public)
    assert [each.raw for each in read_cosignatures(path)] == [raw]
    assert [each.raw for each in read_cosignatures(log / "cosignatures/000003.cbor")] == [raw]
    assert machine("head", log)["cosigned_by"] == [witness.public.kid.hex()]
    run("export", log, "--out", tmp_path / "frozen")
    assert machine("head", tmp_path / "frozen") == machine("head", log)
    assert machine("fsck", log)["ok"]
