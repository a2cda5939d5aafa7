"""The documents for users are true: every command is run, every link leads somewhere."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.console import DocumentWrong, Reader, Sample, Shown, blocks, compare, steps
from fix_month import Rehearsal
from parts import REPOSITORY, server_folder
from tanzheng.analytics.evidence import reasons as evidence_reasons
from tanzheng.analytics.evidence.due import reminders
from tanzheng.analytics.evidence.states import Move, State
from tanzheng.analytics.hours import Method
from tanzheng.core.manifest import MANIFEST_PATH, Manifest
from tanzheng.core.points import LABELS
from tanzheng.edge.configuration.config import DEFAULTS, load_config
from tanzheng.ingest.decide import Reason

PAGES = sorted([*REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("docs/protocols/*.md")])
# Coal months need plants that no demo replays: `test_coal_month` brings them; the registry feed
# needs four parties on a chain: `test_registry_feed`.
ELSEWHERE = {"coal-month", "no-cems", "registry-feed"}
DOCUMENTS = [path for path in PAGES if path.stem not in ELSEWHERE]
ROLES = (
    "plant-engineer", "first-meter", "troubleshooting", "platform", "ingest", "schema",
    "corrections", "month", "evidence-month", "verify", "verifier", "log", "statements",
    "who-signs", "verified-emissions", "anchoring", "timestamps", "catastrophe", "registry-feed",
)  # fmt: skip
LINES_MAX = 120
"""A document for one role is read in one sitting."""


def document(name: str) -> str:
    return (REPOSITORY / "docs" / f"{name}.md").read_text()


@pytest.fixture
def reader(july: Rehearsal) -> Iterator[Reader]:
    """Somebody with a finished demo's folder of their own."""
    if july.exit_code:
        pytest.fail(f"the rehearsal failed:\n{july.output[-4000:]}")
    with server_folder() as folder:
        # cp keeps the owners: the servers' data belong to users of their own.
        subprocess.run(["cp", "-a", july.folder, folder / "run"], check=True)
        person = Reader(folder / "run")
        try:
            yield person
        finally:
            person.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_shows_what_happens(path: Path, reader: Reader) -> None:
    for step in steps(path.read_text()):
        if isinstance(step, Sample) or not step.command.startswith("make "):
            reader.do(step)


@pytest.mark.timeout(900)
def test_figures_of_the_worked_month_are_july_s(july: Rehearsal) -> None:
    """Gaps fall where the rehearsal breaks; figures that do not hang on them are exact."""
    raw = (july.folder / "package" / MANIFEST_PATH).read_bytes()
    measured = {"co2_cems_t", "coverage_percent"}
    shown = document("month")
    for item in Manifest.decode(raw).parameters:
        assert item.name in measured or f"{float(item.value):,.{_places(item.value)}f}" in shown


def _places(value: str) -> int:
    return len(value.partition(".")[2])


@pytest.mark.parametrize("name", ROLES)
def test_a_document_for_a_role_is_short_and_bilingual(name: str) -> None:
    text = document(name)
    assert len(text.splitlines()) <= LINES_MAX
    shown = {
        number for start, _, lines in blocks(text) for number in range(start, start + len(lines))
    }
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") and number not in shown:
            assert re.search("[一-鿿]", line), line
            assert re.search("[a-z]", line), line


def test_every_name_a_reader_may_meet_is_explained() -> None:
    rules = tomllib.loads(
        (REPOSITORY / "analytics/src/tanzheng/analytics/rules/gas_unit.toml").read_text()
    )
    reasons = [reason.value for reason in Reason]
    codes = evidence_reasons.reasons()
    gaps = ["agent_down", "overrun", "spool_full", "comms_timeout", "not_available"]
    points = [en.partition(",")[0] for en, _ in LABELS.values()]
    expected = {
        "plant-engineer": [*DEFAULTS, *gaps],
        "platform": reasons,
        "month": [*(method.value for method in Method), *(rule["id"] for rule in rules["rule"])],
        "evidence-month": [*State, *Move, *codes, *(item.id for item in reminders())],
        "verifier": points,
    }
    for name, words in expected.items():
        text = document(name)
        assert [word for word in words if word not in text] == [], name


def test_defaults_of_the_agent_are_as_told() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", document("plant-engineer"), re.MULTILINE)
    units = {"MiB": 1 << 20, "GiB": 1 << 30}
    told: dict[str, int | str] = {}
    for key, default in rows:
        number, _, unit = default.partition(" ")
        if key in DEFAULTS:
            told[key] = int(number) * units.get(unit, 1) if number.isdigit() else default
    assert told == dict(DEFAULTS)


def test_links_between_documents_resolve() -> None:
    pages = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("*/*.md")]
    dead = [
        f"{page.relative_to(REPOSITORY)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert dead == []


def test_every_path_of_the_architecture_exists() -> None:
    named = set()
    for words in re.findall(r"`([^`\n]+)`", (REPOSITORY / "ARCHITECTURE.md").read_text()):
        if "/" in words and " " not in words:
            named |= set(_expanded(words))
    assert "core/…/core/batch.py" in named
    assert [path for path in sorted(named) if not _exists(path)] == []


def _expanded(path: str) -> list[str]:
    """`a/{b,c}.py` → both."""
    found = re.fullmatch(r"(.*)\{(.*)\}(.*)", path)
    return [f"{found[1]}{part}{found[3]}" for part in found[2].split(",")] if found else [path]


def _exists(path: str) -> bool:
    """A path of the repository, `…` standing for folders left out, or one within a member."""
    pattern = path.strip("/").replace("…", "**")
    tops = ("", "*/src/tanzheng/*/")
    return any(any(REPOSITORY.glob(top + pattern)) for top in tops)


def test_make_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set()
    for page in [*REPOSITORY.glob("*.md"), *PAGES]:
        text = page.read_text()
        named |= set(re.findall(r"(?:^\s*|`)make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_samples_of_a_document_are_read_by_what_they_are_for(tmp_path: Path) -> None:
    """The agent's settings name every needed key; what is missing then is only the files."""
    (sample,) = (s for s in steps(document("plant-engineer")) if isinstance(s, Sample))
    (tmp_path / "edge.toml").write_text(sample.text)
    with pytest.raises(Exception, match=r"plant\.toml: expected a readable file"):
        load_config(tmp_path / "edge.toml")


# ---------------------------------------------------------------- the reader is judged, too


def shown(command: str, *output: str) -> Shown:
    return Shown(1, command, output)


def test_a_reader_sees_a_wrong_exit_code(tmp_path: Path) -> None:
    Reader(tmp_path).do(shown("false   # exit code 1"))
    with pytest.raises(DocumentWrong, match="expected exit code 0, got 1"):
        Reader(tmp_path).do(shown("false"))


def test_a_reader_sees_a_wrong_output(tmp_path: Path) -> None:
    Reader(tmp_path).do(shown("echo 17 apples at 09:41:07Z", "3 apples at 10:00:00Z"))
    with pytest.raises(DocumentWrong, match="in this place"):
        Reader(tmp_path).do(shown("echo 17 apples", "17 pears"))


@pytest.mark.parametrize("lines", [("b", "a"), ("a", "c"), ("a", "a")])
def test_shown_lines_come_in_order(lines: tuple[str, ...]) -> None:
    compare(("a", "…", "b"), "a\nx\nb\n")
    with pytest.raises(DocumentWrong):
        compare(lines, "a\nx\nb\n")
