"""The pinned tools of contracts/: compiler, forge. `npm ci` there puts them in place."""

from __future__ import annotations

import os
import runpy
import subprocess
import tempfile
from pathlib import Path

from parts import missing

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
BUILD = CONTRACTS / "build.py"


def forge(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the native forge in contracts/; node is put on the PATH for the compiler, its script."""
    binaries = list((CONTRACTS / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge"))
    if not binaries:
        missing("forge below contracts/node_modules")
    node = runpy.run_path(str(BUILD))["node_folder"]()
    with tempfile.TemporaryDirectory() as found:
        # forge replays the failures it has met before; those of a planted flaw are no business
        # of the next run.
        keep = {f"FOUNDRY_{kind}_FAILURE_PERSIST_DIR": found for kind in ("FUZZ", "INVARIANT")}
        path = f"{node}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [str(binaries[0]), *arguments],
            cwd=CONTRACTS,
            env={**os.environ, **keep, "PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
