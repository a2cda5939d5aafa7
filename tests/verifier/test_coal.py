"""A stranger recomputes a coal month: the fuel from the books in the package, all else as ever."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics.coal_plants import (
    BARE_PLANT,
    BARE_TOML,
    DAILY,
    PLANT,
    PLANT_TOML,
    ROWS,
    bare_chain,
    built,
    folder,
    full_chain,
)
from evidence import GATEWAY
from tanzheng.analytics.parameters.bookfiles import needed
from tanzheng.cli.main import app
from tanzheng.core import manifest as shape
from tanzheng.core.bag import bag_files
from tanzheng.core.manifest import Manifest
from tanzheng.core.plant import Plant
from tanzheng.core.trust import TrustedPlant
from tanzheng.verifier.recompute import recompute
from verifier.month import Sealed, rebuilt, seal, write_files

FILES = built(needed(folder()), full_chain(GATEWAY))
BARE = built(needed(folder()), bare_chain(GATEWAY), BARE_TOML)
BOOKS = sorted(path for path in FILES if path.startswith(shape.BOOKS_FOLDER))


def sealed(files: Mapping[str, bytes], plant: Plant = PLANT) -> Sealed:
    """A receipt for the package, and the trust file of somebody who trusts the coal plant."""
    return seal(files, plants=(TrustedPlant(plant.enterprise, plant.sha256),))


def test_a_sealed_coal_month_holds_in_every_point() -> None:
    points = sealed(FILES).points()
    assert points.pop("consistent").verdict == "not asked"
    assert {point.verdict.value for point in points.values()} == {"ok"}
    assert points["figures"].detail == "16 figures and 672 hours, all equal"
    assert points["packs"].detail == "cets_power/2023-2024 1, coal_unit 1"


def test_an_honest_package_comes_out_byte_for_byte() -> None:
    found = recompute(FILES)
    assert found.equal
    assert found.files == FILES
    inputs = {row.name for row in found.rows if row.copied}
    assert inputs == {shape.PLANT_PATH, shape.batches_path("gw1"), *BOOKS}
    assert {"coal_t", "coal_carbon_tc_per_t"} <= {row.name for row in found.rows}


@pytest.mark.parametrize("path", BOOKS)
@pytest.mark.parametrize("place", [0, 0.3, 0.7, 1])
def test_a_changed_byte_of_a_book_is_found(path: str, place: float) -> None:
    data = bytearray(FILES[path])
    data[int(place * (len(data) - 1))] ^= 1
    changed = {**FILES, path: bytes(data)}
    assert not recompute(changed).equal
    assert sealed(FILES).failed() == set()
    points = replace(sealed(FILES), files=changed).points()
    assert points["body"].verdict == "failed"
    assert Path(path).name in points["body"].detail


@pytest.mark.parametrize("path", BOOKS)
def test_a_missing_book_is_named(path: str) -> None:
    found = recompute(rebuilt(FILES, **{path.replace("/", "__"): None}))
    assert found.files is None
    assert f"{path}: expected a file of the month's books" in found.problems[-1]


def test_less_coal_in_books_and_list_with_the_old_figures_is_found() -> None:
    """The operator makes every digest and the receipt anew; the figures are those it reported."""
    less = [{**row, "coal_t": "4999.00"} for row in ROWS[DAILY]]
    other = built(needed(folder(rows={DAILY: less})), full_chain(GATEWAY))
    forged = rebuilt(FILES, **{path.replace("/", "__"): other[path] for path in BOOKS})
    points = sealed(forged).points()
    assert {key for key, point in points.items() if point.verdict == "failed"} == {"figures"}
    assert points["figures"].detail.startswith("co2_calculated_t: expected 284535.08 t")
    rows = {row.name: row for row in recompute(forged).rows}
    assert (rows["coal_t"].reported, rows["coal_t"].recomputed) == ("140000.00 t", "139972.00 t")


def test_a_coal_unit_called_a_gas_unit_is_not_the_plant_that_is_trusted() -> None:
    gas = PLANT_TOML.replace(b'kind = "coal"', b'kind = "gas"')
    points = sealed(rebuilt(FILES, plant=gas)).points()
    assert {"plant", "figures"} <= {k for k, p in points.items() if p.verdict == "failed"}


# ------------------------------------------------------------------ without CEMS


def test_a_sealed_month_without_cems_holds_in_every_point() -> None:
    points = sealed(BARE, BARE_PLANT).points()
    assert points.pop("consistent").verdict == "not asked"
    assert {point.verdict.value for point in points.values()} == {"ok"}
    assert points["figures"].detail == "14 figures and 672 hours, all equal"


def test_a_month_without_cems_recomputed_says_so() -> None:
    found = recompute(BARE)
    assert found.equal
    assert found.files == BARE
    rows = {row.name: row for row in found.rows}
    assert rows["co2_cems_t"].reported == rows["co2_cems_t"].recomputed == "no CEMS 无 CEMS"


def test_a_cems_that_is_trusted_cannot_be_left_out() -> None:
    """The operator drops the CEMS from the plant file, and makes all else anew: it is pinned."""
    assert "plant" in sealed(BARE, PLANT).failed()


def test_an_absence_that_does_not_follow_is_found() -> None:
    described = Manifest.decode(BARE[shape.MANIFEST_PATH])
    silent = replace(described, absent=()).encode()
    payload = {path: data for path, data in BARE.items() if path not in shape.TAG_PATHS}
    forged = bag_files(payload | {shape.MANIFEST_PATH: silent})
    points = sealed(forged, BARE_PLANT).points()
    assert {key for key, point in points.items() if point.verdict == "failed"} == {"figures"}
    assert "absent: expected co2_cems_t, coverage_percent, got none" in points["figures"].detail
    rows = {row.name: row for row in recompute(forged).rows}
    assert (rows["co2_cems_t"].reported, rows["co2_cems_t"].equal) == (None, False)


def test_the_command_recomputes_it(tmp_path: Path) -> None:
    write_files(FILES, tmp_path / "bag")
    again = tmp_path / "again"
    words = ["recompute", str(tmp_path / "bag"), "--out", str(again), "--json"]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    answer = json.loads(ran.stdout)
    assert answer["ok"]
    assert (again / "data/books/book-1.csv").read_bytes() == folder()[DAILY]
