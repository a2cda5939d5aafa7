"""Known answers and an independent Keccak."""

from __future__ import annotations

import hashlib

import pytest
from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.hashing import keccak256, keccak256_python, sha256, sm3

KNOWN = {
    b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    b"abc": "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
    b"testing": "5f16f4c7f149ac4f9510d9cf8cf384038ad348b3bcdc01915f95de12df9d1b02",
}


@pytest.mark.parametrize("data", KNOWN)
def test_keccak_known_answers(data: bytes) -> None:
    assert keccak256(data).hex() == keccak256_python(data).hex() == KNOWN[data]


@given(st.binary(max_size=700))
def test_keccak_agrees_with_pycryptodome(data: bytes) -> None:
    digest = keccak.new(digest_bits=256, data=data).digest()
    assert keccak256_python(data) == digest == keccak256(data)


@pytest.mark.parametrize("size", [135, 136, 137, 271, 272, 273])
def test_keccak_at_the_edges_of_a_block(size: int) -> None:
    data = bytes(range(256)) * 2
    assert keccak256_python(data[:size]) == keccak.new(digest_bits=256, data=data[:size]).digest()


def test_sm3_example_of_the_standard() -> None:
    """GB/T 32905-2016, annex A.1."""
    answer = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abc").hex() == answer


def test_sha256_is_the_library_s() -> None:
    assert sha256(b"abc") == hashlib.sha256(b"abc").digest()
