"""Who may know whom. `make lint` runs the import fence; here is what the fence cannot see:
that every member stands inside it, and that each declares exactly what it imports.
"""

import re
from functools import cache
from importlib.metadata import packages_distributions, requires
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from parts import REPOSITORY
from tree import imports, members, package, settings, sources, third_party

# What must never reach a plant gateway, however indirectly.
SERVER_LIBRARIES = {"amqtt", "fastapi", "matplotlib", "numpy", "polars", "psycopg", "web3"}
# Run, not imported.
TOOLS = {
    "import-linter", "mypy", "pyright", "pytest-asyncio", "pytest-randomly", "pytest-timeout",
    "ruff", "types-jsonschema", "types-openpyxl", "types-pyyaml",
    "types-reportlab", "uv", "uv-build",
}  # fmt: skip


def name_of(requirement: str) -> str:
    """ "psycopg[binary]>=3.2" → "psycopg"."""
    return canonicalize_name(Requirement(requirement).name)


@cache
def installed() -> dict[str, set[str]]:
    """Top-level module → names of the installed distributions that bring it."""
    brought = packages_distributions().items()
    return {module: {canonicalize_name(name) for name in names} for module, names in brought}


def distributions(module: str) -> set[str]:
    return installed().get(module, set())


def declared(member: Path) -> set[str]:
    """Distributions a member names, extras included."""
    project = settings(member)["project"]
    extras = project.get("optional-dependencies", {}).values()
    return {name_of(line) for line in chain(project["dependencies"], *extras)}


def developer_requirements() -> set[str]:
    lines = (REPOSITORY / "requirements/dev.in").read_text().splitlines()
    return {name_of(line) for line in lines if line and not line.startswith(("#", "-e"))}


@pytest.mark.parametrize("member", members(), ids=str)
def test_a_member_declares_what_it_imports(member: Path) -> None:
    files = sources(member / "src")
    modules = set[str]().union(*map(third_party, files))
    undeclared = {module for module in modules if not distributions(module) & declared(member)}
    assert not undeclared
    ours = {".".join(name.split(".")[:2]) for path in files for name in imports(path)}
    names = {
        settings(other)["project"]["name"] for other in members() if package(other) in ours
    } - {settings(member)["project"]["name"]}
    assert names <= declared(member), "members it imports"


@pytest.mark.parametrize("member", members(), ids=str)
def test_a_member_imports_what_it_declares(member: Path) -> None:
    """The extras are left out: they name programs and drivers found at run time."""
    modules = set[str]().union(*map(third_party, sources(member / "src")))
    used = set[str]().union(*map(distributions, modules))
    needed = {name_of(line) for line in settings(member)["project"]["dependencies"]}
    idle = {name for name in needed - used if not name.startswith("tanzheng-")}
    assert not idle


def test_tests_import_only_what_is_locked() -> None:
    allowed = developer_requirements().union(*map(declared, members()))
    tops = [REPOSITORY / top for top in ("tests", "benchmarks", "contracts")]
    own = {path.stem for top in tops for path in top.glob("*.py")}
    own |= {path.name for top in tops for path in top.iterdir() if path.is_dir()}
    # These run in environments of their own: requirements/halmos.txt and judges.txt.
    elsewhere = {Path("contracts/proofs"), Path("tests/core/statements/judge.py")}
    files = [file for top in tops for file in sources(top.relative_to(REPOSITORY))]
    files = [file for file in files if not elsewhere & {file, *file.parents}]
    modules = set[str]().union(*map(third_party, files)) - own - {"benchmarks"}
    assert not {module for module in modules if not distributions(module) & allowed}
    idle = developer_requirements() - TOOLS - set[str]().union(*map(distributions, modules))
    assert not idle, "in requirements/dev.in, but no test imports it"


def test_the_edge_installs_without_a_server_library() -> None:
    reached: set[str] = set()
    waiting = {"tanzheng-edge"}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        lines = map(Requirement, requires(name) or [])
        here = [line for line in lines if not line.marker or line.marker.evaluate({"extra": ""})]
        waiting |= {canonicalize_name(line.name) for line in here} - reached
    assert not reached & SERVER_LIBRARIES


def test_every_member_is_known_to_every_tool() -> None:
    root = settings(Path())["tool"]
    packages = {package(member) for member in members()}
    folders = {f"{member}/src" for member in members()}
    assert set(root["importlinter"]["root_packages"]) == packages
    assert folders <= set(root["mypy"]["files"])
    assert {f"$MYPY_CONFIG_FILE_DIR/{folder}" for folder in folders} <= set(
        root["mypy"]["mypy_path"]
    )
    assert folders <= set(root["pyright"]["include"])
    makefile = (REPOSITORY / "Makefile").read_text()
    listed = re.search(r"^MEMBERS := (.*)$", makefile, re.MULTILINE)
    assert listed
    assert set(listed[1].split()) == {str(member) for member in members()}


def test_nobody_may_import_the_demo() -> None:
    """A new member must be added to this contract; the fence would not say so."""
    contracts = settings(Path())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["name"] == "nobody imports the demo"]
    others = {package(member) for member in members()} - {"tanzheng.demo"}
    assert set(contract["source_modules"]) == others
