"""The page of the coal month is true: its commands are run on a database and a plant's books."""

import re
from pathlib import Path

import pytest

from analytics.coal_plants import PLANT_TOML, folder, full_chain
from analytics.test_close import ingest
from docs.console import Reader, steps
from parts import REPOSITORY
from tanzheng.analytics.rules.ruleset import load_rules

PAGE = (REPOSITORY / "docs" / "coal-month.md").read_text()
LINES_MAX = 120


def test_the_page_shows_what_happens(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(database_url, tmp_path, full_chain(), PLANT_TOML)
    monkeypatch.setenv("TANZHENG_DATABASE_URL", database_url)
    for name, data in folder().items():
        path = tmp_path / "2023-02" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    reader = Reader(tmp_path)
    shown = steps(PAGE)
    assert len(shown) > 4
    for step in shown:
        reader.do(step)


def test_the_page_is_short_bilingual_and_names_every_rule() -> None:
    assert len(PAGE.splitlines()) <= LINES_MAX
    for heading in re.findall(r"^#+ .*$", PAGE, re.MULTILINE):
        assert re.search("[一-鿿]", heading), heading
    assert [rule.id for rule in load_rules("coal_unit").rules if rule.id not in PAGE] == []
