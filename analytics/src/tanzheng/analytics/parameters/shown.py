"""Books and months as JSON: decimals are text, every figure with its place."""

from collections.abc import Sequence
from typing import Any

from tanzheng.analytics.parameters.attachments import Attachment
from tanzheng.analytics.parameters.books import Book
from tanzheng.analytics.parameters.flaws import Flaw
from tanzheng.analytics.parameters.monthly import MonthParameters
from tanzheng.analytics.parameters.reading import Sheet


def book_json(book: Book, refused: int) -> dict[str, Any]:
    """A book: its sheets with lines by dictionary name, flaws, notes, rows in quarantine."""
    return {
        "version": 1,
        "book": book.name,
        "sheets": [_sheet(sheet) for sheet in book.sheets],
        "notes": [note.to_json() for note in book.notes],
        "quarantined": refused,
    }


def _sheet(sheet: Sheet) -> dict[str, Any]:
    return {
        "kind": sheet.spec.name,
        "sheet": sheet.grid.sheet,
        "lines": [
            {"row": line.row, **{name: str(value) for name, value in line.values.items()}}
            for line in sheet.lines
        ],
        "flaws": [flaw.to_json() for flaw in sheet.flaws],
    }


def month_json(
    result: MonthParameters, attachments: Sequence[Attachment], notes: Sequence[Flaw]
) -> dict[str, Any]:
    """A month: plan with digest, parameters with source and records, findings, attachments."""
    plan, version = result.plan, result.version
    return {
        "version": 1,
        "enterprise": plan.enterprise,
        "unit": plan.unit,
        "sector": plan.sector,
        "month": str(result.month),
        "plan": {
            "version": version.id,
            "filed_on": version.filed_on.isoformat(),
            "valid_from": version.valid_from.isoformat(),
            "sha256": plan.sha256.hex(),
        },
        "parameters": [item.to_json() for item in result.parameters],
        "findings": [item.to_json() for item in result.findings],
        "attachments": [item.to_json() for item in attachments],
        "notes": [note.to_json() for note in notes],
    }
