"""The audit of a whole log from its plain files: every byte, every hash, every checkpoint.

Every statement is hashed again and held against the tree; every tile against those below; both
roots are built twice, from the statements and from the tiles, and held against every checkpoint,
and so are the heads. A statement that the log's own policy did not allow is named. With a trust
file every signature is checked too, and that its key had the role for it (`log_signers`). One
bundle is in memory at a time, the heads and the key events. It does not stop at the first thing
that is wrong: it lists them.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from tanzheng.core.checkpoint import NO_CHECKPOINT, SignedCheckpoint, log_of
from tanzheng.core.errors import TanzhengError
from tanzheng.core.log_files import NEWEST, LogFiles, checkpoint_path, opened
from tanzheng.core.log_heads import LogHeads, heads_path
from tanzheng.core.log_policy import LogPolicy
from tanzheng.core.log_signers import LogSigners
from tanzheng.core.merkle import Frontier, leaf_hashes
from tanzheng.core.statement import SignedStatement
from tanzheng.core.statements.common import LogName
from tanzheng.core.statements.keyring import Logged
from tanzheng.core.statements.policy import NotAllowed
from tanzheng.core.tiles import (
    HASHES,
    TILE_LEVELS,
    TILE_WIDTH,
    LogDamaged,
    bundle_path,
    tile_counts,
    tile_path,
)
from tanzheng.core.trust import Trust
from tanzheng.core.witness import WitnessPolicy, check_witnessed

FINDINGS_MAX = 1000
CHECKS: dict[str, tuple[str, str]] = {
    "files": ("files of a log and nothing else", "文件齐全且无多余"),
    "checkpoints": ("each checkpoint follows the one before", "检查点逐个衔接"),
    "statements": ("every statement has its hash in the tree", "每条声明与树中散列一致"),
    "tiles": ("every tile follows from those below", "分块自下而上一致"),
    "roots": ("both roots, built twice, are the signed ones", "双根两次重算与签名一致"),
    "chains": ("the statements of each subject are one chain", "各主体声明成链"),
    "heads": ("heads of every checkpoint are the signed ones", "当前版本树与签名一致"),
    "signatures": ("checkpoints by the operator's trusted keys", "检查点签名受信"),
    "signers": ("every statement by a key of its role", "声明由相应角色的密钥签署"),
    "policy": ("every statement allowed by the log's policy", "声明符合登记规则"),
    "witnesses": ("newest checkpoint cosigned by enough", "最新检查点会签足数"),
}
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: which of `CHECKS`, and what was expected where."""

    check: str
    what: str


@dataclass(frozen=True, slots=True)
class Audit:
    """`seq` and `size` of the newest checkpoint, statements read, what was found.

    `asked`: the checks that could be made to the end.
    """

    seq: int
    size: int
    statements: int
    findings: tuple[Finding, ...]
    asked: tuple[str, ...]


def audit(files: LogFiles, size: int | None = None, trust: Trust | None = None) -> Audit:
    """Audit a log up to its newest checkpoint, or up to `size` statements where there are more."""
    return _Audit(files, trust).run(size)


class _Audit:
    def __init__(self, files: LogFiles, trust: Trust | None) -> None:
        self._files, self._trust = files, trust
        self._found = list[Finding]()
        self._by_size = dict[int, SignedCheckpoint]()
        self._sizes = list[int]()
        self._signers: LogSigners | None = None
        self._policy = LogPolicy(None)
        self._newest: SignedCheckpoint | None = None
        self._edges = {name: Frontier(function) for name, function in HASHES.items()}
        self._heads: LogHeads | None = LogHeads()  # None from the first statement that breaks it

    def run(self, size: int | None) -> Audit:
        self._try("checkpoints", self._checkpoints)
        self._sizes = sorted(self._by_size)
        point = self._newest.checkpoint if self._newest else None
        covered = point.size if point else 0
        self._policy = LogPolicy(LogName(*log_of(point)) if point else None)
        self._check_checkpoints_signed(covered)
        end, at = max(size or 0, covered), 0
        while at < end and self._bundle(at, min(TILE_WIDTH, end - at)):
            at = min(end, at + TILE_WIDTH)
        for name in HASHES:
            for level, count in enumerate(tile_counts(at)[1:], start=1):
                for number in range(count):
                    self._try("tiles", self._tile, name, level, number)
            if covered in self._by_size and at >= covered:
                self._try("roots", self._root_of_tiles, name, covered)
        policy = self._trust.witnesses if self._trust else None
        if policy is not None and self._newest is not None:
            self._try("witnesses", self._witnesses, self._newest, policy)
        whole = {
            "witnesses": policy is not None,
            "files": False,  # a reader of single files cannot know what else there is
            "signatures": self._trust is not None,
            "signers": self._trust is not None,
            "policy": self._policy.in_force is not None,
            "roots": all(edge.size == end for edge in self._edges.values()),
            "heads": self._heads is not None,
            "chains": self._heads is not None,
        }
        asked = tuple(check for check in CHECKS if whole.get(check, True))
        return Audit(point.seq if point else 0, covered, at, tuple(self._found), asked)

    # ---------------------------------------------------------------- checkpoints

    def _checkpoints(self) -> None:
        self._newest = self._files.newest()
        if self._newest is None:
            if self._files.read(checkpoint_path(1)) is not None:
                self._say("checkpoints", f"{NEWEST}: expected the newest checkpoint, got no file")
            return
        before: SignedCheckpoint | None = None
        for seq in range(1, self._newest.checkpoint.seq + 1):
            if self._files.read(checkpoint_path(seq)) is None:
                self._say("checkpoints", f"{checkpoint_path(seq)}: expected the file, got none")
                return
            signed = self._try("checkpoints", self._files.checkpoint, seq)
            if signed is not None:
                self._checkpoint(signed, before, seq)
            before = signed
        if before is not None and before.raw != self._newest.raw:
            path = checkpoint_path(self._newest.checkpoint.seq)
            self._say("checkpoints", f"{NEWEST}: expected the bytes of {path}, got others")

    def _checkpoint(
        self, signed: SignedCheckpoint, before: SignedCheckpoint | None, seq: int
    ) -> None:
        point, path = signed.checkpoint, checkpoint_path(seq)
        self._by_size.setdefault(point.size, signed)
        previous, size = (before.digest, before.checkpoint.size) if before else (NO_CHECKPOINT, 0)
        follows = point.previous == previous and point.size > size
        if not follows and (before is not None or seq == 1):
            self._say("checkpoints", f"{path}: expected it to follow the one before")
        assert self._newest is not None
        if log_of(point) != log_of(self._newest.checkpoint):
            self._say("checkpoints", f"{path}: expected a checkpoint of one log, got another's")

    def _check_checkpoints_signed(self, covered: int) -> None:
        if self._trust is None:
            return
        self._signers = LogSigners(self._trust, self._files, covered, self._time_of)
        for signed in self._by_size.values():
            self._try("signatures", self._signers.check_checkpoint, signed)

    # ---------------------------------------------------------------- statements

    def _bundle(self, start: int, count: int) -> bool:
        """Whether there was anything of a bundle or of its hashes."""
        number = start // TILE_WIDTH
        raws = self._try("statements", self._files.bundle, number, count) or []
        there = bool(raws)
        for name, function in HASHES.items():
            stored = self._try("tiles", self._leaves, name, start, count) or []
            found = leaf_hashes(raws, function)
            for index, (a, b) in enumerate(zip(stored, found, strict=False), start):
                if a != b:
                    where = f"leaf {index} in {bundle_path(number)}"
                    path = tile_path(name, 0, number)
                    self._say("statements", f"{where}: expected its hash in {path}, got another")
            self._advance(name, start, found or stored)
            there = there or bool(stored)
        for index, raw in enumerate(raws, start):
            self._statement(index, raw)
        if not raws:
            self._heads = None
        return there

    def _leaves(self, name: str, start: int, count: int) -> list[bytes]:
        tree = self._files.tree(name, start + count)
        return [tree.leaf(index) for index in range(start, start + count)]

    def _advance(self, name: str, start: int, digests: Sequence[bytes]) -> None:
        """Grow a frontier, and hold it against the checkpoints that end on the way."""
        edge = self._edges[name]
        if edge.size != start:
            return  # what is missing before was said
        for digest in digests:
            edge.append(digest)
            if edge.size in self._by_size:
                self._root(name, edge.size, edge.root(), "statements")

    def _statement(self, index: int, raw: bytes) -> None:
        signed = self._try("statements", opened, index, raw)
        if signed is None:
            self._heads = None
            return
        counts = self._signer(index, signed)
        try:
            self._policy.take(signed, counts)
        except NotAllowed as error:
            self._say("policy", f"leaf {index}, {error}")
        if self._heads is None:
            return
        try:
            self._heads.add(signed)
        except LogDamaged as error:
            self._say("chains", str(error))
            self._heads = None
            return
        if index + 1 in self._by_size:
            self._check_heads(self._heads, self._by_size[index + 1])

    def _time_of(self, index: int) -> int | None:
        """The time of the first checkpoint over leaf `index`: when its signature had to hold."""
        at = bisect_right(self._sizes, index)
        return self._by_size[self._sizes[at]].checkpoint.t_ms if at < len(self._sizes) else None

    # ---------------------------------------------------------------- against what is signed

    def _check_heads(self, heads: LogHeads, signed: SignedCheckpoint) -> None:
        point = signed.checkpoint
        if heads.tree.root != point.heads_root:
            self._say("heads", f"checkpoint {point.seq}: expected its heads, got others")
        path = heads_path(point.seq)
        kept = self._files.read(path) if signed == self._newest else None
        if kept is not None and kept != heads.encode():
            self._say("heads", f"{path}: expected the heads of the log, got others")

    def _root_of_tiles(self, name: str, size: int) -> None:
        self._root(name, size, self._files.tree(name, size).root(), "tiles")

    def _root(self, name: str, size: int, root: bytes, source: str) -> None:
        point = self._by_size[size].checkpoint
        if root != {"sha256": point.root_sha256, "sm3": point.root_sm3}[name]:
            where = f"checkpoint {point.seq}"
            self._say("roots", f"{where}: expected its {name} root over the {source}, got another")

    def _tile(self, name: str, level: int, number: int) -> None:
        tree = self._files.tree(name, (number + 1) << (TILE_LEVELS * level))
        if tree.stored(level, number) != tree.tile_root(level - 1, number):
            path = tile_path(name, level, number // TILE_WIDTH)
            below, at = tile_path(name, level - 1, number), number % TILE_WIDTH
            self._say("tiles", f"{path}: expected hash {at} to be the root of {below}")

    def _witnesses(self, signed: SignedCheckpoint, policy: WitnessPolicy) -> None:
        check_witnessed(signed, self._files.cosignatures(signed.checkpoint.seq), policy)

    # ---------------------------------------------------------------- findings

    def _signer(self, index: int, signed: SignedStatement) -> bool:
        """False where the statement does not count by its signature."""
        t_ms = self._time_of(index)
        if self._signers is None or t_ms is None:
            return True
        try:
            self._signers.check_statement(Logged(index, t_ms, signed))
        except TanzhengError as error:
            self._say("signers", f"leaf {index}, {signed.statement.subject}: {error}")
            return False
        return True

    def _try(
        self, check: str, work: Callable[P, T], *arguments: P.args, **named: P.kwargs
    ) -> T | None:
        try:
            return work(*arguments, **named)
        except TanzhengError as error:
            self._say(check, str(error))
            return None

    def _say(self, check: str, what: str) -> None:
        if len(self._found) < FINDINGS_MAX:
            self._found.append(Finding(check, what))
