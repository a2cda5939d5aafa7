"""The rules of style that a machine can check (docs: CONTRIBUTING.md)."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from parts import REPOSITORY
from tree import imports, members, package, sources, syntax, tracked_files, tracked_texts

# Protocol code never waits, and is given its bytes, its time and its randomness.
IMPURE = {
    "asyncio", "multiprocessing", "os", "random", "secrets", "select", "socket", "subprocess",
    "threading", "time",
}  # fmt: skip

FUNCTION_LINES_MAX = 45
FUNCTION_LINES_MAX_OF_90_PERCENT = 30
FILE_LINES_MAX = 400
# "path::function": why it is better in one piece. An exception no longer needed is an error.
LONG_FUNCTIONS: dict[str, str] = {}

# Written in pieces, so that this file does not hold what it forbids.
LEFTOVERS = re.compile(
    "|".join(
        [
            r"\b(?:TO" + "DO|FIX" + "ME|XX" + r"X|HA" + r"CK)\b",
            r"\bbreak" + r"point\(",
            r"\bpdb\.set" + "_trace",
            r"NotImplemented" + "Error",
            r"unittest\." + "mock",
            r"^(?:<{7}|>{7}) ",
        ]
    ),
    re.MULTILINE,
)
# Paths that exist on one machine only, and hosts a mirror would replace.
MACHINE = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me/\w+)/",
            r"\bpy" + r"pi\.org|pythonho" + r"sted\.org",
            r"registry\.npm" + r"js\.org",
            r"deb\.deb" + r"ian\.org",
            r"https?://\S+/sim" + "ple",
            r'"resol' + r'ved":\s*"http',
        ]
    )
)

DRIVERS = Path("edge-agent/src/tanzheng/edge/drivers")
DRIVER_FILES = {"README.md", "__init__.py", "codec.py", "driver.py", "sample.toml"}
CASE_FILES = {"config", "capture", "expected"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def pure_modules() -> list[Path]:
    """All of core, and every codec wherever it lives."""
    codecs = [path for path in tracked_files() if path.name == "codec.py"]
    return sorted({*sources(Path("core/src")), *codecs})


@pytest.mark.parametrize("path", pure_modules(), ids=str)
def test_pure_modules_stay_pure(path: Path) -> None:
    taken = {name for name in imports(path) if name.partition(".")[0] in IMPURE}
    assert not taken, f"{path} is pure: expected no {', '.join(sorted(taken))}"


def functions() -> Iterator[tuple[str, int]]:
    """("path::function", lines) of every function of the packages."""
    for member in members():
        for path in sources(member / "src"):
            for node in ast.walk(syntax(path)):
                if isinstance(node, Function):
                    assert node.end_lineno is not None
                    yield f"{path}::{node.name}", node.end_lineno - node.lineno + 1


def test_functions_fit_on_a_screen() -> None:
    long = {name for name, lines in functions() if lines > FUNCTION_LINES_MAX}
    assert long == set(LONG_FUNCTIONS), f"over {FUNCTION_LINES_MAX} lines, or an idle exception"
    lengths = [lines for _, lines in functions()]
    assert statistics.quantiles(lengths, n=10)[-1] <= FUNCTION_LINES_MAX_OF_90_PERCENT


def test_files_stay_one_thing() -> None:
    python = [path for path in tracked_files() if path.suffix == ".py"]
    lines = {str(path): len((REPOSITORY / path).read_text().splitlines()) for path in python}
    long = {path: count for path, count in lines.items() if count > FILE_LINES_MAX}
    assert not long


@pytest.mark.parametrize(("what", "pattern"), [("leftover", LEFTOVERS), ("machine", MACHINE)])
def test_nothing_is_left_that_belongs_elsewhere(what: str, pattern: re.Pattern[str]) -> None:
    found = [
        f"{path}:{text[: match.start()].count(chr(10)) + 1}: {what}: {match.group().strip()}"
        for path, text in tracked_texts()
        for match in pattern.finditer(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (LEFTOVERS, "# TO" + "DO: later"),
        (LEFTOVERS, "    raise NotImplemented" + "Error"),
        (LEFTOVERS, "a = 1\n<<<<<" + "<< HEAD\n"),
        (MACHINE, "see /wo" + "rk/main/README.md"),
        (MACHINE, "--index https://mirror.example/sim" + "ple"),
        (MACHINE, '"resol' + 'ved": "https://mirror.example/solc.tgz"'),
    ],
)
def test_what_does_not_belong_is_recognised(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


def test_the_namespace_has_no_init() -> None:
    """One tanzheng/__init__.py anywhere hides all other members."""
    stray = list(REPOSITORY.glob("*/src/tanzheng/__init__.py"))
    assert not stray


@pytest.mark.parametrize("member", members(), ids=str)
def test_members_are_typed_packages(member: Path) -> None:
    folder = member / "src" / package(member).replace(".", "/")
    assert {folder / "__init__.py", folder / "py.typed"} <= set(tracked_files())


def driver_folders() -> list[Path]:
    return sorted({path.parent for path in tracked_files() if path.parent.parent == DRIVERS})


@pytest.mark.parametrize("folder", driver_folders(), ids=lambda folder: folder.name)
def test_driver_folders_are_alike(folder: Path) -> None:
    files = {str(path.relative_to(folder)) for path in tracked_files() if folder in path.parents}
    assert files >= DRIVER_FILES
    cases: dict[str, set[str]] = {}
    for file in map(Path, files):
        if file.parts[0] == "cases" and len(file.parts) == 3:
            cases.setdefault(file.parts[1], set()).add(file.stem)
    assert cases, "expected cases/<what>/{config, capture, expected}, got none"
    assert all(inside >= CASE_FILES for inside in cases.values()), cases
