"""Fleet tables from CSV or Parquet, every wrong cell named with its line and column.

Columns are those of the shared tables (`rules.tables`), units in their names. Which table a file
is shows in its columns: `report_id` makes it `lab_report`, `point` `point_month`, else it is
`unit_month`. Nothing is repaired: a table with one wrong cell is refused.
"""

import csv
import difflib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tanzheng.analytics.parameters.csvtext import ENCODINGS
from tanzheng.analytics.parameters.flaws import Flaw
from tanzheng.analytics.rules.frame import DTYPES
from tanzheng.analytics.rules.tables import DERIVED, SECTORS, TABLES, TableShape
from tanzheng.analytics.seats import division
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import identifier

FILE_BYTES_MAX = 1 << 30
FLAWS_SHOWN_MAX = 20
NEEDED = {
    "unit_month": ("enterprise", "unit", "month", "sector", "division_code", "unit_class", "fuel"),
    "lab_report": ("enterprise", "unit", "month", "report_id"),
    "point_month": (
        "enterprise", "unit", "month", "point", "field", "expected_readings",
        "longest_constant_run", "decreases",
    ),
}  # fmt: skip
ONCE = {
    "unit_month": ("enterprise", "unit", "month"),
    # Of the reports of a month one counts, that of the monthly composite.
    "lab_report": ("enterprise", "unit", "month"),
    "point_month": ("enterprise", "unit", "month", "point"),
}
# Who may see an enterprise, and whom a unit is compared with, must not hang on the month.
CONSTANT = {"division_code": ("enterprise",), "unit_class": ("enterprise", "unit")}
FILLED = ("enterprise", "unit", "month", "sector", "division_code", "unit_class", "point", "field")


class TableInvalid(BadInput):
    """A fleet table with wrong cells: mend them all and run again."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        self.flaws = tuple(flaws)
        shown = [f"  {flaw}" for flaw in flaws[:FLAWS_SHOWN_MAX]]
        if len(flaws) > FLAWS_SHOWN_MAX:
            more = len(flaws) - FLAWS_SHOWN_MAX
            shown.append(f"  … and {more:,} more · 另有 {more:,} 处")
        head = f"nothing is looked at: {len(flaws):,} to mend · 未检测：{len(flaws):,} 处须更正"
        super().__init__("\n".join([head, *shown]))


@dataclass(frozen=True)
class Tables:
    """The three tables, empty where no file was one of them; SHA-256 of each file by its name."""

    unit_month: pl.DataFrame
    lab_report: pl.DataFrame
    point_month: pl.DataFrame
    files: dict[str, str]


@dataclass(frozen=True)
class _Raw:
    """A file as read: `places[row]` is how a reader finds a row in it."""

    name: str
    frame: pl.DataFrame
    places: Sequence[int]
    word: str

    def where(self, row: int, column: str) -> str:
        return f"{self.name}, {self.word} {self.places[row]}, {column}"


def read_tables(paths: Sequence[Path]) -> Tables:
    """The tables of the files. `TableInvalid` lists every wrong cell; `BadInput`: no such file."""
    found: dict[str, pl.DataFrame] = {}
    digests: dict[str, str] = {}
    flaws: list[Flaw] = []
    for path in paths:
        data = _read(path)
        raw = _parquet(path, data) if path.suffix == ".parquet" else _csv(path, data)
        shape = _shape(raw.frame.columns)
        if shape.name in found:
            raise BadInput(f"{path}: expected one file of {shape.name}, got a second one")
        found[shape.name], wrong = _checked(raw, shape)
        flaws += wrong
        digests[path.name] = sha256(data).hex()
    if flaws:
        raise TableInvalid(flaws)
    if "unit_month" not in found:
        raise BadInput(f"expected a table of unit-months, got {', '.join(sorted(found))} only")
    tables = {name: found.get(name, _empty(name)) for name in TABLES}
    return Tables(**tables, files=digests)


def _read(path: Path) -> bytes:
    if path.suffix not in {".csv", ".parquet"}:
        raise BadInput(f"{path}: expected a file that ends in .csv or .parquet")
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise BadInput(f"{path}: expected at most {FILE_BYTES_MAX} bytes")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: expected a table, got {error.strerror}") from None


def _parquet(path: Path, data: bytes) -> _Raw:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput(f"{path}: expected Parquet, got {str(error).splitlines()[0]}") from None
    return _Raw(path.name, frame, range(1, frame.height + 1), "row")


def _csv(path: Path, data: bytes) -> _Raw:
    """All cells as text, blank ones as null; every line as long as the first."""
    reader = csv.reader(io.StringIO(_text(path, data), newline=""), strict=True)
    rows: list[list[str | None]] = []
    places: list[int] = []
    try:
        heads = [head.strip() for head in next(reader, [])]
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(heads):
                raise BadInput(
                    f"{path.name}, line {reader.line_num}: expected {len(heads)} cells, "
                    f"got {len(cells)} · 列数不符"
                )
            rows.append([cell.strip() or None for cell in cells])
            places.append(reader.line_num)
    except csv.Error as error:
        raise BadInput(f"{path.name}, line {reader.line_num}: expected CSV, got {error}") from None
    if doubled := {head for head in heads if heads.count(head) > 1}:
        raise BadInput(f"{path.name}, line 1: expected each column once, got {sorted(doubled)}")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(heads, pl.String), orient="row")
    return _Raw(path.name, frame, places, "line")


def _text(path: Path, data: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInput(f"{path}: expected text in UTF-8 or GB 18030 · 编码无法识别")


def _shape(columns: Sequence[str]) -> TableShape:
    """The table that a file is, by its columns."""
    of = {"report_id": "lab_report", "point": "point_month"}
    return TABLES[next((of[name] for name in columns if name in of), "unit_month")]


def _empty(name: str) -> pl.DataFrame:
    return pl.DataFrame(
        schema={column: DTYPES[kind.kind] for column, kind in TABLES[name].columns.items()}
    )


def _checked(raw: _Raw, shape: TableShape) -> tuple[pl.DataFrame, list[Flaw]]:
    flaws = list(_headings(raw, shape))
    known = [name for name in raw.frame.columns if name in shape.columns and name not in DERIVED]
    columns = {}
    for name in known:
        columns[name], wrong = _typed(raw, name, shape.columns[name].kind)
        flaws += wrong
    table = pl.DataFrame(columns)
    if not raw.frame.height:
        flaws.append(Flaw(raw.name, "expected rows, got none", "没有数据行"))
    if not flaws:
        flaws += _doubled(raw, table, ONCE[shape.name])
        for name, keys in CONSTANT.items():
            flaws += _changing(raw, table, name, keys) if name in table.columns else []
    return table, flaws


def _headings(raw: _Raw, shape: TableShape) -> Iterator[Flaw]:
    for name in raw.frame.columns:
        if name not in shape.columns:
            near = difflib.get_close_matches(name, shape.columns, 1)
            hint = f", perhaps {near[0]}" if near else ""
            yield Flaw(
                f"{raw.name}, {shape.name}",
                f"expected no column {name!r}{hint}",
                f"没有列 {name!r}{'，是否为 ' + near[0] if near else ''}",
            )
    for name in NEEDED[shape.name]:
        if name not in raw.frame.columns:
            yield Flaw(f"{raw.name}, {shape.name}", f"expected a column {name}", f"缺少列 {name}")


def _typed(raw: _Raw, name: str, kind: str) -> tuple[pl.Series, list[Flaw]]:
    """The column in its type, and the cells that are not of it."""
    given = raw.frame[name]
    if given.dtype.is_float():
        given = given.fill_nan(None)  # Parquet has both; the word in a CSV is no number
    if kind == "number":
        made = given.cast(pl.Float64, strict=False)
        bad = (given.is_not_null() & made.is_null()) | ~(made.is_finite() & (made >= 0))
        words = ("expected a number of 0 or more", "应为不小于 0 的数")
    elif kind == "date":
        made = _dates(given, name)
        bad = given.is_not_null() & made.is_null()
        form = "YYYY-MM" if name == "month" else "YYYY-MM-DD"
        words = (f"expected {form}", f"应为 {form}")
    else:
        made = given.cast(pl.String)
        bad, words = _wrong_texts(made, name)
    if name in FILLED:
        bad = bad.fill_null(value=False) | made.is_null()
    rows = bad.fill_null(value=False).arg_true().to_list()
    return made, [_flaw(raw, row, name, given[row], words) for row in rows]


def _flaw(raw: _Raw, row: int, name: str, given: object, words: tuple[str, str]) -> Flaw:
    shown = "none" if given is None else repr(given)
    shown_zh = "空" if given is None else repr(given)
    return Flaw(raw.where(row, name), f"{words[0]}, got {shown}", f"{words[1]}，实为 {shown_zh}")


def _dates(given: pl.Series, name: str) -> pl.Series:
    if given.dtype.is_temporal():
        made = given.cast(pl.Date, strict=False)
    else:
        text = given.cast(pl.String)
        text = text.str.replace(r"^(\d{4}-\d{2})$", "$1-01") if name == "month" else text
        made = text.str.to_date("%Y-%m-%d", strict=False)
    if name != "month":
        return made
    return pl.select(pl.when(made.dt.day() == 1).then(made)).to_series().alias(name)


def _wrong_texts(column: pl.Series, name: str) -> tuple[pl.Series, tuple[str, str]]:
    """Which texts are not what the column asks for; the same text is looked at once."""
    distinct = column.drop_nulls().unique().to_list()
    wrong, words = [], ("expected text", "应为文本")
    if name == "sector":
        wrong = [text for text in distinct if text not in SECTORS]
        words = (f"expected one of {', '.join(SECTORS)}", "行业代码不正确")
    elif name == "division_code":
        wrong = [text for text in distinct if not _holds(division, text)]
        words = ("expected six digits of a county or city (GB/T 2260)", "应为六位行政区划代码")
    elif name in {"enterprise", "unit"}:
        wrong = [text for text in distinct if not _holds(lambda it: identifier(it, name), text)]
        words = ("expected letters, digits, '.', '_', '-'; at most 63", "编号格式不正确")
    return column.is_in(wrong), words


def _holds(check: Callable[[str], object], text: str) -> bool:
    try:
        check(text)
    except BadInput:
        return False
    return True


def _doubled(raw: _Raw, table: pl.DataFrame, keys: Sequence[str]) -> list[Flaw]:
    again = table.select(~pl.struct(keys).is_first_distinct()).to_series().arg_true().to_list()
    return [
        Flaw(
            raw.where(row, "month"),
            f"expected each {', '.join(keys)} once, got {table.select(keys).row(row)} again",
            f"{'、'.join(keys)} 重复",
        )
        for row in again
    ]


def _changing(raw: _Raw, table: pl.DataFrame, name: str, keys: Sequence[str]) -> list[Flaw]:
    """The rows whose value is not that of the key's first row."""
    first = pl.col(name).first().over(keys)
    other = table.select(pl.col(name) != first).to_series().arg_true().to_list()
    was = table.select(first).to_series()
    return [
        Flaw(
            raw.where(row, name),
            f"expected {was[row]!r} as in the first row of {' '.join(table.select(keys).row(row))}"
            f", got {table[name][row]!r}",
            f"同一对象应保持一致：{was[row]!r}",
        )
        for row in other
    ]
