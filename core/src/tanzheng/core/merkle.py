"""The Merkle tree of RFC 9162 §2.1: hashes, proofs, and the checks a stranger makes.

A leaf hashes as H(0x00 ‖ leaf), a node as H(0x01 ‖ left ‖ right). `Tree` keeps every complete
subtree once (a list of digests a level), so appending is amortised O(1) and a proof is O(log n)
look-ups; `tiles.TileTree` reads the same nodes from files; `Frontier` keeps O(log n) digests and
knows the root alone. `hash_function` is SHA-256 for the log and SM3 for its second root.

Indices and sizes count leaves. A proof is a list of 32-byte digests, leaf side first.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from tanzheng.core.errors import CheckFailed
from tanzheng.core.hashing import HASH_BYTES, HashFunction, sha256

_PROOFS_AT_ONCE = 1024
PROOF_NODES_MAX = 65  # a digest and the path above it in a tree of 2^64 leaves
Proof = Sequence[bytes]


class ProofInvalid(CheckFailed):
    """A Merkle proof does not lead to the root it is held against."""


def leaf_hash(leaf: bytes, hash_function: HashFunction = sha256) -> bytes:
    """Return the digest of a leaf, H(0x00 ‖ leaf)."""
    return hash_function(b"\x00" + leaf)


def node_hash(left: bytes, right: bytes, hash_function: HashFunction = sha256) -> bytes:
    """Return the digest of an inner node, H(0x01 ‖ left ‖ right)."""
    return hash_function(b"\x01" + left + right)


def leaf_hashes(leaves: Iterable[bytes], hash_function: HashFunction = sha256) -> list[bytes]:
    """Return the digests of `leaves` in order."""
    if hash_function is sha256:  # without our wrapper's call: 20 % of a million leaves
        raw = hashlib.sha256
        return [raw(b"\x00" + leaf).digest() for leaf in leaves]
    return [hash_function(b"\x00" + leaf) for leaf in leaves]


def parents(nodes: Sequence[bytes], hash_function: HashFunction) -> list[bytes]:
    """Return the digests of neighbours in pairs; an odd last node has no parent yet."""
    pairs = zip(nodes[::2], nodes[1::2], strict=False)
    if hash_function is sha256:
        raw = hashlib.sha256
        return [raw(b"\x01" + left + right).digest() for left, right in pairs]
    return [hash_function(b"\x01" + left + right) for left, right in pairs]


class Nodes(ABC):
    """Roots and proofs from the complete subtrees of a tree, wherever they are kept."""

    def __init__(self, hash_function: HashFunction) -> None:
        self._hash = hash_function

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of leaves."""

    @abstractmethod
    def _node(self, level: int, index: int) -> bytes:
        """MTH of leaves [index·2^level, (index + 1)·2^level), all of them below `size`."""

    def root(self, size: int | None = None) -> bytes:
        """Return MTH(D[size]), of the whole tree by default; of no leaves it is H("")."""
        end = self._size(size)
        return self._range(0, end) if end else self._hash(b"")

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Return PATH(index, D[size]) of RFC 9162 §2.1.3.1."""
        end = self._size(size)
        if not 0 <= index < end:
            raise ValueError(f"expected a leaf index below {end}, got {index}")
        start, path = 0, []
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """Return PROOF(first, D[second]) of RFC 9162 §2.1.4.1, 1 ≤ first ≤ second."""
        end = self._size(second)
        if not 1 <= first <= end:
            raise ValueError(f"expected a size from 1 to {end}, got {first}")
        if first == end:
            return []
        start, proof, known = 0, [], True
        while first != end:
            middle = start + _split(end - start)
            if first <= middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start, known = middle, False
        return proof[::-1] if known else [self._range(start, end), *proof[::-1]]

    def _size(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise ValueError(f"expected a size up to {self.size}, got {size}")
        return size

    def _range(self, start: int, end: int) -> bytes:
        """MTH of leaves [start, end), where `start` is a multiple of the next power of two."""
        count = end - start
        if count & (count - 1) == 0:
            level = count.bit_length() - 1
            return self._node(level, start >> level)
        middle = start + _split(count)
        return node_hash(self._range(start, middle), self._range(middle, end), self._hash)


class Tree(Nodes):
    """An append-only tree. It answers for its present size and for every size it once had."""

    def __init__(self, hash_function: HashFunction = sha256) -> None:
        super().__init__(hash_function)
        self._levels: list[list[bytes]] = [[]]  # [k][i] covers leaves i·2^k … (i+1)·2^k - 1

    @property
    def size(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> int:
        """Add a leaf and return its index."""
        self.extend_hashes([leaf_hash(leaf, self._hash)])
        return self.size - 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves in order."""
        self.extend_hashes(leaf_hashes(leaves, self._hash))

    def extend_hashes(self, digests: Sequence[bytes]) -> None:
        """Add leaves whose digests are known."""
        fresh, level = list(digests), 0
        while fresh:
            if level == len(self._levels):
                self._levels.append([])
            nodes = self._levels[level]
            unpaired = len(nodes) % 2
            nodes.extend(fresh)
            fresh = parents(nodes[len(nodes) - len(fresh) - unpaired :], self._hash)
            level += 1

    def inclusions(self) -> Iterator[tuple[bytes, ...]]:
        """Every leaf's inclusion proof in the whole tree, in order, sharing what paths share."""
        rows = self._rows()
        for start in range(0, self.size, _PROOFS_AT_ONCE):
            end, paths = min(self.size, start + _PROOFS_AT_ONCE), list[tuple[bytes, ...]]([()])
            for level in reversed(range(len(rows))):
                row, first, last = rows[level], start >> level, (end - 1) >> level
                base = first >> 1
                paths = [
                    (row[node ^ 1], *paths[(node >> 1) - base])
                    if node ^ 1 < len(row)
                    else paths[(node >> 1) - base]
                    for node in range(first, last + 1)
                ]
            yield from paths

    def _rows(self) -> list[list[bytes]]:
        """All levels below the root, each with its incomplete last node, if it has one."""
        end, rows = self.size, []
        for level, nodes in enumerate(self._levels):
            if end <= 1 << level:
                break
            start = len(nodes) << level
            rows.append([*nodes, self._range(start, end)] if start < end else nodes)
        return rows

    def _node(self, level: int, index: int) -> bytes:
        return self._levels[level][index]


class Frontier:
    """The roots of the complete subtrees on a tree's right edge: enough to grow it, and its root.

    It is what remains in memory of a log that is read once from end to end.
    """

    def __init__(self, hash_function: HashFunction = sha256) -> None:
        self._hash = hash_function
        self._edge: list[bytes] = []  # one a set bit of `size`, the largest subtree first
        self.size = 0

    def append(self, digest: bytes) -> None:
        """Add a leaf whose digest is known."""
        carry = self.size
        while carry & 1:
            digest = node_hash(self._edge.pop(), digest, self._hash)
            carry >>= 1
        self._edge.append(digest)
        self.size += 1

    def root(self) -> bytes:
        """Return the root; of no leaves it is H("")."""
        if not self._edge:
            return self._hash(b"")
        root = self._edge[-1]
        for left in reversed(self._edge[:-1]):
            root = node_hash(left, root, self._hash)
        return root


def _split(count: int) -> int:
    """Return the largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1


# ------------------------------------------------------------------ checks


def root_from_inclusion(
    digest: bytes, index: int, size: int, proof: Proof, hash_function: HashFunction = sha256
) -> bytes:
    """Return the root to which the leaf `digest` at `index` of `size` leads (§2.1.3.2).

    `ProofInvalid` where no tree of `size` leaves has such a path at `index`: too short, too long.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"inclusion: expected an index below the size {size}, got {index}")
    _check_nodes([digest, *proof], "inclusion")
    fn, sn, root = index, size - 1, digest
    for node in proof:
        if sn == 0:
            raise ProofInvalid(f"inclusion: expected a shorter path at {index} of {size}")
        if fn & 1 or fn == sn:
            root = node_hash(node, root, hash_function)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, node, hash_function)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofInvalid(f"inclusion: expected a longer path at {index} of {size}")
    return root


def verify_inclusion(
    digest: bytes,
    index: int,
    size: int,
    proof: Proof,
    root: bytes,
    hash_function: HashFunction = sha256,
) -> None:
    """Return where `proof` leads from the leaf `digest` to `root`; else `ProofInvalid`."""
    found = root_from_inclusion(digest, index, size, proof, hash_function)
    if found != root:
        raise ProofInvalid(
            f"inclusion: expected the root {root.hex()[:16]}…, got {found.hex()[:16]}…"
        )


def verify_consistency(
    first: int,
    second: int,
    proof: Proof,
    first_root: bytes,
    second_root: bytes,
    hash_function: HashFunction = sha256,
) -> None:
    """Return where the tree of `second` leaves extends that of `first` (§2.1.4.2).

    `first` = 0 is refused: everything extends the empty tree, so its proof would prove nothing.
    """
    _check_nodes(proof, "consistency")
    if not 1 <= first <= second:
        raise ProofInvalid(f"consistency: expected 1 ≤ first ≤ second, got {first} and {second}")
    if first == second:
        if proof or first_root != second_root:
            raise ProofInvalid(f"consistency: expected equal roots and no path at size {first}")
        return
    roots = _consistency_roots(first, second, list(proof), first_root, hash_function)
    if roots != (first_root, second_root):
        raise ProofInvalid(f"consistency: expected the roots of {first} and {second}, got others")


def _consistency_roots(
    first: int, second: int, path: list[bytes], first_root: bytes, hash_function: HashFunction
) -> tuple[bytes, bytes]:
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        raise ProofInvalid("consistency: expected a path, got none")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for node in path[1:]:
        if sn == 0:
            raise ProofInvalid("consistency: expected a shorter path")
        if fn & 1 or fn == sn:
            fr = node_hash(node, fr, hash_function)
            sr = node_hash(node, sr, hash_function)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, node, hash_function)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofInvalid("consistency: expected a longer path")
    return fr, sr


def _check_nodes(proof: Proof, what: str) -> None:
    if len(proof) > PROOF_NODES_MAX or any(len(node) != HASH_BYTES for node in proof):
        raise ProofInvalid(f"{what}: expected at most {PROOF_NODES_MAX} digests of 32 bytes")
