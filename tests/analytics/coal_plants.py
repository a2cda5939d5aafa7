"""A coal-fired unit on paper: February 2023 at full steam, its books, and its package."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache

from analytics import plants
from analytics.chains import KEY, sign_chain
from tanzheng.analytics import package
from tanzheng.analytics.closing import close
from tanzheng.analytics.month import compute, standard_of
from tanzheng.analytics.package import Standard
from tanzheng.analytics.parameters.attachments import (
    ATTACHMENTS,
    Attachment,
    encode_attachments,
)
from tanzheng.analytics.parameters.plan import PLAN
from tanzheng.analytics.parameters.records import RECORDS
from tanzheng.analytics.parameters.sheets import sheets
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.series import Series, from_batches
from tanzheng.core.batch import SignedBatch
from tanzheng.core.calendar import DAY_MS, Month
from tanzheng.core.hashing import sha256
from tanzheng.core.keys import SigningKey
from tanzheng.core.plant import Plant

MONTH = Month(2023, 2)
CLOSED = date(2023, 3, 20)
SLOT_MS = 600_000
_GAS = plants.PLANT_TOML[
    plants.PLANT_TOML.index(b'[[device]]\nid = "gas"') : plants.PLANT_TOML.index(
        b'[[device]]\nid = "cems"'
    )
]
_PLANT_TOML = (
    plants.PLANT_TOML.replace(_GAS, b"")
    .replace(b'kind = "gas"', b'kind = "coal"')
    .replace(b'"300"', b'"600"')
    .replace(b"interval_s = 60\n", b"interval_s = 600\n")
)
DAILY, STOCK, LAB = "books/二月日报.csv", "books/stock.csv", "books/lab.csv"
OUTPUTS, SCAN, SCALE, CALORIMETER = (
    "books/outputs.csv", "scans/化验报告.pdf", "scans/scale.pdf", "scans/calorimeter.pdf"
)  # fmt: skip
METER = "scans/meter.pdf"
PLAN_TOML = """
enterprise = "TEST-1"
unit = "G1"
sector = "power"

[facility]
unit_class = "coal_over_300mw"
rated_capacity_mw = "600"

[[meter]]
id = "scale"
accuracy_class = "0.5"
[[meter]]
id = "calorimeter"
accuracy_class = "0.2"
[[meter]]
id = "meter"
accuracy_class = "0.5"

[[version]]
id = "2023-1"
filed_on = 2022-12-20
valid_from = 2023-01-01
[version.sources]
coal_t = "as_fired"
coal_ncv_gj_per_t = "as_fired"
coal_carbon_tc_per_t = "monthly_composite"
generation_mwh = "metered"
heat_supplied_gj = "document"
operating_hours_h = "metered"
[version.meters]
coal_t = "scale"
coal_ncv_gj_per_t = "calorimeter"
generation_mwh = "meter"
"""


def plant_toml(plan: bytes) -> bytes:
    """The plant file that names this filed plan."""
    source = b'rated_capacity_source = "assumed for tests"\n'
    named = f'filed_plan_sha256 = "{sha256(plan).hex()}"\n'.encode()
    return _PLANT_TOML.replace(source, source + named)


def without_cems(plant_raw: bytes) -> bytes:
    """The same plant with the electricity meter alone: no CEMS, no run state."""
    bare = plant_raw[: plant_raw.index(b'[[device]]\nid = "cems"')]
    operating = f'[unit.operating]\npoint = "{plants.POWER}"\nabove = "600"\n\n'.encode()
    return bare.replace(b"[[gateway]]", operating + b"[[gateway]]")


PLANT_TOML = plant_toml(PLAN_TOML.encode())
BARE_TOML = without_cems(PLANT_TOML)
BARE_PLANT = Plant.parse(BARE_TOML)
PLANT = Plant.parse(PLANT_TOML)
START_MS, END_MS = MONTH.bounds_ms(PLANT.zone)
STANDARD = Standard(*standard_of(PLANT.unit("G1"), MONTH))
_CERTIFICATE = """
[[certificate]]
id = "{0}-1"
meter = "{0}"
kind = "verification"
valid_from = 2022-06-01
valid_to = 2023-05-31
accuracy_class = "0.2"
attachment = "scans/{0}.pdf"
"""
RECORDS_TOML = "".join(
    [
        *(
            f'\n[[book]]\nfile = "{file}"\nkind = "{kind}"\n'
            for file, kind in (
                (DAILY, "daily"),
                (STOCK, "stock"),
                (LAB, "lab"),
                (OUTPUTS, "power_outputs"),
            )
        ),
        *(_CERTIFICATE.format(meter) for meter in ("scale", "calorimeter", "meter")),
    ]
)

Row = Mapping[str, str]
ROWS: Mapping[str, Sequence[Row]] = {
    # 28 × 5,000 t of 21.000 GJ/t
    DAILY: [
        {"day": f"2023-02-{day:02d}", "coal_t": "5000.00", "coal_ncv_gj_per_t": "21.000"}
        for day in range(1, 29)
    ],
    # 20,000 + 141,000 − 0 − 21,000 = 140,000 t
    STOCK: [
        {"month": "2023-02", "coal_opening_stock_t": "20000.00", "coal_received_t": "141000.00",
         "coal_other_use_t": "0.00", "coal_closing_stock_t": "21000.00"}
    ],
    # 0.6160 × (100 − 10) ÷ (100 − 1) = 0.5600 tC/t
    LAB: [
        {"report_id": "R-1", "laboratory": "Lab", "cma_number": "230012345678",
         "sample_id": "S-1", "tier": "monthly_composite", "sampled_on": "2023-02-28",
         "received_on": "2023-03-01", "tested_on": "2023-03-02", "reported_on": "2023-03-03",
         "obtained_on": "2023-03-04", "coal_carbon_ad_tc_per_t": "0.6160",
         "coal_ncv_gj_per_t": "21.000", "coal_hydrogen_ad_percent": "3.81",
         "coal_sulphur_ad_percent": "0.72", "coal_moisture_percent": "10.00",
         "coal_moisture_ad_percent": "1.00", "file": SCAN}
    ],
    OUTPUTS: [{"month": "2023-02", "heat_supplied_gj": "0.00"}],
}  # fmt: skip


def csv_text(kind: str, rows: Sequence[Row]) -> str:
    """Lines of one kind of sheet under its headings."""
    columns = sheets().spec(kind).columns
    lines = [",".join(f'"{column.heading}"' for column in columns)]
    lines += [",".join(row.get(column.name, "") for column in columns) for row in rows]
    return "\n".join(lines) + "\n"


def folder(
    plan: tuple[str, str] = ("", ""),
    records: tuple[str, str] = ("", ""),
    rows: Mapping[str, Sequence[Row]] | None = None,
) -> dict[str, bytes]:
    """The month's folder, scans and their list included, with one text of a file replaced."""
    kinds = {DAILY: "daily", STOCK: "stock", LAB: "lab", OUTPUTS: "power_outputs"}
    files = {
        file: csv_text(kinds[file], lines).encode()
        for file, lines in {**ROWS, **(rows or {})}.items()
    }
    for scan in (SCAN, SCALE, CALORIMETER, METER):
        files[scan] = f"In place of the scan {scan}".encode()
    texts = {PLAN: _replaced(PLAN_TOML, plan), RECORDS: _replaced(RECORDS_TOML, records)}
    return listed(files | texts)


def listed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The folder with a list of its attachments made anew."""
    own = (PLAN, RECORDS, ATTACHMENTS)
    entries = [Attachment.of(name, data) for name, data in files.items() if name not in own]
    return {**files, ATTACHMENTS: encode_attachments(entries)}


def _replaced(text: str, pair: tuple[str, str]) -> bytes:
    assert pair[0] in text
    return text.replace(*pair, 1).encode()


FULL = (plants.Run(plants.START_MS, plants.END_MS, mw=500.0, co2_t_per_h=424.0),)


def readings(runs: Sequence[plants.Run] = FULL) -> dict[str, Series]:
    """February with the unit in `runs` (of `plants.MONTH`), a reading each ten minutes."""
    later = START_MS - plants.START_MS  # February 2018 has as many days
    return {
        point: Series(series.t_ms + later, series.value, series.quality)
        for point, series in plants.record(runs, SLOT_MS).items()
        if point != plants.VOLUME
    }


@cache
def bare_chain(key: SigningKey = KEY) -> tuple[SignedBatch, ...]:
    """The month of the plant without CEMS in signed batches."""
    told = {point: readings()[point] for point in (plants.ENERGY, plants.POWER)}
    return tuple(sign_chain(told, span_ms=DAY_MS, key=key, plant=BARE_PLANT))


@cache
def full_chain(key: SigningKey = KEY) -> tuple[SignedBatch, ...]:
    """The month in signed batches, a day in each."""
    return tuple(sign_chain(readings(), span_ms=DAY_MS, key=key, plant=PLANT))


def computed(
    books: Mapping[str, bytes] | None,
    chain: Sequence[SignedBatch] | None = None,
    plant_raw: bytes | None = None,
) -> MonthResult:
    """The month from batches and books, by the plant file that names their plan."""
    plant = Plant.parse(plant_raw or plant_toml((books or {}).get(PLAN, b"")))
    recorded = from_batches((s.batch for s in chain or full_chain()), plant)
    return compute(
        plant, "G1", MONTH, recorded.series, recorded.gaps, STANDARD.pack, STANDARD.rules,
        recorded.steps, books=books,
    )  # fmt: skip


def built(
    books: Mapping[str, bytes],
    chain: Sequence[SignedBatch] | None = None,
    plant_raw: bytes | None = None,
) -> dict[str, bytes]:
    """The package of such a month."""
    raw = plant_raw or plant_toml(books[PLAN])
    result = computed(books, chain, raw)
    closing = close(result, STANDARD.pack, STANDARD.rules, CLOSED)
    chains = {"gw1": list(chain or full_chain())}
    return package.build(raw, result, closing, STANDARD, chains, bytes(32))
