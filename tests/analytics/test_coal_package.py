"""The package of a coal month: batches and books together give it again, to the last byte."""

import contextlib
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import test_package
from analytics.coal_plants import (
    DAILY,
    LAB,
    MONTH,
    OUTPUTS,
    PLANT_TOML,
    ROWS,
    SCAN,
    STANDARD,
    built,
    computed,
    folder,
    full_chain,
    listed,
)
from analytics.spreadsheets import DAILY as DAILY_HEADING
from analytics.spreadsheets import book_bytes, day
from tanzheng.analytics import package
from tanzheng.analytics.errors import BooksMissing, BooksUnneeded, EvidenceMismatch
from tanzheng.analytics.lineage.graph import Kind
from tanzheng.analytics.lineage.package import Lineage
from tanzheng.analytics.parameters.attachments import Attachment
from tanzheng.analytics.parameters.bookfiles import KNOWN_REPORTS, books_in, needed
from tanzheng.analytics.parameters.flaws import AttachmentWrong
from tanzheng.core import canonical_json, manifest
from tanzheng.core.bag import bag_files, check_bag
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.manifest import Manifest, PackageFile, PackageInvalid

BOOKS = folder()
FILES = built(needed(BOOKS))


def repacked(files: Mapping[str, bytes], changed: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """The package with files changed (None: left out), all digests made anew by its maker."""
    payload = {name: body for name, body in files.items() if name not in manifest.TAG_PATHS}
    for path, data in changed.items():
        if data is None:
            del payload[path]
        else:
            payload[path] = data
    old = Manifest.decode(payload.pop(manifest.MANIFEST_PATH))
    fields = {name: getattr(old, name) for name in old.__slots__}
    fields["files"] = tuple(PackageFile.of(name, payload[name]) for name in sorted(payload))
    payload[manifest.MANIFEST_PATH] = Manifest(**fields).encode()
    return bag_files(payload)


def test_the_package_holds_the_books_and_no_scan() -> None:
    held = {path for path in FILES if path.startswith(manifest.BOOKS_FOLDER)}
    books = {f"data/books/book-{number}.csv" for number in range(1, 5)}
    assert held == books | {f"data/books/{n}.toml" for n in ("attachments", "plan", "records")}
    assert FILES["data/books/book-1.csv"] == BOOKS[DAILY]
    assert not [path for path, data in FILES.items() if BOOKS[SCAN] in data]
    digest = Attachment.of(SCAN, BOOKS[SCAN]).sha256.encode()
    assert digest in FILES["data/books/attachments.toml"]
    assert books_in(FILES) == needed(BOOKS)


def test_the_month_follows_from_the_package_alone() -> None:
    package.check(FILES, STANDARD)
    result, closing = package.recompute(FILES, STANDARD)
    assert result.values() == computed(BOOKS).values()
    assert str(closing.deposit) == "ready"
    described = check_bag(FILES)
    assert described.rules.name == "coal_unit"
    again = package.rebuild(FILES, described, {"gw1": list(full_chain())}, STANDARD)
    assert again == FILES


def test_the_findings_say_where_each_figure_comes_from() -> None:
    told = canonical_json.loads(FILES[manifest.FINDINGS_PATH])["sources"]
    assert {item["name"]: item["source"] for item in told}["generation_mwh"] == "metered"
    (carbon,) = [item for item in told if item["name"] == "coal_carbon_tc_per_t"]
    assert carbon["records"] == [{"file": LAB, "place": "rows 2–2"}]


def test_known_reports_are_part_of_the_evidence() -> None:
    """The same scan was used in January: the report does not count, here and at the verifier."""
    used = f"{Attachment.of(SCAN, BOOKS[SCAN]).sha256} TEST-1/G1/2023-01\n".encode()
    files = built({**needed(BOOKS), KNOWN_REPORTS: used})
    assert files["data/books/known-reports.txt"] == used
    package.check(files, STANDARD)
    result, _ = package.recompute(files, STANDARD)
    assert "TEST-1/G1/2023-01" in result.findings[0].en
    with pytest.raises(EvidenceMismatch, match=r"coal_carbon_tc_per_t = 0\.5600 .* got 0\.6479"):
        package.check(repacked(files, {"data/books/known-reports.txt": None}), STANDARD)


def test_a_workbook_is_read_by_the_verifier_as_well() -> None:
    """The daily sheet as XLSX: the same figures."""
    days = [day(number).replace(year=2023, month=2) for number in range(1, 29)]
    book = book_bytes([DAILY_HEADING, *((each, 5000, 21, None) for each in days)])
    named = DAILY.replace(".csv", ".xlsx")
    entry = f'file = "{DAILY}"\nkind = "daily"'
    files = folder(records=(entry, f'file = "{named}"'))
    del files[DAILY]
    other = built(needed(listed({**files, named: book})))
    assert other["data/books/book-1.xlsx"] == book
    package.check(other, STANDARD)
    assert check_bag(other).values() == check_bag(FILES).values()


# ------------------------------------------------------------------ changed by its maker


@pytest.mark.parametrize("path", sorted(p for p in FILES if p.startswith("data/books/")))
def test_one_byte_of_a_book_is_found(path: str) -> None:
    """In its own digests; and where these are made anew, by what no longer follows."""
    old, new = (b'sha256 = "', b'sha256 = "0') if "attachments" in path else (b"2023", b"2024")
    data = FILES[path].replace(old, new, 1)
    assert data != FILES[path]
    with pytest.raises(PackageInvalid, match=path):
        package.check({**FILES, path: data}, STANDARD)
    with pytest.raises((BadInput, EvidenceMismatch)):
        package.check(repacked(FILES, {path: data}), STANDARD)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(p for p in FILES if p.startswith("data/books/"))),
    st.floats(0, 1, exclude_max=True),
    st.binary(max_size=3),
)
def test_hostile_books_are_computed_or_refused_by_name(
    path: str, place: float, piece: bytes
) -> None:
    """Whatever stands in a book, a verifier answers: with figures, or an error of the house."""
    data = FILES[path]
    at = int(place * len(data))
    with contextlib.suppress(TanzhengError):
        package.check(repacked(FILES, {path: data[:at] + piece + data[at + 1 :]}), STANDARD)


def test_a_book_that_does_not_match_its_listed_digest_is_refused() -> None:
    less = FILES["data/books/book-1.csv"].replace(b"5000.00", b"4999.00", 1)
    with pytest.raises(AttachmentWrong, match=r"二月日报\.csv: expected sha256"):
        package.check(repacked(FILES, {"data/books/book-1.csv": less}), STANDARD)


def test_less_coal_with_a_list_to_match_changes_the_figure() -> None:
    rows: Sequence[Mapping[str, str]] = [{**row, "coal_t": "4999.00"} for row in ROWS[DAILY]]
    other = built(needed(folder(rows={DAILY: rows})))
    changed = {path: data for path, data in other.items() if path.startswith("data/books/")}
    with pytest.raises(EvidenceMismatch, match=r"coal_t = 139972\.00"):
        package.check(repacked(FILES, changed), STANDARD)


@pytest.mark.parametrize("name", ["records.toml", "plan.toml", "attachments.toml", "book-2.csv"])
def test_a_missing_book_is_named(name: str) -> None:
    path = f"data/books/{name}"
    with pytest.raises(BooksMissing, match=rf"{name}: expected a file"):
        package.check(repacked(FILES, {path: None}), STANDARD)


def test_without_any_book_the_unit_has_no_fuel() -> None:
    gone = dict.fromkeys(p for p in FILES if p.startswith("data/books/"))
    with pytest.raises(BooksMissing, match="kind coal"):
        package.check(repacked(FILES, gone), STANDARD)


def test_a_file_that_no_record_names_does_not_belong() -> None:
    with pytest.raises(PackageInvalid, match=r"note\.txt: expected no file"):
        package.check(repacked(FILES, {"data/books/note.txt": b""}), STANDARD)


def test_a_gas_package_with_books_is_refused() -> None:
    books = {path: data for path, data in FILES.items() if path.startswith("data/books/")}
    with pytest.raises(BooksUnneeded):
        package.check(repacked(test_package.build(), books), test_package.STANDARD)


# ------------------------------------------------------------------ lineage


def test_fuel_leads_to_books_and_output_to_readings() -> None:
    graph = Lineage.of(FILES).graph
    coal = {node.id for node in graph.reached(["parameter:coal_t"]).nodes.values()}
    assert {
        f"record:{DAILY}#rows 2–29", f"document:books/{DAILY}", "document:books/plan.toml",
        "certificate:books/scale/scale-1", "document:books/scans/scale.pdf",
    } <= coal  # fmt: skip
    assert not [name for name in coal if name.startswith("batches")]
    metered = graph.reached(["parameter:generation_mwh"]).nodes
    kinds = {node.kind for node in metered.values()}
    assert {Kind.READING, Kind.BATCHES, Kind.DEVICE, Kind.CERTIFICATE} <= kinds
    assert f"document:books/{OUTPUTS}" not in metered
    emission = graph.reached(["parameter:co2_calculated_t"]).nodes
    assert f"document:books/{SCAN}" in emission  # of the report on carbon
    assert {f"document:books/{LAB}", "constant:coal_default.oxidation_percent"} <= emission.keys()


def test_every_figure_ends_in_a_document() -> None:
    graph = Lineage.of(FILES).graph
    for name in check_bag(FILES).values():
        reached = graph.reached([f"parameter:{name}"]).nodes
        assert any(node.kind is Kind.DOCUMENT for node in reached.values()), name
    assert {node.id for node in graph.below(f"month:{MONTH}")} == {
        f"parameter:{name}" for name in check_bag(FILES).values()
    }


def test_a_default_leads_to_its_constant() -> None:
    late = [{**ROWS[LAB][0], "obtained_on": "2023-04-10"}]
    graph = Lineage.of(built(needed(folder(rows={LAB: late})))).graph
    below = {node.id for node in graph.below("parameter:coal_carbon_tc_per_t")}
    assert {"constant:coal_default.carbon_tc_per_gj", "parameter:coal_ncv_gj_per_t"} <= below


def test_the_plant_file_is_the_coal_unit() -> None:
    assert FILES[manifest.PLANT_PATH] == PLANT_TOML
