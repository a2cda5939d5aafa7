"""Starts halmos with one fault of 0.3.3 put right: it runs in the environment of the prover.

halmos declares SHA-256 as a function of as many *bits* as there are bytes to hash, and stops with
"Sort mismatch" at the first call. Here the width is in bits; the function stays uninterpreted.
"""

import sys
from typing import Any

from halmos import __main__ as prover
from halmos import sevm
from z3 import BitVecSort, Function

PREFIX = "f_sha256_"


def of_bits(name: str, domain: Any, codomain: Any) -> Any:
    """The uninterpreted function `name`, over bits also where halmos counted bytes."""
    if name.startswith(PREFIX):
        domain = BitVecSort(8 * int(name.removeprefix(PREFIX)))
    return Function(name, domain, codomain)


if __name__ == "__main__":
    sevm.Function = of_bits
    sys.exit(prover.main())
