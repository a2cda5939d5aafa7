"""A month of a coal unit to try the commands on. Its figures are invented, its form is real."""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import resources

from tanzheng.analytics.parameters.records import RECORDS, parse_records
from tanzheng.analytics.parameters.sheets import SheetSpec, sheets
from tanzheng.analytics.parameters.template import template

SECTOR = "power"
BOOK = "books/2025-03.xlsx"
FIRST_DAY = datetime(2025, 3, 1)  # noqa: DTZ001 (a day of a sheet has no zone)
DAYS = 31

Row = Mapping[str, str]


def daily_rows() -> list[Row]:
    """A line a day: load rises and falls with the week, coal turns drier in the second half."""
    rows: list[Row] = []
    for n in range(DAYS):
        coal = Decimal("8070.40") + 37 * (n % 7) - 11 * (n % 5)
        heat = Decimal("20.611") + Decimal("0.023") * (n % 9) + Decimal("0.011") * (n // 16)
        moisture = Decimal("11.20") + Decimal("0.15") * (n % 4) - Decimal("0.30") * (n // 16)
        rows.append(
            {
                "day": str((FIRST_DAY + timedelta(days=n)).date()),
                "coal_t": str(coal),
                "coal_ncv_gj_per_t": str(heat),
                "coal_moisture_percent": str(moisture),
            }
        )
    return rows


def example_rows() -> dict[str, Sequence[Row]]:
    """The lines of the example's book by kind of sheet."""
    of = {spec.name: spec.example for spec in sheets().of_sector(SECTOR)}
    report = {**of["lab"], "file": "attachments/HX-2025-0417.txt"}
    outputs = {name: text for name, text in of["power_outputs"].items() if "generation" not in name}
    return {"daily": daily_rows(), "lab": [report], "stock": [of["stock"]],
            "power_outputs": [outputs]}  # fmt: skip


def filled(rows: Mapping[str, Sequence[Row]], sector: str = SECTOR) -> bytes:
    """The template of `sector` with `rows` in its sheets, as a plant would fill it in."""
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(template(sector)))
    for spec in sheets().of_sector(sector):
        sheet = book[spec.title]
        for row, values in enumerate(rows.get(spec.name, ()), 2):
            for place, column in enumerate(spec.columns, 1):
                if column.name in values:
                    sheet.cell(row, place, _typed(spec, column.name, values[column.name]))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _typed(spec: SheetSpec, name: str, text: str) -> float | datetime | str:
    column = spec.column(name)
    if column.field is not None:
        return float(text)
    return datetime.fromisoformat(text) if column.kind == "day" else text


def example_files() -> dict[str, bytes]:
    """The folder's files by path; the list of attachments is made by `attach`."""
    folder = resources.files("tanzheng.analytics.parameters")
    records = (folder / "example_records.toml").read_bytes()
    files = {
        "plan.toml": (folder / "example_plan.toml").read_bytes(),
        RECORDS: records,
        BOOK: filled(example_rows()),
    }
    scans = {*parse_records(records).attachments(), "attachments/HX-2025-0417.txt"} - {BOOK}
    for name in sorted(scans):
        files[name] = f"In place of the scan {name} 此处为扫描件\n".encode()
    return files
