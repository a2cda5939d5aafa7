"""A coal month for tests: the example's folder in memory, changed in one place."""

from collections.abc import Mapping, Sequence
from functools import cache

from analytics.spreadsheets import csv_book
from tanzheng.analytics.parameters.attachments import Attachment
from tanzheng.analytics.parameters.books import Book
from tanzheng.analytics.parameters.example import Row, example_files, example_rows
from tanzheng.analytics.parameters.monthly import MonthData, MonthParameters, month_parameters
from tanzheng.analytics.parameters.plan import PLAN, parse_plan
from tanzheng.analytics.parameters.records import RECORDS, parse_records
from tanzheng.analytics.parameters.selection import MonthlyParameter
from tanzheng.analytics.parameters.sheets import sheets
from tanzheng.analytics.parameters.sources import source_data
from tanzheng.core.calendar import Month

MARCH = Month(2025, 3)
DATA = source_data()
REPORT = "attachments/HX-2025-0417.txt"


@cache
def files() -> Mapping[str, bytes]:
    """The example's files; its book takes a moment to make."""
    return example_files()


def book(kind: str, rows: Sequence[Row]) -> Book:
    """Rows of one kind as a CSV book."""
    columns = sheets().spec(kind).columns
    lines = [",".join(f'"{column.heading}"' for column in columns)]
    lines += [",".join(row.get(column.name, "") for column in columns) for row in rows]
    return csv_book("\n".join(lines), kind).checked()


def given(
    rows: Mapping[str, Sequence[Row]] | None = None,
    plan: tuple[str, str] = ("", ""),
    records: tuple[str, str] = ("", ""),
    known: Mapping[str, str] | None = None,
    of: Month = MARCH,
) -> MonthData:
    """The example month with other rows, and one text of plan or records replaced."""
    raw = files()
    kinds = {**example_rows(), **(rows or {})}
    return MonthData(
        parse_plan(replaced(raw[PLAN].decode(), plan), DATA),
        of,
        tuple(book(kind, lines) for kind, lines in kinds.items() if lines),
        parse_records(replaced(raw[RECORDS].decode(), records)),
        {name: Attachment.of(name, data).sha256 for name, data in raw.items()},
        known or {},
    )


def month(
    rows: Mapping[str, Sequence[Row]] | None = None,
    plan: tuple[str, str] = ("", ""),
    records: tuple[str, str] = ("", ""),
    known: Mapping[str, str] | None = None,
    of: Month = MARCH,
) -> MonthParameters:
    """The parameters of such a month."""
    return parameters(given(rows, plan, records, known, of))


def parameters(data: MonthData) -> MonthParameters:
    """The parameters by the data that ship with the package."""
    return month_parameters(data, DATA)


def replaced(text: str, pair: tuple[str, str]) -> bytes:
    """`text` with the first of a pair replaced by the second; it must be there."""
    assert pair[0] in text
    return text.replace(*pair, 1).encode()


def one(result: MonthParameters, name: str) -> MonthlyParameter:
    """A parameter by its name."""
    return next(item for item in result.parameters if item.name == name)


def codes(result: MonthParameters) -> list[str]:
    """The codes of all findings."""
    return [item.code for item in result.findings]


def said(result: MonthParameters) -> str:
    """All findings as one text, both languages."""
    return "\n".join(f"{item.en}\n{item.zh}" for item in result.findings)
