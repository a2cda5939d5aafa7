"""Plants the flaws of mutations.toml one at a time and wants the forge tests to find each.

    python contracts/mutate.py             all of them (`make contracts-mutation`)
    python contracts/mutate.py --quick     those that the ordinary suite runs

Exit code 1 where a flaw survives, does not compile, or its place is not found exactly once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from build import HERE, node_folder

# Unoptimised code compiles faster; fewer runs find what these tests find at all.
QUICK_PROFILE = {
    "FOUNDRY_OPTIMIZER": "false",
    "FOUNDRY_FUZZ_RUNS": "128",
    "FOUNDRY_INVARIANT_RUNS": "16",
    "FOUNDRY_DENY": "never",
}


class MutationUnfit(Exception):
    """A planted flaw that proves nothing: it is nowhere, twice, or does not compile."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A flaw: `find`, which stands once in src/`file`, becomes `replace`."""

    name: str
    file: str
    find: str
    replace: str
    quick: bool = False
    proof: str = ""  # the halmos proofs that it must refute

    def applied(self, source: str) -> str:
        """`source` with the flaw; `MutationUnfit` unless its place is found exactly once."""
        count = source.count(self.find)
        if count != 1:
            raise MutationUnfit(f"{self.name}: expected its place once in {self.file}, got {count}")
        return source.replace(self.find, self.replace)


def mutations() -> list[Mutation]:
    """All of mutations.toml."""
    loaded = tomllib.loads((HERE / "mutations.toml").read_text())
    return [Mutation(**entry) for entry in loaded["mutation"]]


def workplace(folder: Path) -> None:
    """A copy of the contracts in `folder` that may be damaged; the npm parts are linked."""
    for name in ("src", "test", "proofs"):
        shutil.copytree(HERE / name, folder / name)
    for name in ("foundry.toml", "slither.config.json", "solc"):
        shutil.copy2(HERE / name, folder / name)
    (folder / "node_modules").symlink_to(HERE / "node_modules")


def failed_tests(folder: Path) -> list[str]:
    """Names of the forge tests that fail in `folder`; `MutationUnfit` if it does not compile."""
    forge = next((HERE / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge"))
    path = f"{node_folder()}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        [forge, "test", "--json"],
        cwd=folder,
        env={**os.environ, **QUICK_PROFILE, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    report = result.stdout[result.stdout.find('{"test/') :]
    try:
        suites = json.loads(report)
    except json.JSONDecodeError:
        raise MutationUnfit(f"expected forge to compile, got {result.stdout[-1500:]}") from None
    return [
        name.partition("(")[0]
        for suite in suites.values()
        for name, outcome in suite["test_results"].items()
        if outcome["status"] != "Success"
    ]


def survivors(chosen: list[Mutation]) -> list[str]:
    """Names of the flaws that no test found; prints who found the others."""
    alive = []
    with tempfile.TemporaryDirectory(prefix="tanzheng-mutation-") as name:
        folder = Path(name)
        workplace(folder)
        if sound := failed_tests(folder):
            raise MutationUnfit(f"expected sound contracts to pass, got {', '.join(sound)}")
        for mutation in chosen:
            target = folder / "src" / mutation.file
            source = target.read_text()
            target.write_text(mutation.applied(source))
            found = failed_tests(folder)
            target.write_text(source)
            shutil.rmtree(folder / "cache" / "invariant", ignore_errors=True)
            verdict = f"found by {len(found)} tests, {found[0]} first" if found else "SURVIVES"
            print(f"{mutation.name}: {verdict}", flush=True)
            if not found:
                alive.append(mutation.name)
    return alive


def main(quick: bool) -> int:
    """Exit code: 0 where every flaw is found."""
    chosen = [mutation for mutation in mutations() if mutation.quick or not quick]
    alive = survivors(chosen)
    print(f"{len(chosen) - len(alive)} of {len(chosen)} planted flaws found")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(quick="--quick" in sys.argv[1:]))
