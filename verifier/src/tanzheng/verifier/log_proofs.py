"""What `tanzheng log prove` answers: a proof made from plain files, checked before it is shown."""

from collections.abc import Mapping
from typing import Any

from tanzheng.core.checkpoint import ConsistencyProof, SignedCheckpoint
from tanzheng.core.errors import BadInput
from tanzheng.core.heads import Head, Place, verify_absent, verify_current
from tanzheng.core.ids import Subject
from tanzheng.core.log_files import LogFiles
from tanzheng.core.merkle import leaf_hash, verify_consistency, verify_inclusion
from tanzheng.verifier.errors import NothingSealed

Answer = Mapping[str, Any]


def newest(files: LogFiles) -> SignedCheckpoint:
    """The newest checkpoint; `NothingSealed` before the first."""
    signed = files.newest()
    if signed is None:
        raise NothingSealed("log: expected a checkpoint, nothing was sealed yet")
    return signed


def inclusion(files: LogFiles, index: int, size: int | None) -> Answer:
    """The statement of leaf `index` with its path to the root of `size` statements."""
    most = newest(files).checkpoint.size
    size = most if size is None else _size(size, most, "--size")
    if not 0 <= index < size:
        raise BadInput(f"--index: expected a leaf below {size}, got {index}")
    tree, statement = files.tree("sha256", size), files.statement(index)
    path, root = tree.inclusion(index), tree.root()
    verify_inclusion(leaf_hash(statement.raw), index, size, path, root)
    return {
        "kind": "inclusion",
        "index": index,
        "size": size,
        "subject": str(statement.statement.subject),
        "statement_seq": statement.statement.seq,
        "leaf_hash": leaf_hash(statement.raw).hex(),
        "root_sha256": root.hex(),
        "path": _hex(path),
        "statement": statement.raw.hex(),
    }


def consistency(files: LogFiles, first: int, second: int | None) -> ConsistencyProof:
    """The proof that the log of `second` statements extends that of `first`."""
    most = newest(files).checkpoint.size
    second = most if second is None else _size(second, most, "--to")
    if not 1 <= first <= second:
        raise BadInput(f"--from: expected a size from 1 to {second}, got {first}")
    tree = files.tree("sha256", second)
    path = tree.consistency(first)
    verify_consistency(first, second, path, tree.root(first), tree.root())
    return ConsistencyProof(first, second, tuple(path))


def consistency_fields(files: LogFiles, proof: ConsistencyProof) -> Answer:
    """The machine form of a consistency proof, with the two roots it leads to."""
    tree = files.tree("sha256", proof.second)
    return {
        "kind": "consistency",
        "first": proof.first,
        "second": proof.second,
        "first_root_sha256": tree.root(proof.first).hex(),
        "root_sha256": tree.root().hex(),
        "path": _hex(proof.path),
    }


def subject(files: LogFiles, text: str) -> Answer:
    """The current statement of a subject as of the newest checkpoint, or that it has none."""
    wanted, signed = Subject.parse(text), newest(files)
    heads, point = files.heads(signed), signed.checkpoint
    found = {"subject": text, "checkpoint_seq": point.seq, "heads_root": point.heads_root.hex()}
    index = heads.index(wanted)
    if index is None:
        absence = heads.tree.absence(wanted)
        verify_absent(wanted, absence, point.heads_root)
        sides = {"left": absence.left, "right": absence.right}
        shown = {side: _place(*found) if found else None for side, found in sides.items()}
        return {"kind": "absence", **found, "count": absence.count, **shown}
    head, place = heads.tree.current(wanted)
    verify_current(head, place, point.heads_root)
    included = inclusion(files, index, point.size)
    if files.statement(index).digest != head.digest:
        raise BadInput(f"heads: expected leaf {index} to be the current one of {text}")
    return {"kind": "presence", **found, "head": _place(head, place), "leaf": included}


def _place(head: Head, place: Place) -> Answer:
    return {
        "subject": str(head.subject),
        "statement_seq": head.seq,
        "statement_sha256": head.digest.hex(),
        "heads_index": place.index,
        "heads_count": place.count,
        "path": _hex(place.path),
    }


def _size(size: int, most: int, option: str) -> int:
    if not 1 <= size <= most:
        raise BadInput(f"{option}: expected a size from 1 to {most}, got {size}")
    return size


def _hex(path: Any) -> list[str]:
    return [node.hex() for node in path]
