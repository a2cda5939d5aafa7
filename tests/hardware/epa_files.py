"""Hourly files made for a test: rows as dictionaries, written in either public layout."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

FTP: tuple[str, ...] = (
    "STATE",
    "FACILITY_NAME",
    "ORISPL_CODE",
    "UNITID",
    "OP_DATE",
    "OP_HOUR",
    "OP_TIME",
    "GLOAD (MW)",
    "SLOAD (1000lb/hr)",
    "CO2_MASS (tons)",
    "CO2_MASS_MEASURE_FLG",
    "HEAT_INPUT (mmBtu)",
    "FAC_ID",
    "UNIT_ID",
)
CAMPD: tuple[str, ...] = (
    "State",
    "Facility Name",
    "Facility ID",
    "Unit ID",
    "Associated Stacks",
    "Date",
    "Hour",
    "Operating Time",
    "Gross Load (MW)",
    "Steam Load (1000 lb/hr)",
    "CO2 Mass (short tons)",
    "CO2 Mass Measure Indicator",
    "Heat Input (mmBtu)",
)
_FTP_OF = {
    "oris": "ORISPL_CODE",
    "unit": "UNITID",
    "date": "OP_DATE",
    "hour": "OP_HOUR",
    "op": "OP_TIME",
    "load": "GLOAD (MW)",
    "co2": "CO2_MASS (tons)",
    "heat": "HEAT_INPUT (mmBtu)",
    "name": "FACILITY_NAME",
}
_CAMPD_OF = {
    "oris": "Facility ID",
    "unit": "Unit ID",
    "date": "Date",
    "hour": "Hour",
    "op": "Operating Time",
    "load": "Gross Load (MW)",
    "co2": "CO2 Mass (short tons)",
    "heat": "Heat Input (mmBtu)",
    "name": "Facility Name",
}

Row = dict[str, str]


def row(day: int = 1, hour: int = 0, month: str = "2018-07", **cells: str) -> Row:
    """A clean hour of full operation; `cells` overwrite."""
    year, number = month.split("-")
    clean = {
        "oris": "99",
        "unit": "CT1",
        "date": f"{number}-{day:02d}-{year}",
        "hour": str(hour),
        "op": "1",
        "load": "200",
        "co2": "80.5",
        "heat": "1500.1",
        "name": "A, B & C",
    }
    return clean | cells


def iso(cells: Row) -> Row:
    """The same hour with its date as YYYY-MM-DD."""
    month, day, year = cells["date"].split("-")
    return cells | {"date": f"{year}-{month}-{day}"}


def write_ftp(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """FTP layout; the database numbers FAC_ID and UNIT_ID are there as traps."""
    traps = {"FAC_ID": "8295", "UNIT_ID": "90518"}
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, FTP, restval="", lineterminator="\n")
        writer.writeheader()
        for cells in rows:
            writer.writerow({_FTP_OF[key]: value for key, value in cells.items()} | traps)
    return path


def write_campd(path: Path, rows: Iterable[Row]) -> Path:
    """CAMPD layout, every cell quoted."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, CAMPD, restval="", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        for cells in rows:
            writer.writerow({_CAMPD_OF[key]: value for key, value in iso(cells).items()})
    return path
