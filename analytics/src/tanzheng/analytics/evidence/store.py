"""The journal on disk: every command reads it whole, and adds to it under the writer's lock."""

from collections.abc import Callable, Iterable
from pathlib import Path

from tanzheng.analytics import lines_file
from tanzheng.analytics.evidence.entries import Act, Entry
from tanzheng.analytics.evidence.journal import Journal, read_journal


def read(path: Path) -> Journal:
    """The journal at `path`; `BadInput` where there is none, `JournalBroken` for a damaged one."""
    with lines_file.reading(path) as handle:
        raw = lines_file.content(handle)
    return read_journal(raw, str(path))


def write(
    path: Path, acts: Callable[[Journal], Iterable[Act]], *, begin: bool = False
) -> tuple[Journal, list[Entry]]:
    """Add what `acts` makes of the journal as it is now, which nobody else changes meanwhile.

    All entries or none: an illegal move, a full disk leave the file as it was. When this returns
    they are on the disk. Only with `begin` a journal that is not there yet begins here.
    """
    with lines_file.writing(path, begin=begin) as handle:
        raw = lines_file.content(handle)
        journal = read_journal(raw, str(path))
        entries = [journal.add(act) for act in acts(journal)]
        added = b"".join(entry.encode() for entry in entries)
        lines_file.append(handle, len(raw), added, path)
    return journal, entries
