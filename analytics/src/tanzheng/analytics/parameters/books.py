"""Books: an XLSX file with its sheets, or a CSV file that is one sheet."""

from collections.abc import Sequence
from dataclasses import dataclass

from tanzheng.analytics.parameters.csvtext import read_csv
from tanzheng.analytics.parameters.flaws import BookInvalid, Flaw
from tanzheng.analytics.parameters.grid import Grid
from tanzheng.analytics.parameters.reading import Line, Sheet, read_sheet
from tanzheng.analytics.parameters.sheets import Sheets, SheetSpec, plain, sheets
from tanzheng.analytics.parameters.xlsx import read_xlsx
from tanzheng.core.errors import BadInput

GUIDE = "填写说明 guide"


@dataclass(frozen=True, slots=True)
class Book:
    """A book that was read: its sheets, flaws included, and notes on what was left out."""

    name: str
    sheets: tuple[Sheet, ...]
    notes: tuple[Flaw, ...]

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """Every flaw of every sheet, in their order."""
        return tuple(flaw for sheet in self.sheets for flaw in sheet.flaws)

    def lines(self, kind: str) -> list[Line]:
        """The good lines of the sheets of one kind."""
        return [line for sheet in self.sheets if sheet.spec.name == kind for line in sheet.lines]

    def checked(self) -> "Book":
        """This book; `BookInvalid` with every flaw where there is one."""
        if self.flaws:
            raise BookInvalid(self.flaws)
        return self


def read_book(
    data: bytes,
    name: str,
    sector: str,
    *,
    kind: str | None = None,
    delimiter: str = "comma",
    cached: bool = False,
) -> Book:
    """Read a book of `sector`. A CSV file needs its `kind`; `BadInput` for what is no book."""
    known = sheets()
    specs = known.of_sector(sector)
    if name.lower().endswith(".csv"):
        if kind is None:
            kinds = ", ".join(spec.name for spec in specs)
            raise BadInput(
                f"{name}: expected the kind of this CSV ({kinds}), got none · 请指明表格类型"
            )
        grid = read_csv(data, name, delimiter)
        return _of_sheets(name, [read_sheet(grid, known.spec(kind), known)], [])
    if not name.lower().endswith(".xlsx"):
        raise BadInput(f"{name}: expected a file .xlsx or .csv · 仅支持 .xlsx 与 .csv")
    grids = read_xlsx(data, name, cached=cached)
    return _of_grids(name, grids, specs, known)


def _of_grids(name: str, grids: Sequence[Grid], specs: Sequence[SheetSpec], known: Sheets) -> Book:
    found: list[Sheet] = []
    notes: list[Flaw] = []
    for grid in grids:
        spec = _spec_of(grid, specs)
        if spec is None:
            if grid.sheet != GUIDE:
                notes.append(Flaw(grid.where(), "this sheet is not imported", "该工作表未导入"))
            continue
        if grid.hidden:
            notes.append(Flaw(grid.where(), "a hidden sheet was read", "已读取隐藏的工作表"))
        found.append(read_sheet(grid, spec, known))
    if not found:
        asked = ", ".join(spec.title for spec in specs)
        raise BadInput(f"{name}: expected a sheet named {asked}; got none · 未找到可识别的工作表")
    return _of_sheets(name, found, notes)


def _of_sheets(name: str, found: Sequence[Sheet], notes: Sequence[Flaw]) -> Book:
    if not any(sheet.lines or sheet.flaws for sheet in found):
        raise BadInput(f"{name}: expected lines under a heading, got none · 工作簿中没有数据")
    return Book(name, tuple(found), (*notes, *(n for sheet in found for n in sheet.notes)))


def _spec_of(grid: Grid, specs: Sequence[SheetSpec]) -> SheetSpec | None:
    title = plain(grid.sheet)
    return next(
        (spec for spec in specs if title in {plain(spec.title), plain(spec.zh), spec.en}), None
    )
