"""The current statement of every subject of a log, with its place; and the file that keeps them.

`heads/000012.cbor` = CBOR [[subject, seq, digest, leaf index], …], sorted by subject, as of the
checkpoint of that number. It saves reading the whole log; the checkpoint's heads root says whether
it is right (not the index: whoever follows it compares the digest of what stands there).
"""

from collections.abc import Iterable

from tanzheng.core import cbor, closed
from tanzheng.core.errors import EncodingError
from tanzheng.core.heads import Head, HeadsTree
from tanzheng.core.ids import Subject
from tanzheng.core.statement import SignedStatement
from tanzheng.core.tiles import LogDamaged

HEADS_BYTES_MAX = 1 << 30
SUBJECTS_MAX = 10_000_000


def heads_path(seq: int) -> str:
    """Return where the heads as of checkpoint `seq` stand."""
    return f"heads/{seq:06d}.cbor"


class LogHeads:
    """The heads after `size` statements, and the leaf index of each."""

    def __init__(self, size: int = 0, rows: Iterable[tuple[Head, int]] = ()) -> None:
        self.size = size
        pairs = list(rows)
        self.tree = HeadsTree(head for head, _ in pairs)
        self._index = {head.subject: index for head, index in pairs}

    def add(self, leaf: SignedStatement) -> None:
        """Take in the next statement of the log.

        `LogDamaged` where it does not follow its subject's last one: each is a chain of its own.
        """
        if (wrong := self.objection([leaf])) is not None:
            raise LogDamaged(f"leaf {self.size}: {wrong}")
        self.tree.put(_head(leaf))
        self._index[leaf.statement.subject] = self.size
        self.size += 1

    def objection(self, leaves: Iterable[SignedStatement]) -> str | None:
        """Return why `leaves` cannot be the next statements, None where they can."""
        fresh = dict[Subject, Head]()
        for leaf in leaves:
            stated = leaf.statement
            before = fresh.get(stated.subject) or self.tree.head(stated.subject)
            expected = (before.seq + 1, before.digest) if before else (1, None)
            if (stated.seq, stated.prev) != expected:
                after = stated.prev.hex() if stated.prev else "none"
                return (
                    f"expected statement {expected[0]} of {stated.subject}, "
                    f"got {stated.seq} after {after}"
                )
            fresh[stated.subject] = _head(leaf)
        return None

    def index(self, subject: Subject) -> int | None:
        """Return the leaf index of the subject's current statement, None where it has none."""
        return self._index.get(subject)

    def encode(self) -> bytes:
        """Return the file form."""
        return cbor.dumps(
            [[str(h.subject), h.seq, h.digest, self._index[h.subject]] for h in self.tree]
        )

    @classmethod
    def decode(cls, data: bytes, size: int) -> "LogHeads":
        """Read the file form of the heads after `size` statements; `EncodingError` otherwise."""
        rows = closed.sequence(cbor.loads(data, "heads", HEADS_BYTES_MAX), "heads", SUBJECTS_MAX)
        return cls(size, map(_row, rows))


def _head(leaf: SignedStatement) -> Head:
    return Head(leaf.statement.subject, leaf.statement.seq, leaf.digest)


def _row(value: object) -> tuple[Head, int]:
    parts = closed.sequence(value, "heads", 4)
    if len(parts) != 4:
        raise EncodingError("heads: expected [subject, seq, digest, index]")
    numbers = {"seq": parts[1], "index": parts[3]}
    seq = closed.integer(numbers, "seq", "heads", least=1)
    head = Head(Subject.parse(parts[0]), seq, closed.octets(parts[2], 32, "heads.digest"))
    return head, closed.integer(numbers, "index", "heads")
