"""Proofs of the contracts by halmos, search for known flaws by slither: `make contracts-proofs`.

Each tool lives in an environment of its own below .parts/, from requirements/halmos.txt and
requirements/slither.txt: neither may meet the packages of the product. A proof counts only where
the flaw of mutations.toml that names it (`proof`) makes it fail. Exit code 1 where anything is
not as it should be.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from build import HERE, node_folder
from mutate import Mutation, mutations, workplace

REPOSITORY = HERE.parent
ENVIRONMENTS = REPOSITORY / ".parts" / "proofs"
PROVED, REFUTED = 0, 1  # exit codes of halmos
# Loops of the proofs turn at most 9 times; a proof that takes a solver over a minute has failed.
HALMOS = ("--forge-build-out", "out/proofs", "--loop", "9", "--solver-timeout-assertion", "60000")


def environment(tool: str) -> Path:
    """Folder of the programs of `tool`'s environment; made anew where its lock file changed."""
    lock = REPOSITORY / "requirements" / f"{tool}.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder = ENVIRONMENTS / tool
    stamp = folder / "requirements.sha256"
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"{tool}: packages, each checked against its hash", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command: list[str | Path] = [folder / "bin" / "python", *install]
        command += ["--require-hashes", "-r", lock]
        subprocess.run(command, check=True)
        stamp.write_text(digest)
    return folder / "bin"


def run(command: list[str | Path], folder: Path, **variables: str) -> tuple[int, str]:
    """Exit code and output of `command` in `folder`, with forge and node on the PATH."""
    path = os.pathsep.join(
        [str(HERE / "node_modules" / ".bin"), str(node_folder()), os.environ["PATH"]]
    )
    environ = {**os.environ, "PATH": path, **variables}
    result = subprocess.run(
        command, cwd=folder, env=environ, check=False, stdout=subprocess.PIPE, text=True
    )
    print(result.stdout, flush=True)
    return result.returncode, result.stdout


def prove(programs: Path, folder: Path, contracts: str) -> tuple[int, str]:
    """Exit code and output of halmos for the proofs whose names match `contracts`."""
    command: list[str | Path] = [programs / "python", "proofs/symbolic.py", *HALMOS]
    command += ["--match-contract", contracts]
    return run(command, folder, FOUNDRY_PROFILE="proofs", NO_COLOR="1")


def refuted(programs: Path, folder: Path, mutation: Mutation) -> bool:
    """True where halmos finds a counterexample to the proofs of a flawed contract."""
    target = folder / "src" / mutation.file
    source = target.read_text()
    target.write_text(mutation.applied(source))
    print(f"{mutation.name}: a counterexample is expected", flush=True)
    code, output = prove(programs, folder, mutation.proof)
    target.write_text(source)
    return code == REFUTED and "[FAIL]" in output  # not one that did not compile


def main() -> int:
    """Exit code: 0 where all is proved, every flaw is refuted and slither finds nothing."""
    with tempfile.TemporaryDirectory(prefix="tanzheng-proofs-") as name:
        folder = Path(name)
        workplace(folder)
        halmos = environment("halmos")
        code, _ = prove(halmos, folder, ".*Proofs")
        wrong = [] if code == PROVED else ["a proof fails"]
        twins = [mutation for mutation in mutations() if mutation.proof]
        wrong += [twin.name for twin in twins if not refuted(halmos, folder, twin)]
        code, _ = run([environment("slither") / "slither", "."], folder)
        if code != 0:
            wrong.append("slither has findings")
    for what in wrong:
        print(f"wrong: {what}")
    if not wrong:
        print("all proved, every planted flaw refuted, nothing found by slither")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
