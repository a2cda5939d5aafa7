"""The heads tree: which statement of each subject is the current one.

A sorted map subject → (seq, digest of the latest signed statement). Leaves are CBOR
[subject, seq, digest] in an RFC 9162 tree; the root is SHA-256(0x02 ‖ u64 count ‖ MTH), so the
count is bound. An inclusion proves "this is the current version as of the checkpoint"; two
neighbours prove that a subject has no statement at all.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tanzheng.core import cbor
from tanzheng.core.errors import EncodingError
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.merkle import ProofInvalid, Tree, leaf_hash, root_from_inclusion


@dataclass(frozen=True, slots=True)
class Head:
    """The latest statement of a subject; `digest` is the SHA-256 of its signed bytes."""

    subject: Subject
    seq: int
    digest: bytes

    @property
    def leaf(self) -> bytes:
        """The leaf's bytes."""
        return cbor.dumps([str(self.subject), self.seq, self.digest])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a head lies among the sorted heads, and its path."""

    index: int
    count: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Absence:
    """The neighbours between which a subject would lie; None at either end of the map."""

    count: int
    left: tuple[Head, Place] | None
    right: tuple[Head, Place] | None


def bind_count(count: int, root: bytes) -> bytes:
    """Return the heads root of a tree of `count` leaves."""
    return sha256(b"\x02" + count.to_bytes(8, "big") + root)


class HeadsTree:
    """The heads of one checkpoint, sorted by the subject's text; it grows with the log."""

    def __init__(self, heads: Iterable[Head] = ()) -> None:
        """Build the tree; `EncodingError` where a subject comes twice."""
        self._heads: dict[str, Head] = {}
        self._digests: dict[str, bytes] = {}
        self._subjects: list[str] = []
        self._built: Tree | None = None
        for head in heads:
            if str(head.subject) in self._heads:
                raise EncodingError(f"heads: expected each subject once, got {head.subject} twice")
            self.put(head)

    def __len__(self) -> int:
        return len(self._heads)

    def __iter__(self) -> Iterator[Head]:
        """The heads, sorted by subject."""
        return (self._heads[subject] for subject in self._subjects)

    def put(self, head: Head) -> None:
        """Make `head` the current one of its subject."""
        subject = str(head.subject)
        if subject not in self._heads:
            insort(self._subjects, subject)
        self._heads[subject] = head
        self._digests[subject] = leaf_hash(head.leaf)
        self._built = None

    def head(self, subject: Subject) -> Head | None:
        """Return the head of `subject`, None where it has no statement."""
        return self._heads.get(str(subject))

    @property
    def _tree(self) -> Tree:
        if self._built is None:
            self._built = Tree()
            self._built.extend_hashes([self._digests[subject] for subject in self._subjects])
        return self._built

    @property
    def root(self) -> bytes:
        """The heads root of the checkpoint."""
        return bind_count(len(self), self._tree.root())

    def current(self, subject: Subject) -> tuple[Head, Place]:
        """Return the head of `subject` with its place; KeyError where it has none."""
        index = bisect_left(self._subjects, str(subject))
        if self._subjects[index : index + 1] != [str(subject)]:
            raise KeyError(str(subject))
        return self._at(index)

    def absence(self, subject: Subject) -> Absence:
        """Return the neighbours of a subject without statement; KeyError where it has one."""
        index = bisect_left(self._subjects, str(subject))
        if self._subjects[index : index + 1] == [str(subject)]:
            raise KeyError(str(subject))
        left = self._at(index - 1) if index > 0 else None
        right = self._at(index) if index < len(self) else None
        return Absence(len(self), left, right)

    def _at(self, index: int) -> tuple[Head, Place]:
        path = tuple(self._tree.inclusion(index))
        return self._heads[self._subjects[index]], Place(index, len(self), path)


def verify_current(head: Head, place: Place, root: bytes) -> None:
    """Return where `head` is its subject's current one under the heads `root`."""
    found = root_from_inclusion(leaf_hash(head.leaf), place.index, place.count, place.path)
    if bind_count(place.count, found) != root:
        raise ProofInvalid(f"heads: expected a path to {root.hex()[:16]}…, got another root")


def verify_absent(subject: Subject, absence: Absence, root: bytes) -> None:
    """Return where no statement of `subject` exists under the heads `root`; else `ProofInvalid`."""
    sides = [side for side in (absence.left, absence.right) if side is not None]
    for head, place in sides:
        verify_current(head, place, root)
    if any(place.count != absence.count for _, place in sides):
        raise ProofInvalid("heads: expected neighbours of one tree")
    _check_adjacent(subject, absence)
    if not sides and bind_count(0, sha256(b"")) != root:
        raise ProofInvalid("heads: expected the root of no heads at all")


def _check_adjacent(subject: Subject, absence: Absence) -> None:
    left_index = absence.left[1].index if absence.left else -1
    right_index = absence.right[1].index if absence.right else absence.count
    names: Sequence[str] = [
        *([str(absence.left[0].subject)] if absence.left else []),
        str(subject),
        *([str(absence.right[0].subject)] if absence.right else []),
    ]
    if right_index != left_index + 1 or any(a >= b for a, b in pairwise(names)):
        raise ProofInvalid(f"heads: expected neighbours on both sides of {subject}")
