"""A frozen copy of a log: plain files up to its newest checkpoint, whole in themselves."""

from collections.abc import Iterator
from pathlib import Path

from tanzheng.core.checkpoint import SignedCheckpoint
from tanzheng.core.errors import CheckFailed
from tanzheng.core.log_audit import Audit, audit
from tanzheng.core.log_files import NEWEST, LogFiles, checkpoint_path, cosignatures_path
from tanzheng.core.log_heads import heads_path
from tanzheng.core.tiles import HASHES, TILE_WIDTH, bundle_path, tile_counts, tile_path
from tanzheng.core.trust import Trust
from tanzheng.verifier.errors import Unreadable
from tanzheng.verifier.log_proofs import newest
from tanzheng.verifier.log_source import open_log


class ExportUnsound(CheckFailed):
    """The log that was to be exported is not sound; the copy is left as it was found."""


def export(files: LogFiles, out: Path, trust: Trust | None) -> Audit:
    """Write the log as of its newest checkpoint into the new folder `out`, and audit the copy.

    What was appended since is left out. `ExportUnsound` where the copy does not pass the audit.
    """
    signed = newest(files)
    if out.exists():
        raise Unreadable(f"--out: expected a new folder, got {out}")
    for name, data in _content(files, signed):
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    found = audit(open_log(str(out)), trust=trust)
    if found.findings:
        what = found.findings[0].what
        raise ExportUnsound(f"{out}: expected a sound log, got {len(found.findings)}: {what}")
    return found


def _content(files: LogFiles, signed: SignedCheckpoint) -> Iterator[tuple[str, bytes]]:
    point = signed.checkpoint
    for start in range(0, point.size, TILE_WIDTH):
        number = start // TILE_WIDTH
        items = files.bundle(number, min(TILE_WIDTH, point.size - start))
        yield bundle_path(number), b"".join(items)
    for name in HASHES:
        tree = files.tree(name, point.size)
        for level, count in enumerate(tile_counts(point.size)):
            for start in range(0, count, TILE_WIDTH):
                end = min(count, start + TILE_WIDTH)
                hashes = [tree.stored(level, index) for index in range(start, end)]
                yield tile_path(name, level, start // TILE_WIDTH), b"".join(hashes)
    for seq in range(1, point.seq + 1):
        yield checkpoint_path(seq), files.checkpoint(seq).raw
        if (cosigned := files.read(cosignatures_path(seq))) is not None:
            yield cosignatures_path(seq), cosigned
    yield heads_path(point.seq), files.heads(signed).encode()
    yield NEWEST, signed.raw
