"""The page of the coal month is true: its commands are run on a database and a plant's books."""

import re
from pathlib import Path

import pytest

from analytics.coal_plants import BARE_TOML, PLANT_TOML, bare_chain, folder, full_chain
from analytics.test_close import ingest
from docs.console import Reader, steps
from parts import REPOSITORY
from tanzheng.analytics.rules.ruleset import load_rules

PAGE, BARE_PAGE = (
    (REPOSITORY / "docs" / f"{name}.md").read_text() for name in ("coal-month", "no-cems")
)
PLANTS = {PAGE: (PLANT_TOML, full_chain), BARE_PAGE: (BARE_TOML, bare_chain)}
LINES_MAX = 120


@pytest.mark.parametrize("page", [PAGE, BARE_PAGE], ids=["coal-month", "no-cems"])
def test_the_page_shows_what_happens(
    page: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, chain = PLANTS[page]
    ingest(database_url, tmp_path, chain(), plant)
    monkeypatch.setenv("TANZHENG_DATABASE_URL", database_url)
    for name, data in folder().items():
        path = tmp_path / "2023-02" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    reader = Reader(tmp_path)
    shown = steps(page)
    assert len(shown) > 2
    for step in shown:
        reader.do(step)


@pytest.mark.parametrize("page", [PAGE, BARE_PAGE], ids=["coal-month", "no-cems"])
def test_the_page_is_short_and_bilingual(page: str) -> None:
    assert len(page.splitlines()) <= LINES_MAX
    for heading in re.findall(r"^#+ .*$", page, re.MULTILINE):
        assert re.search("[一-鿿]", heading), heading


def test_the_page_names_every_rule() -> None:
    assert [rule.id for rule in load_rules("coal_unit").rules if rule.id not in PAGE] == []
