"""A month's folder on disk: `plan.toml`, `records.toml`, books, attachments, and their list."""

from pathlib import Path

from tanzheng.analytics.parameters.attachments import (
    ATTACHMENTS,
    Attachment,
    check_attachments,
    encode_attachments,
    parse_attachments,
)
from tanzheng.analytics.parameters.bookfiles import KNOWN_REPORTS, needed
from tanzheng.analytics.parameters.flaws import Flaw
from tanzheng.analytics.parameters.monthfiles import month_data
from tanzheng.analytics.parameters.monthly import MonthData
from tanzheng.analytics.parameters.plan import PLAN
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


def read_files(folder: Path) -> dict[str, bytes]:
    """Every file of a month's folder, ours included, each attachment as it was listed."""
    files = files_of(folder)
    ours = {name: read_file(folder / name) for name in (PLAN, RECORDS)}
    path = folder / ATTACHMENTS
    ours[ATTACHMENTS] = read_file(path) if path.exists() else b""
    listed, records = parse_attachments(ours[ATTACHMENTS]), parse_records(ours[RECORDS])
    check_attachments(listed, files, records.attachments())
    return files | ours


def read_month(
    folder: Path, month: Month, known_reports: dict[str, str], data: SourceData
) -> tuple[MonthData, list[Attachment], tuple[Flaw, ...]]:
    """All of a month's folder, checked; with the attachments and the notes on its books."""
    files = read_files(folder)
    given, notes = month_data(files, month, known_reports, data)
    listed = parse_attachments(files[ATTACHMENTS])
    return given, sorted(listed.values(), key=lambda item: item.file), notes


def read_books(folder: Path, known_reports: Path | None) -> dict[str, bytes]:
    """Of a month's folder, checked with all its scans, the files that an evidence package holds.

    `known_reports`: a list of reports used before, wherever it lies.
    """
    books = needed(read_files(folder))
    return books if known_reports is None else {**books, KNOWN_REPORTS: read_file(known_reports)}
