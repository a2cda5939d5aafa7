"""OpenTimestamps proofs: read to the last byte, bound to the core, and never taken for checked."""

import pytest

from tanzheng.core.errors import EncodingError
from tanzheng.core.opentimestamps import MAGIC, ProofForeign, check_structure
from vectors.world import ots

DIGEST = bytes(range(32))


def test_a_proof_of_that_digest_says_what_it_ends_in() -> None:
    assert check_structure(ots(DIGEST), DIGEST) == "pending, Bitcoin block 800000"


def test_a_proof_of_another_digest() -> None:
    with pytest.raises(ProofForeign):
        check_structure(ots(bytes(32)), DIGEST)


@pytest.mark.parametrize("cut", range(len(ots(DIGEST))))
def test_a_proof_cut_anywhere(cut: int) -> None:
    with pytest.raises(EncodingError):
        check_structure(ots(DIGEST)[:cut], DIGEST)


FLAWS = {
    "trailing byte": ots(DIGEST) + b"\x00",
    "another version": MAGIC + b"\x02" + ots(DIGEST)[len(MAGIC) + 1 :],
    "another hash": MAGIC + b"\x01\x02" + DIGEST[:20] + b"\x00",
    "unknown operation": MAGIC + b"\x01\x08" + DIGEST + b"\x99",
    "endless operations": MAGIC + b"\x01\x08" + DIGEST + b"\x08" * 5000,
    "endless forks": MAGIC + b"\x01\x08" + DIGEST + b"\xff" * 5000,
    "giant piece": MAGIC + b"\x01\x08" + DIGEST + b"\xf0\xff\xff\x7f",
    "longer number": MAGIC + b"\x01\x08" + DIGEST + b"\xf0\x81\x00\x00",
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_damaged_proof(flaw: str) -> None:
    with pytest.raises(EncodingError):
        check_structure(FLAWS[flaw], DIGEST)
