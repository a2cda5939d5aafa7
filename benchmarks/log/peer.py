"""pymerkle beside it: GPL, so it lives in an environment of its own and is never a dependency."""

import json
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

from limits import Row
from log.tree import LEAVES, Ours

PACKAGE = "pymerkle==7.0.0"
ENVIRONMENT = Path(".parts/peers") / PACKAGE
PROOFS = 2_000
SCRIPT = f"""
import json, time
from pymerkle import InmemoryTree
leaves = [index.to_bytes(32, "big") for index in range({LEAVES})]
tree = InmemoryTree(algorithm="sha256")
start = time.process_time()
tree.append_entries(leaves)
root = tree.get_root()
built = time.process_time() - start
step = {LEAVES} // {PROOFS}
start = time.process_time()
for index in range(1, {LEAVES}, step):
    tree.prove_inclusion(index)
proved = time.process_time() - start
print(json.dumps({{"build_s": built, "proof_s": proved / {PROOFS}, "root": root.hex()}}))
"""


@dataclass(frozen=True, slots=True)
class Theirs:
    """CPU seconds of building a million leaves in memory, and of one proof; the root."""

    build_s: float
    proof_s: float
    root: bytes

    def rows(self, ours: Ours) -> list[Row]:
        """How many times as long it takes."""
        proofs_s = self.proof_s * LEAVES
        total_s, own_s = self.build_s + proofs_s, ours.build_s + ours.proofs_s
        said = f"{PACKAGE} {total_s:.0f} s ({PROOFS:,} proofs extrapolated), here {own_s:.1f} s"
        alone = f"{PACKAGE} {self.build_s:.1f} s, here {ours.build_s:.2f} s"
        return [
            Row("build and all proofs, faster by", total_s / own_s, "×", said, 15.0, least=True),
            Row("build alone, faster by", self.build_s / ours.build_s, "×", alone),
        ]


def measure() -> Theirs:
    """Install it once, then run it in a process of its own."""
    python = ENVIRONMENT.absolute() / "bin/python"
    if not (ENVIRONMENT / "ready").exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
        (ENVIRONMENT / "ready").touch()
    done = subprocess.run([python, "-c", SCRIPT], check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    return Theirs(told["build_s"], told["proof_s"], bytes.fromhex(told["root"]))
