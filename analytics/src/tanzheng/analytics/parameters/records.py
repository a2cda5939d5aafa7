"""Records beside the books (`records.toml`): meter totals, entries, invoices, certificates."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from tanzheng.analytics.parameters.cells import PLAIN
from tanzheng.analytics.parameters.csvtext import DELIMITERS
from tanzheng.analytics.parameters.flaws import RecordInvalid
from tanzheng.analytics.parameters.plan import accuracy_class, plain_date
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import field

RECORDS = "records.toml"
RECORDS_BYTES_MAX = 4 << 20
TEXT_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class BookEntry:
    """A book of the month; `kind` and `delimiter` are for CSV, `cached` for formulas of XLSX."""

    file: str
    kind: str | None
    delimiter: str
    cached: bool


@dataclass(frozen=True, slots=True)
class MeterTotal:
    """What a meter counted from `first` to `last` (whole days), and the hours with readings."""

    id: str
    parameter: str
    meter: str
    value: Decimal
    first: date
    last: date
    covered_hours: int
    attachment: str


@dataclass(frozen=True, slots=True)
class ManualEntry:
    """A figure that a person copied from a document; who, when, and from which scan."""

    id: str
    parameter: str
    value: Decimal
    entered_by: str
    entered_on: date
    reason: str
    attachment: str


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice over coal."""

    id: str
    issued_on: date
    coal_received_t: Decimal
    attachment: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A verification or calibration of a meter, valid on both days named and between."""

    id: str
    meter: str
    kind: str
    valid_from: date
    valid_to: date
    accuracy_class: str
    attachment: str


@dataclass(frozen=True, slots=True)
class Records:
    """All of `records.toml`."""

    books: tuple[BookEntry, ...]
    meter_totals: tuple[MeterTotal, ...]
    manual: tuple[ManualEntry, ...]
    invoices: tuple[Invoice, ...]
    certificates: tuple[Certificate, ...]

    def attachments(self) -> set[str]:
        """Every file these records name."""
        dated: list[MeterTotal | ManualEntry | Invoice | Certificate] = [
            *self.meter_totals, *self.manual, *self.invoices, *self.certificates
        ]  # fmt: skip
        return {entry.file for entry in self.books} | {item.attachment for item in dated}


def parse_records(raw: bytes) -> Records:
    """Records from their TOML; `RecordInvalid` names record and field."""
    if len(raw) > RECORDS_BYTES_MAX:
        raise RecordInvalid(f"{RECORDS}: expected at most {RECORDS_BYTES_MAX} bytes")
    try:
        table = tomllib.loads(raw.decode())
        unknown = set(table) - {"book", "meter_total", "manual", "invoice", "certificate"}
        if unknown:
            raise RecordInvalid(f"{RECORDS}: expected no other tables, got {sorted(unknown)}")
        records = Records(
            tuple(_book(row) for row in table.get("book", [])),
            tuple(_meter_total(row) for row in table.get("meter_total", [])),
            tuple(_manual(row) for row in table.get("manual", [])),
            tuple(_invoice(row) for row in table.get("invoice", [])),
            tuple(_certificate(row) for row in table.get("certificate", [])),
        )
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecordInvalid(f"{RECORDS}: expected TOML in UTF-8, got {error}") from None
    except KeyError as error:
        raise RecordInvalid(f"{RECORDS}: expected the key {error}, got none · 缺少该项") from None
    except (TypeError, AttributeError) as error:
        raise RecordInvalid(f"{RECORDS}: expected tables of records, got {error}") from None
    _check_once(records)
    return records


def _check_once(records: Records) -> None:
    for kind in (records.meter_totals, records.manual, records.invoices, records.certificates):
        ids = [item.id for item in kind]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise RecordInvalid(
                f"{RECORDS}: expected each id once, got {twice[0]} again · 编号重复"
            )
    files = [entry.file for entry in records.books]
    if len(files) != len(set(files)):
        raise RecordInvalid(f"{RECORDS}: expected each book once, got one again · 工作簿重复")


def _book(row: Mapping[str, Any]) -> BookEntry:
    file = relative(row["file"], f"{RECORDS}, book.file")
    delimiter = row.get("delimiter", "comma")
    if delimiter not in DELIMITERS:
        raise RecordInvalid(
            f"{RECORDS}, book {file}, delimiter: expected one of {', '.join(DELIMITERS)}, "
            f"got {delimiter!r}"
        )
    return BookEntry(file, row.get("kind"), delimiter, row.get("cached_formulas", False) is True)


def _meter_total(row: Mapping[str, Any]) -> MeterTotal:
    where = f"{RECORDS}, meter_total {_text(row, 'id', 'meter_total')}"
    hours = row["covered_hours"]
    if type(hours) is not int or hours < 0:
        raise RecordInvalid(f"{where}, covered_hours: expected whole hours, got {hours!r}")
    first, last = plain_date(row, "first", where), plain_date(row, "last", where)
    if last < first:
        raise RecordInvalid(f"{where}, last: expected {first} or later, got {last}")
    return MeterTotal(
        row["id"], row["parameter"], _text(row, "meter", where), _value(row, where), first, last,
        hours, _file(row, where),
    )  # fmt: skip


def _manual(row: Mapping[str, Any]) -> ManualEntry:
    where = f"{RECORDS}, manual {_text(row, 'id', 'manual')}"
    return ManualEntry(
        row["id"], row["parameter"], _value(row, where), _text(row, "entered_by", where),
        plain_date(row, "entered_on", where), _text(row, "reason", where), _file(row, where),
    )  # fmt: skip


def _invoice(row: Mapping[str, Any]) -> Invoice:
    where = f"{RECORDS}, invoice {_text(row, 'id', 'invoice')}"
    value = _number(row["coal_received_t"], f"{where}, coal_received_t")
    return Invoice(row["id"], plain_date(row, "issued_on", where), value, _file(row, where))


def _certificate(row: Mapping[str, Any]) -> Certificate:
    where = f"{RECORDS}, certificate {_text(row, 'id', 'certificate')}"
    if row["kind"] not in {"verification", "calibration"}:
        raise RecordInvalid(
            f"{where}, kind: expected verification or calibration, got {row['kind']!r}"
        )
    return Certificate(
        row["id"], _text(row, "meter", where), row["kind"], plain_date(row, "valid_from", where),
        plain_date(row, "valid_to", where), accuracy_class(row["accuracy_class"], where),
        _file(row, where),
    )  # fmt: skip


def _value(row: Mapping[str, Any], where: str) -> Decimal:
    """The value in the unit of the dictionary, which the record must name as well."""
    try:
        entry = field(row["parameter"])
    except BadInput as error:
        raise RecordInvalid(f"{where}, parameter: {error}") from None
    if row["unit"] != entry.unit:
        raise RecordInvalid(
            f"{where}, unit: expected {entry.unit}, got {row['unit']!r} · 单位应为 {entry.unit}"
        )
    return _number(row["value"], f"{where}, value")


def _number(value: object, where: str) -> Decimal:
    if not isinstance(value, str) or PLAIN.fullmatch(value) is None or value.startswith("-"):
        raise RecordInvalid(
            f"{where}: expected a decimal number of at least 0 in quotes such as '1234.50', "
            f"got {value!r} · 应为不小于 0 的数字（加引号）"
        )
    return Decimal(value)


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row[key]
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_CHARS_MAX:
        raise RecordInvalid(f"{where}, {key}: expected a line of text, got {value!r}")
    return value


def _file(row: Mapping[str, Any], where: str) -> str:
    return relative(row["attachment"], f"{where}, attachment")


def relative(value: object, where: str) -> str:
    """A file below the month's folder, by its path from there."""
    text = value if isinstance(value, str) else ""
    parts = text.split("/")
    if not text.isprintable() or "\\" in text or any(part in {"", ".", ".."} for part in parts):
        raise RecordInvalid(f"{where}: expected a file below the month's folder, got {value!r}")
    return text
