"""A month's files as data: what `monthfolder` reads of a disk, and what a package holds of it.

Scans need not be at hand: `attachments.toml` has their digests, and nothing is computed from them.
"""

from collections.abc import Mapping

from tanzheng.analytics.parameters.attachments import (
    ATTACHMENTS,
    check_attachments,
    parse_attachments,
)
from tanzheng.analytics.parameters.books import read_book
from tanzheng.analytics.parameters.flaws import AttachmentWrong, BookInvalid, Flaw
from tanzheng.analytics.parameters.monthly import MeteredFigure, MonthData
from tanzheng.analytics.parameters.plan import PLAN, parse_plan
from tanzheng.analytics.parameters.records import RECORDS, parse_records
from tanzheng.analytics.parameters.sources import SourceData
from tanzheng.core.calendar import Month


def month_data(
    files: Mapping[str, bytes],
    month: Month,
    known_reports: Mapping[str, str],
    data: SourceData,
    metered: Mapping[str, MeteredFigure] | None = None,
) -> tuple[MonthData, tuple[Flaw, ...]]:
    """A month from the files of its folder by path, and the notes on its books.

    Needed are `plan.toml`, `records.toml`, `attachments.toml` and the books that records name; a
    book must be what was listed. `metered`: figures by signed readings. Raises `PlanInvalid`,
    `RecordInvalid`, `AttachmentWrong`, `BookInvalid`.
    """
    for name in (PLAN, RECORDS, ATTACHMENTS):
        if name not in files:
            raise AttachmentWrong(f"{name}: expected this file of the month, got none · 缺少该文件")
    plan = parse_plan(files[PLAN], data)
    records = parse_records(files[RECORDS])
    listed = parse_attachments(files[ATTACHMENTS])
    names = [entry.file for entry in records.books]
    check_attachments(
        listed, {name: files[name] for name in names if name in files}, records.attachments(), names
    )
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
    given = MonthData(plan, month, books, records, digests, known_reports, metered or {})
    return given, tuple(note for book in books for note in book.notes)
