"""A month's books within an evidence package: which of its files, and under which names.

A book may have any name in its folder; in the package it is `book-1.xlsx`, `book-2.csv` … in the
order of `records.toml`. Scans stay outside: `attachments.toml` has their digests.
"""

from collections.abc import Mapping

from tanzheng.analytics.errors import BooksMissing
from tanzheng.analytics.parameters.attachments import ATTACHMENTS
from tanzheng.analytics.parameters.plan import PLAN
from tanzheng.analytics.parameters.records import RECORDS, parse_records
from tanzheng.core.manifest import BOOKS_FOLDER, PackageInvalid

KNOWN_REPORTS = "known-reports.txt"
"""Reports used before, where such a list was given; no file of the month's folder."""


def needed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Of a month's folder (path → bytes) the files that computing needs."""
    books = [entry.file for entry in parse_records(_held(files, RECORDS)).books]
    return {name: _held(files, name) for name in (PLAN, RECORDS, ATTACHMENTS, *books)}


def payload(books: Mapping[str, bytes]) -> dict[str, bytes]:
    """The needed files, and the known reports among them, by their path in a package."""
    return {path: books[name] for name, path in _places(books[RECORDS]).items() if name in books}


def books_in(package: Mapping[str, bytes]) -> dict[str, bytes]:
    """The books of a package by path in their folder: the reverse of `payload`.

    `BooksMissing` names the file that is not there, `PackageInvalid` one that does not belong.
    """
    held = {path: data for path, data in package.items() if path.startswith(BOOKS_FOLDER)}
    places = _places(_held(held, f"{BOOKS_FOLDER}{RECORDS}"))
    if foreign := sorted(held.keys() - set(places.values())):
        raise PackageInvalid(f"{foreign[0]}: expected no file that the records do not name")
    return {
        name: _held(held, path)
        for name, path in places.items()
        if name != KNOWN_REPORTS or path in held
    }


def _places(records: bytes) -> dict[str, str]:
    """Where each file lies in a package."""
    books = [entry.file for entry in parse_records(records).books]
    kinds = ["csv" if name.lower().endswith(".csv") else "xlsx" for name in books]
    own = {name: name for name in (PLAN, RECORDS, ATTACHMENTS, KNOWN_REPORTS)}
    numbered = {
        name: f"book-{number}.{kind}"
        for number, (name, kind) in enumerate(zip(books, kinds, strict=True), 1)
    }
    return {name: f"{BOOKS_FOLDER}{place}" for name, place in (own | numbered).items()}


def _held(files: Mapping[str, bytes], path: str) -> bytes:
    if path not in files:
        raise BooksMissing(f"{path}: expected a file of the month's books, got none · 缺少该文件")
    return files[path]
