"""A witness: signs a log's newest checkpoint only where it extends the last one that it signed.

    DIR/LOG_ID/state.json       the last cosigned checkpoint, and the cosignature over it
    DIR/LOG_ID/evidence/        signed checkpoints that it refused, and proofs of equivocation

The state is durable before a cosignature leaves, so that a witness that was killed signs the same
again and nothing else. A lost state is not made anew in silence: `start` says so on purpose.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tanzheng.core import checkpoint, closed, strict_json
from tanzheng.core.checkpoint import SignedCheckpoint, check_extends
from tanzheng.core.equivocation import Equivocation, NoEquivocation
from tanzheng.core.errors import CheckFailed, EncodingError
from tanzheng.core.hashing import sm3
from tanzheng.core.keys import SigningKey
from tanzheng.core.log_audit import audit
from tanzheng.core.log_files import LogFiles
from tanzheng.core.merkle import verify_consistency
from tanzheng.core.trust import Trust
from tanzheng.core.witness import cosign, open_cosignature
from tanzheng.verifier.errors import Unreadable
from tanzheng.verifier.files import locked, read_file, replace
from tanzheng.verifier.log_proofs import newest

STATE, LOCK = "state.json", "lock"
VERSION = 1
STATE_BYTES_MAX = 64 << 10
CHECKPOINTS_BETWEEN_MAX = 100_000
NOT_ITS_OWN = {"witnesses", "signers", "policy"}
"""It is one of the witnesses; and it cosigns that a log only grew, not who may say what in it."""


class WitnessRefuses(CheckFailed):
    """A log that does not extend what this witness cosigned; the evidence is kept."""

    def diagnostics(self) -> str:
        """What to do."""
        return (
            "Nothing was cosigned. Hand the kept checkpoints to whoever relies on this log; where "
            "two contradict each other, equivocation-….cbor proves it to anyone "
            "(`tanzheng log check-equivocation`).\n未会签；请将留存的检查点交给依赖该日志的各方。"
        )


@dataclass(frozen=True, slots=True)
class State:
    """What a witness remembers of one log; both are None before its first cosignature."""

    last: SignedCheckpoint | None
    cosignature: bytes | None

    def encode(self) -> bytes:
        """The JSON text."""
        values = {
            "version": VERSION,
            "last": self.last and self.last.raw.hex(),
            "cosignature": self.cosignature and self.cosignature.hex(),
        }
        return (json.dumps(values, indent=1) + "\n").encode()

    @classmethod
    def decode(cls, data: bytes, where: str) -> "State":
        """Read the JSON text; `EncodingError` naming `where`."""
        value = strict_json.loads(data, where, STATE_BYTES_MAX)
        source = closed.record(value, ("version", "last", "cosignature"), where)
        closed.version(source, VERSION, where)
        if source["last"] is None:
            return cls(None, None)
        try:
            raw, cosignature = (
                bytes.fromhex(closed.text(source, key, where)) for key in ("last", "cosignature")
            )
        except ValueError as error:
            raise EncodingError(f"{where}: expected hexadecimal digits, got {error}") from None
        return cls(checkpoint.open_signed(raw), open_cosignature(cosignature).raw)


def start(folder: Path, trust: Trust) -> Path:
    """Begin to watch the log of the trust file, as one that was never cosigned.

    `Unreadable` where this witness watches it already.
    """
    own = folder / trust.log_id.hex()
    if (own / STATE).exists():
        raise Unreadable(f"{own / STATE}: expected a log not watched yet, got its state")
    own.mkdir(parents=True, exist_ok=True)
    (own / LOCK).touch()
    replace(own / STATE, State(None, None).encode(), "state")
    return own


def attend(
    folder: Path, files: LogFiles, trust: Trust, key: SigningKey, t_ms: int
) -> tuple[SignedCheckpoint, bytes]:
    """Cosign the log's newest checkpoint; the same one again gives the same bytes.

    The first time the whole log is audited. `WitnessRefuses` for a fork, a smaller log, a log whose
    proof does not hold; what the operator signed is then kept as evidence.
    """
    own = folder / trust.log_id.hex()
    read_state(own)  # says so where this log is not watched
    with locked(own / LOCK):
        state = read_state(own)
        signed = newest(files)
        trust.check_log(signed)
        if state.last is not None and state.cosignature is not None:
            if signed.digest == state.last.digest:
                return signed, state.cosignature
            _keep_if_refused(own, files, state.last, signed, trust)
        else:
            _audit(files, trust)
        cosignature = cosign(signed, t_ms, key)
        replace(own / STATE, State(signed, cosignature).encode(), "state")
    return signed, cosignature


def read_state(own: Path) -> State:
    """The state of one log; `Unreadable` where this witness does not watch it."""
    path = own / STATE
    if not path.is_file():
        raise Unreadable(
            f"{path}: expected a log that this witness watches (`tanzheng witness start`)"
        )
    return State.decode(read_file(path, STATE_BYTES_MAX, "state"), str(path))


def _audit(files: LogFiles, trust: Trust) -> None:
    found = audit(files, trust=trust).findings
    wrong = [finding for finding in found if finding.check not in NOT_ITS_OWN]
    if wrong:
        raise WitnessRefuses(f"log: expected a sound one, got {len(wrong)}: {wrong[0].what}")


def _keep_if_refused(
    own: Path, files: LogFiles, last: SignedCheckpoint, signed: SignedCheckpoint, trust: Trust
) -> None:
    """Return where `signed` extends `last`; else keep the evidence and refuse."""
    before, after = last, signed
    try:
        _check_size(last, signed)
        for seq in range(last.checkpoint.seq + 1, signed.checkpoint.seq):
            after = files.checkpoint(seq)
            trust.check_log(after)
            _check_follows(before, after)
            before = after
        after = signed
        _check_follows(before, after)
        _check_consistent(files, last, signed)
    except CheckFailed as error:
        kept = [_keep(own, "refused", each.digest, each.raw) for each in (last, after, signed)]
        with suppress(NoEquivocation):
            proof = Equivocation.of(before, after).encode()
            kept.append(_keep(own, "equivocation", after.digest, proof, ".cbor"))
        shown = ", ".join(path.name for path in dict.fromkeys(kept))
        raise WitnessRefuses(f"{error}; evidence in {own / 'evidence'}: {shown}") from error


def _check_follows(before: SignedCheckpoint, after: SignedCheckpoint) -> None:
    if after.checkpoint.previous != before.digest:
        seq = after.checkpoint.seq
        raise WitnessRefuses(f"checkpoint {seq}: expected it to follow the {seq - 1} seen before")


def _check_size(last: SignedCheckpoint, signed: SignedCheckpoint) -> None:
    old, new = last.checkpoint, signed.checkpoint
    if new.seq <= old.seq or new.size <= old.size:
        raise WitnessRefuses(
            f"expected more than checkpoint {old.seq} of {old.size} statements, "
            f"got checkpoint {new.seq} of {new.size}"
        )
    if new.seq - old.seq > CHECKPOINTS_BETWEEN_MAX:
        raise WitnessRefuses(f"expected at most {CHECKPOINTS_BETWEEN_MAX} checkpoints in between")


def _check_consistent(files: LogFiles, last: SignedCheckpoint, signed: SignedCheckpoint) -> None:
    """Both trees grew: SHA-256 and SM3, each by a proof of its own."""
    old, new = last.checkpoint, signed.checkpoint
    check_extends(old, new, files.tree("sha256", new.size).consistency(old.size))
    path = files.tree("sm3", new.size).consistency(old.size)
    verify_consistency(old.size, new.size, path, old.root_sm3, new.root_sm3, sm3)


def _keep(own: Path, what: str, digest: bytes, data: bytes, suffix: str = ".cose") -> Path:
    path = own / "evidence" / f"{what}-{digest.hex()[:16]}{suffix}"
    path.parent.mkdir(exist_ok=True)
    replace(path, data, "evidence")
    return path
