"""A month's folder on disk: `plan.toml`, `records.toml`, books, attachments, and their list."""

from pathlib import Path

from tanzheng.analytics.parameters.attachments import (
    ATTACHMENTS,
    Attachment,
    check_attachments,
    encode_attachments,
    parse_attachments,
)
from tanzheng.analytics.parameters.books import read_book
from tanzheng.analytics.parameters.flaws import BookInvalid, Flaw
from tanzheng.analytics.parameters.monthly import MonthData
from tanzheng.analytics.parameters.plan import PLAN, parse_plan
from tanzheng.analytics.parameters.records import RECORDS, parse_records
from tanzheng.analytics.parameters.sources import SourceData
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

FILES_MAX = 2_000
FILE_BYTES_MAX = 64 << 20
OURS = {PLAN, RECORDS, ATTACHMENTS}


def read_file(path: Path) -> bytes:
    """The bytes of a file of at most `FILE_BYTES_MAX`; `BadInput` where it cannot be read."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise BadInput(f"{path}: expected at most {FILE_BYTES_MAX >> 20} MiB, got more")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"expected a readable file, got {path}: {error.strerror}") from None


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` but ours, by its path. Links are refused: they lead elsewhere."""
    if not folder.is_dir():
        raise BadInput(f"expected the folder of a month, got {folder}")
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise BadInput(f"{name}: expected a plain file, got a link · 不接受链接文件")
        # What Excel and file managers leave beside a file is no attachment.
        if not path.is_file() or name in OURS or path.name.startswith((".", "~$")):
            continue
        if len(found) >= FILES_MAX:
            raise BadInput(f"{folder}: expected at most {FILES_MAX} files, got more")
        found[name] = read_file(path)
    return found


def attach(folder: Path) -> tuple[list[Attachment], list[Attachment]]:
    """List the new files of `folder`; (new entries, entries that were there).

    An entry once written stays: `AttachmentWrong` where its file was changed or is gone.
    """
    files = files_of(folder)
    path = folder / ATTACHMENTS
    listed = parse_attachments(read_file(path)) if path.exists() else {}
    check_attachments(listed, {name: files[name] for name in files if name in listed}, ())
    new = [Attachment.of(name, data) for name, data in files.items() if name not in listed]
    partial = path.with_name(f".{ATTACHMENTS}.partial")
    partial.write_bytes(encode_attachments([*listed.values(), *new]))
    partial.replace(path)
    return new, list(listed.values())


def read_month(
    folder: Path, month: Month, known_reports: dict[str, str], data: SourceData
) -> tuple[MonthData, list[Attachment], tuple[Flaw, ...]]:
    """All of a month's folder, checked; with the attachments and the notes on its books."""
    files = files_of(folder)
    plan = parse_plan(read_file(folder / PLAN), data)
    records = parse_records(read_file(folder / RECORDS))
    path = folder / ATTACHMENTS
    listed = parse_attachments(read_file(path)) if path.exists() else {}
    check_attachments(listed, files, records.attachments())
    books = tuple(
        read_book(
            files[entry.file], entry.file, plan.sector,
            kind=entry.kind, delimiter=entry.delimiter, cached=entry.cached,
        )
        for entry in records.books
    )  # fmt: skip
    if flaws := [flaw for book in books for flaw in book.flaws]:
        raise BookInvalid(flaws)
    digests = {item.file: item.sha256 for item in listed.values()}
    given = MonthData(plan, month, books, records, digests, known_reports)
    notes = tuple(note for book in books for note in book.notes)
    return given, sorted(listed.values(), key=lambda item: item.file), notes
