"""Tree, proofs, a year of statements, a receipt, gas: each held to its limit, beside its peer.

The unit of the first two is 2e6 bare `hashlib` calls on 65 bytes in the same run. Times of the tree
are CPU seconds, the best of the rounds; those of the year are by the wall, with every fsync.
Exit code 1 where a limit is not kept.
"""

import sys

from rich.console import Console

from limits import table
from log import gas, peer, tree, year


def main(rounds: int) -> int:
    """Measure, print the table, and say whether every limit was kept."""
    console = Console()
    with console.status("tree of a million leaves 一百万叶"):
        ours = tree.measure(rounds)
    with console.status("pymerkle, in an environment of its own"):
        theirs = peer.measure()
    if theirs.root != ours.root:
        raise SystemExit("pymerkle: expected the same root, got another")
    with console.status("a year of statements 全年声明"):
        rows = [*ours.rows(), *theirs.rows(ours), *year.rows(), *gas.rows()]
    console.print(table("log 日志", rows))
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
