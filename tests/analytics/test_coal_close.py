"""`tanzheng month close --books`: from database and folder to a package that stands alone."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from analytics import plants
from analytics.coal_plants import (
    BARE_TOML,
    DAILY,
    LAB,
    PLANT_TOML,
    SCAN,
    STANDARD,
    bare_chain,
    folder,
    full_chain,
)
from analytics.test_close import ingest
from tanzheng.analytics import folder as packages
from tanzheng.analytics import package
from tanzheng.analytics.commands import app
from tanzheng.analytics.errors import BooksMissing, BooksUnneeded, PackInvalid
from tanzheng.analytics.parameters.attachments import Attachment
from tanzheng.analytics.parameters.flaws import AttachmentWrong
from tanzheng.core.errors import BadInput

NOWHERE = "postgresql://127.0.0.1:1/nothing"


def write(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return path


def close(
    database_url: str, tmp_path: Path, *more: str, raw: bytes = PLANT_TOML, month: str = "2023-02"
) -> Result:
    plant = tmp_path / "plant.toml"
    plant.write_bytes(raw)
    words = f"close --plant {plant} --unit G1 --month {month} --out {tmp_path / 'bag'}"
    options = ["--database-url", database_url, "--today", "2023-03-20", *more]
    return CliRunner().invoke(app, [*words.split(), *options])


def test_a_coal_month_from_gateway_to_package(database_url: str, tmp_path: Path) -> None:
    """The page first, then JSON; the report was used before, so its default counts."""
    ingest(database_url, tmp_path, full_chain(), PLANT_TOML)
    books = write(tmp_path / "books", folder())
    page = close(database_url, tmp_path, "--books", str(books))
    assert page.exit_code == 0, page.exception
    for text in ("284,592.00", "燃煤消耗量", "计量仪表", "ready for deposit · 可存证"):
        assert text in page.stdout
    files = packages.read(tmp_path / "bag")
    package.check(files, STANDARD)
    assert files["data/books/book-1.csv"] == folder()[DAILY]

    (tmp_path / "bag").rename(tmp_path / "first")
    used = tmp_path / "used.txt"
    used.write_text(f"{Attachment.of(SCAN, folder()[SCAN]).sha256} another plant\n")
    again = close(
        database_url, tmp_path, "--books", str(books), "--known-reports", str(used), "--json"
    )
    assert again.exit_code == 0, again.exception
    closed = json.loads(again.stdout)
    assert closed["parameters"]["coal_carbon_tc_per_t"]["value"] == "0.6479"
    sources = {item["name"]: item["status"] for item in closed["sources"]}
    assert sources["coal_carbon_tc_per_t"] == "default"
    assert closed["deposit"] == "explain"


def test_a_coal_month_without_cems_from_gateway_to_package(
    database_url: str, tmp_path: Path
) -> None:
    """One meter and the books: page and JSON say "no CEMS", and the package stands alone."""
    ingest(database_url, tmp_path, bare_chain(), BARE_TOML)
    books = ("--books", str(write(tmp_path / "books", folder())))
    page = close(database_url, tmp_path, *books, raw=BARE_TOML)
    assert page.exit_code == 0, page.exception
    for text in ("284,592.00", "no CEMS   无 CEMS", "运行，无 CEMS", "ready for deposit · 可存证"):
        assert text in page.stdout
    package.check(packages.read(tmp_path / "bag"), STANDARD)

    (tmp_path / "bag").rename(tmp_path / "first")
    again = close(database_url, tmp_path, *books, "--json", raw=BARE_TOML)
    assert again.exit_code == 0, again.exception
    closed = json.loads(again.stdout)
    assert closed["absent"] == {"co2_cems_t": "no_cems", "coverage_percent": "no_cems"}
    assert closed["hours"] == {"no_cems": 672}
    assert closed["parameters"]["operating_hours_h"]["value"] == "672.00"
    assert not closed["absent"].keys() & closed["parameters"].keys()


def test_books_belong_to_coal_units_alone(tmp_path: Path) -> None:
    """Said before the database is asked."""
    assert isinstance(close(NOWHERE, tmp_path).exception, BooksMissing)
    books = ("--books", str(write(tmp_path / "books", folder())))
    gas = close(NOWHERE, tmp_path, *books, raw=plants.PLANT_TOML)
    assert isinstance(gas.exception, BooksUnneeded)
    assert gas.exception.exit_code == 2
    named = close(NOWHERE, tmp_path, "--standard", "hj75/2017", raw=plants.PLANT_TOML)
    assert isinstance(named.exception, PackInvalid)
    alone = close(NOWHERE, tmp_path, "--known-reports", str(tmp_path / "used.txt"))
    assert isinstance(alone.exception, BadInput)
    assert "expected --books as well" in str(alone.exception)


def test_a_month_under_a_draft_must_name_it(tmp_path: Path) -> None:
    books = ("--books", str(write(tmp_path / "books", folder())))
    result = close(NOWHERE, tmp_path, *books, month="2025-02")
    assert isinstance(result.exception, PackInvalid)
    assert "name it to use it: cets_power/2025-2026" in str(result.exception)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (SCAN, b"another scan", "changed after it was listed"),
        (SCAN, None, "expected the file that is listed, got none"),
        ("scans/new.pdf", b"new", "got no entry"),
        (LAB, None, "expected the file that is listed, got none"),
    ],
)
def test_the_folder_is_checked_with_its_scans(
    name: str, data: bytes | None, message: str, tmp_path: Path
) -> None:
    files = {path: body for path, body in folder().items() if path != name}
    books = write(tmp_path / "books", files if data is None else {**files, name: data})
    result = close(NOWHERE, tmp_path, "--books", str(books))
    assert isinstance(result.exception, AttachmentWrong)
    assert message in str(result.exception)
