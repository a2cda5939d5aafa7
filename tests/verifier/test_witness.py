"""Witnesses: what they cosign, what they refuse and keep, and how many a verifier wants."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from anchor import logs
from anchor.packages import OPERATOR
from core.statements.samples import REVIEW
from tanzheng.anchor.log_store import LogStore
from tanzheng.core.equivocation import Equivocation
from tanzheng.core.errors import BadInput, SignatureInvalid
from tanzheng.core.keys import SigningKey
from tanzheng.core.log_audit import audit
from tanzheng.core.trust import OperatorKey, Untrusted
from tanzheng.core.witness import (
    Witness,
    WitnessesMissing,
    WitnessPolicy,
    check_witnessed,
    decode_all,
    open_cosignature,
)
from tanzheng.verifier import witness
from tanzheng.verifier.errors import InUse, Unreadable
from tanzheng.verifier.files import locked, replace
from tanzheng.verifier.log_commands import app as log_app
from tanzheng.verifier.log_source import open_log
from tanzheng.verifier.witness import WitnessRefuses
from tanzheng.verifier.witness_commands import app

if TYPE_CHECKING:
    from tanzheng.core.log_files import LogFiles

KEYS = [SigningKey.from_seed(f"witness {n}".encode().ljust(32, b".")) for n in range(3)]
POLICY = WitnessPolicy(2, tuple(Witness(f"w{n}", key.public) for n, key in enumerate(KEYS)))
NOW_MS = 1_790_000_100_000


class Person:
    """A witness with its folder, key and trust file."""

    def __init__(self, folder: Path, key: SigningKey = KEYS[0]) -> None:
        folder.mkdir()
        self.folder, self.key, self.trust = folder, key, logs.trust()
        self.own = witness.start(folder, self.trust)

    def attend(self, log: Path | str, t_ms: int = NOW_MS) -> bytes:
        files = open_log(str(log))
        return witness.attend(self.folder, files, self.trust, self.key, t_ms)[1]

    def evidence(self) -> list[str]:
        return sorted(path.name.split("-")[0] for path in (self.own / "evidence").glob("*"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return logs.sealed(tmp_path / "log", 2)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "witness")


def test_who_may_say_what_is_not_the_witness_s_question(log: Path, person: Person) -> None:
    """A review by a city that its trust file does not name: the log only grew all the same."""
    store = LogStore(log)
    with store.lock():
        contents = store.open()
        store.append(contents, [REVIEW.sign(KEYS[1])])
        logs.checkpoint(store, contents)
    assert {each.check for each in audit(open_log(str(log)), trust=person.trust).findings} == {
        "signers"
    }
    assert open_cosignature(person.attend(log)).seq == 2


def fork(log: Path, size: int, *sizes: int) -> Path:
    """A copy that went on to `size` with other statements, and then to `sizes`."""
    copy = shutil.copytree(log, log.parent / "fork")
    store = LogStore(copy)
    contents = store.open()
    store.append(contents, [logs.stated(9_000 + n) for n in range(size - contents.size)])
    logs.checkpoint(store, contents)
    if sizes:
        logs.sealed(copy, *sizes)
    return copy


# ------------------------------------------------------------------ what it cosigns


def test_cosigns_a_log_that_grows(person: Person, log: Path) -> None:
    for size in (2, 5, 300):
        if size > 2:
            logs.sealed(log, size)
        signed = open_log(str(log)).newest()
        assert signed is not None
        open_cosignature(person.attend(log)).verify(signed, KEYS[0].public)


def test_checkpoints_that_it_missed_are_checked_too(person: Person, log: Path) -> None:
    person.attend(log)
    logs.sealed(log, 3, 4, 260)
    person.attend(log)
    (log / "checkpoints/000003.cose").unlink()
    with pytest.raises(WitnessRefuses):
        Person(log.parent / "new").attend(log)


def test_the_same_checkpoint_gets_the_same_bytes(person: Person, log: Path) -> None:
    assert person.attend(log) == person.attend(log, NOW_MS + 1000)


def test_killed_after_its_state_was_written(
    person: Person, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is durable first: what was signed is what the next run hands out."""
    written: list[bytes] = []

    def killed(path: Path, data: bytes, what: str) -> None:
        replace(path, data, what)
        written.append(data)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("tanzheng.verifier.witness.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            person.attend(log)
    assert person.attend(log, NOW_MS + 1000).hex() == json.loads(written[0])["cosignature"]


def test_first_time_the_whole_log_is_audited(person: Person, log: Path) -> None:
    bundle = log / "tile/entries/000"
    data = bytearray(bundle.read_bytes())
    data[100] ^= 1
    bundle.write_bytes(bytes(data))
    with pytest.raises(WitnessRefuses, match="expected a sound one"):
        person.attend(log)


# ------------------------------------------------------------------ what it refuses


def test_refuses_a_fork_of_one_seq_and_keeps_the_proof(person: Person, log: Path) -> None:
    copy = fork(log, 3)
    logs.sealed(log, 4)
    person.attend(log)
    with pytest.raises(WitnessRefuses, match="expected more"):
        person.attend(copy)
    assert person.evidence() == ["equivocation", "refused", "refused"]
    [proof] = (person.own / "evidence").glob("equivocation-*.cbor")
    Equivocation.decode(proof.read_bytes()).verify(person.trust)


def test_refuses_a_fork_that_went_on(person: Person, log: Path) -> None:
    copy = fork(log, 3, 7, 9)
    logs.sealed(log, 4)
    person.attend(log)
    with pytest.raises(WitnessRefuses, match="expected it to follow"):
        person.attend(copy)
    [proof] = (person.own / "evidence").glob("equivocation-*.cbor")
    found = Equivocation.decode(proof.read_bytes())
    assert found.what == "checkpoint 3 follows another checkpoint 2"


def test_refuses_a_smaller_log(person: Person, log: Path) -> None:
    old = shutil.copytree(log, log.parent / "old")
    logs.sealed(log, 4)
    last = person.attend(log)
    with pytest.raises(WitnessRefuses, match="expected more than checkpoint 2"):
        person.attend(old)
    assert person.evidence() == ["refused", "refused"]
    assert person.attend(log) == last


def test_refuses_a_rewritten_history_under_a_right_chain(person: Person, log: Path) -> None:
    """The next checkpoint names the right predecessor, but its tree is not an extension."""
    person.attend(log)
    forged = logs.sealed(log.parent / "forged", 4)
    last = open_log(str(log)).checkpoint(1)
    over = open_log(str(forged)).checkpoint(1).checkpoint
    other = logs.sealed(log.parent / "other", 3)
    root = open_log(str(other)).checkpoint(1).checkpoint
    for point in (over, root):
        signed = logs.next_point(
            last, size=4, root_sha256=root.root_sha256, root_sm3=point.root_sm3
        ).sign(OPERATOR)
        shutil.copy(log / "checkpoints/000001.cose", forged / "checkpoints/000001.cose")
        (forged / "checkpoints/000002.cose").write_bytes(signed.raw)
        (forged / "checkpoint").write_bytes(signed.raw)
        with pytest.raises(WitnessRefuses, match="consistency"):
            person.attend(forged)


def test_a_tree_that_grew_in_sha256_only(person: Person, log: Path) -> None:
    person.attend(log)
    last = open_log(str(log)).checkpoint(1)
    logs.sealed(log, 4)
    honest = open_log(str(log)).checkpoint(2).checkpoint
    lie = logs.next_point(
        last, size=4, root_sha256=honest.root_sha256, root_sm3=bytes(32), t_ms=honest.t_ms
    ).sign(OPERATOR)
    (log / "checkpoints/000002.cose").write_bytes(lie.raw)
    (log / "checkpoint").write_bytes(lie.raw)
    with pytest.raises(WitnessRefuses, match="consistency"):
        person.attend(log)


def test_refuses_another_operator(person: Person, log: Path) -> None:
    other = SigningKey.from_seed(bytes(32)).public
    person.trust = logs.trust(operator_keys=(OperatorKey(other, 0, None),))
    with pytest.raises(Untrusted):
        person.attend(log)
    assert person.evidence() == []


def test_a_lost_state_is_not_made_anew_in_silence(person: Person, log: Path) -> None:
    person.attend(log)
    with pytest.raises(Unreadable, match="not watched yet"):
        witness.start(person.folder, person.trust)
    (person.own / "state.json").unlink()
    with pytest.raises(Unreadable, match="witness start"):
        person.attend(log)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "last": "zz", "cosignature": "00"}'])
def test_a_damaged_state_is_named(person: Person, log: Path, text: str) -> None:
    (person.own / "state.json").write_text(text)
    with pytest.raises(BadInput, match=r"state\.json"):
        person.attend(log)


def test_two_at_once(person: Person, log: Path) -> None:
    with locked(person.own / witness.LOCK), pytest.raises(InUse):
        person.attend(log)


# ------------------------------------------------------------------ k of n


def cosigned(log: Path, *numbers: int) -> LogFiles:
    """The log after these witnesses handed their cosignatures to its operator."""
    store = LogStore(log)
    for number in numbers:
        person = Person(log.parent / f"w{number}", KEYS[number])
        store.add_cosignature(person.attend(log), KEYS[number].public)
    return open_log(str(log))


def test_enough_witnesses(log: Path) -> None:
    files = cosigned(log, 2, 0)
    said = check_witnessed(files.checkpoint(1), files.cosignatures(1), POLICY)
    assert said == "checkpoint 1: 2 of 3 witnesses (w0, w2), 2 needed"


def test_fewer_witnesses_are_refused(log: Path, tmp_path: Path) -> None:
    files = cosigned(log, 1)
    with pytest.raises(WitnessesMissing, match="expected 2 witnesses, got 1 of 3"):
        check_witnessed(files.checkpoint(1), files.cosignatures(1), POLICY)
    trust = tmp_path / "TRUST.json"
    trust.write_bytes(logs.trust(witnesses=POLICY).encode())
    for command in ("audit", "fsck"):
        answer = run(log_app, command, log, "--trust", trust, "--json", exit_code=3)
        assert [each["check"] for each in json.loads(answer)["findings"]] == ["witnesses"]
    with pytest.raises(WitnessesMissing):
        run(log_app, "head", log, "--trust", trust)


def test_one_witness_twice_is_one(log: Path) -> None:
    files = cosigned(log, 1)
    again = LogStore(log)
    again.add_cosignature(files.cosignatures(1)[0].raw, KEYS[1].public)
    assert len(files.cosignatures(1)) == 1
    twice = files.cosignatures(1) * 2
    with pytest.raises(WitnessesMissing):
        check_witnessed(files.checkpoint(1), twice, POLICY)


def test_a_stranger_does_not_count(log: Path) -> None:
    stranger = SigningKey.from_seed(b"stranger".ljust(32, b"."))
    person = Person(log.parent / "stranger", stranger)
    files = cosigned(log, 1)
    both = (*files.cosignatures(1), open_cosignature(person.attend(log)))
    with pytest.raises(WitnessesMissing):
        check_witnessed(files.checkpoint(1), both, POLICY)


def test_a_cosignature_of_another_checkpoint(log: Path) -> None:
    files = cosigned(log, 0, 1)
    first = files.cosignatures(1)
    logs.sealed(log, 5)
    with pytest.raises(SignatureInvalid, match="expected checkpoint 2"):
        check_witnessed(files.checkpoint(2), first, POLICY)


def test_a_flipped_cosignature_is_refused(log: Path) -> None:
    files = cosigned(log, 0, 1)
    data = (log / "cosignatures/000001.cbor").read_bytes()
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises((BadInput, SignatureInvalid, WitnessesMissing)):
            check_witnessed(files.checkpoint(1), decode_all(flipped), POLICY)


def test_the_operator_keeps_no_cosignature_of_another_key(log: Path, person: Person) -> None:
    with pytest.raises(SignatureInvalid):
        LogStore(log).add_cosignature(person.attend(log), KEYS[1].public)
    assert not (log / "cosignatures").exists()


# ------------------------------------------------------------------ the commands


def run(application: Any, *arguments: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(application, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.stdout


def test_from_start_to_status(log: Path, tmp_path: Path) -> None:
    trust, key, out = (tmp_path / name for name in ("TRUST.json", "w.pem", "c.cose"))
    trust.write_bytes(logs.trust().encode())
    key.write_bytes(KEYS[0].to_pem())
    mine = ("--dir", tmp_path / "mine")
    run(app, "start", *mine, "--trust", trust)
    shown = run(app, "cosign", log, *mine, "--trust", trust, "--key", key, "--out", out, "--json")
    assert json.loads(shown)["witness"] == open_cosignature(out.read_bytes()).kid.hex()
    [known] = json.loads(run(app, "status", *mine, "--json"))["logs"]
    assert (known["last_seq"], known["last_size"], known["evidence"]) == (1, 2, None)
    assert "最近会签" in run(app, "status", *mine)
