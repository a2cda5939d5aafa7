"""`tanzheng parameters` as a user meets it: folders, attachments, tables, JSON."""

import csv
import io
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from analytics.months import files
from analytics.spreadsheets import DAILY, book_bytes, day
from tanzheng.analytics.parameters.books import read_book
from tanzheng.analytics.parameters.commands import app
from tanzheng.analytics.parameters.example import example_rows, filled
from tanzheng.analytics.parameters.flaws import AttachmentWrong, BookInvalid
from tanzheng.analytics.parameters.monthfolder import attach
from tanzheng.analytics.parameters.sheets import SECTORS, sheets
from tanzheng.analytics.parameters.template import template
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sm3

MONTH = ("--month", "2025-03")


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(word) for word in arguments], env={"COLUMNS": "100"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example's folder, its attachments listed."""
    place = tmp_path / "2025-03"
    for name, data in files().items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    attach(place)
    return place


def test_a_month_as_a_table_and_as_json(folder: Path) -> None:
    page = run("month", folder, *MONTH)
    for words in ("燃煤消耗量", "252,741.40", "monthly", "月缩分样", "as filed", "均与登记一致"):
        assert words in page
    told = json.loads(run("month", folder, *MONTH, "--json"))
    assert told["plan"]["version"] == "2025-1"
    assert {item["name"]: item["value"] for item in told["parameters"]}["coal_t"] == "252741.40"
    (report,) = [a for a in told["attachments"] if a["file"].endswith("HX-2025-0417.txt")]
    assert report["sm3"] == sm3(files()[report["file"]]).hex()
    assert told["parameters"][0]["records"][0]["file"] == "books/2025-03.xlsx"


def test_an_attachment_that_changed_is_gone_or_is_not_listed(folder: Path) -> None:
    (folder / "attachments/INV-0307.txt").write_text("another invoice")
    (folder / "attachments/INV-0321.txt").unlink()
    (folder / "attachments/new.txt").write_text("new")
    with pytest.raises(AttachmentWrong) as raised:
        run("month", folder, *MONTH)
    lines = str(raised.value).splitlines()
    assert len(lines) == 3
    assert "attachments/new.txt: expected it among attachments.toml" in lines[0]
    assert "attachments/INV-0307.txt: expected sha256" in lines[1]
    assert "the file was changed after it was listed" in lines[1]
    assert "attachments/INV-0321.txt: expected the file that is listed, got none" in lines[2]
    with pytest.raises(AttachmentWrong, match="changed after"):
        run("attach", folder)


def test_attach_only_adds(folder: Path) -> None:
    (folder / 'attachments/with "quotes".txt').write_text("x")
    before = (folder / "attachments.toml").read_text()
    assert "1 new, 8 as listed" in run("attach", folder)
    assert "0 new, 9 as listed" in run("attach", folder)
    after = (folder / "attachments.toml").read_text()
    assert set(before.split("\n\n")) <= {block.strip() + "\n" * block.endswith("\n")
                                         for block in after.split("\n\n")}  # fmt: skip
    assert "252,741.40" in run("month", folder, *MONTH)


def test_a_link_is_no_attachment(folder: Path) -> None:
    (folder / "attachments/link.txt").symlink_to("/etc/hostname")
    with pytest.raises(BadInput, match=r"attachments/link\.txt: expected a plain file, got a link"):
        run("month", folder, *MONTH)


def test_known_reports_come_from_a_file(folder: Path, tmp_path: Path) -> None:
    from tanzheng.core.hashing import sha256

    known = tmp_path / "known.txt"
    known.write_text(f"{sha256(files()['attachments/HX-2025-0417.txt']).hex()} unit-2 2025-02\n")
    assert "unit-2 2025-02" in run("month", folder, *MONTH, "--known-reports", known, "--json")
    known.write_text("not a digest\n")
    with pytest.raises(BadInput, match=r"known\.txt, line 1: expected a SHA-256"):
        run("month", folder, *MONTH, "--known-reports", known)


def test_import_all_or_nothing_or_quarantine(tmp_path: Path) -> None:
    rows = [DAILY, (day(1), 8215.4, 20.9, 11), (day(2), "=cmd|' /C calc'!A0", 20.9, 11),
            (day(3), "-1,5", 20.9, 11)]  # fmt: skip
    book = tmp_path / "b.xlsx"
    book.write_bytes(book_bytes(rows))
    with pytest.raises(BookInvalid, match="2 places"):
        run("import", book, "--sector", "power")
    bad = tmp_path / "bad.csv"
    told = json.loads(run("import", book, "--sector", "power", "--quarantine", bad, "--json"))
    assert told["quarantined"] == 2
    assert [line["row"] for line in told["sheets"][0]["lines"]] == [2]
    lines = list(csv.reader(io.StringIO(bad.read_text("utf-8-sig"))))
    assert [line[1] for line in lines] == ["row", "3", "4"]
    assert lines[2][4] == "'-1,5"
    assert not any(cell.startswith(("=", "-", "+", "@")) for line in lines for cell in line)
    with pytest.raises(BadInput, match="expected a new file"):
        run("import", book, "--sector", "power", "--quarantine", bad)
    assert "日报" in run("import", book, "--sector", "power", "--quarantine", tmp_path / "2.csv")


def test_a_wrong_heading_cannot_go_to_quarantine(tmp_path: Path) -> None:
    book = tmp_path / "b.xlsx"
    book.write_bytes(book_bytes([("日期", "燃煤消耗量(kg)"), (day(1), 8215)]))
    with pytest.raises(BookInvalid, match="got the unit 'kg'"):
        run("import", book, "--sector", "power", "--quarantine", tmp_path / "bad.csv")
    assert not (tmp_path / "bad.csv").exists()


@pytest.mark.parametrize("sector", SECTORS)
def test_a_template_filled_with_its_own_example_is_read(sector: str) -> None:
    rows = {spec.name: [spec.example] for spec in sheets().of_sector(sector)}
    book = read_book(filled(rows, sector), "t.xlsx", sector).checked()
    assert [len(sheet.lines) for sheet in book.sheets] == [1] * len(rows)
    assert book.notes == ()


def test_the_template_helps_whoever_fills_it_in() -> None:
    book = load_workbook(io.BytesIO(template("power")))
    page = book["日报 daily"]
    assert page["B1"].value == "燃煤消耗量\ncoal burned (t)"
    assert (page["B1"].font.b, page["C1"].font.b) == (True, False)
    assert page.freeze_panes == "B2"
    assert page["A2"].number_format == "yyyy-mm-dd"
    assert page["C2"].number_format == "0.000"
    kinds = {rule.type for rule in page.data_validations.dataValidation}
    assert kinds == {"date", "decimal"}
    lab = book["化验报告 lab"]
    assert {"list", "date", "decimal"} == {r.type for r in lab.data_validations.dataValidation}
    assert "填写说明 guide" in book.sheetnames


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "t.xlsx"
    run("template", "--sector", "cement", out)
    with pytest.raises(BadInput, match="expected a new file"):
        run("template", "--sector", "cement", out)
    with pytest.raises(BadInput, match=r"ending in \.xlsx"):
        run("template", "--sector", "cement", tmp_path / "t.xls")
    with pytest.raises(BadInput, match="expected a sector of power"):
        run("template", "--sector", "glass", tmp_path / "g.xlsx")
    run("example", tmp_path / "example")
    assert "252,741.40" in run("month", tmp_path / "example", *MONTH)
    with pytest.raises(BadInput, match="expected a new folder"):
        run("example", tmp_path / "example")


def test_the_example_names_every_sheet_but_batches() -> None:
    kinds = {spec.name for spec in sheets().of_sector("power")}
    assert set(example_rows()) == kinds - {"received"}
