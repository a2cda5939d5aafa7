"""The three hash functions of the evidence store, each as ``bytes -> 32 bytes``.

SHA-256 carries the log and every link of the chain; SM3 (GB/T 32905) goes beside it, over the same
leaves and files, for readers who may only rely on Chinese algorithms; Keccak-256 is the EVM's hash
(the padding of the competition entry, not of FIPS 202: `hashlib.sha3_256` gives another digest).
"""

import hashlib
import importlib
from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives import hashes

HASH_BYTES = 32
HashFunction = Callable[[bytes], bytes]


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 digest (FIPS 180-4)."""
    return hashlib.sha256(data).digest()


def sm3(data: bytes) -> bytes:
    """Return the SM3 digest (GB/T 32905-2016)."""
    # hashlib has SM3 only where its OpenSSL was built with it.
    context = hashes.Hash(hashes.SM3())
    context.update(data)
    return context.finalize()


# ------------------------------------------------------------------ Keccak-256
# Keccak reference, version 3.0 (2011): rate 1088, capacity 512, padding 0x01 … 0x80. Written here
# because a verifier hashes a few dozen trie nodes and should not need a compiled package for them;
# where one is installed (whoever talks to a chain has it), it makes a receipt's check ten times
# as fast.

_RATE_BYTES = 136
_MASK = (1 << 64) - 1


def _round_constants() -> tuple[int, ...]:
    """Section 1.2: bit 2^j − 1 of round i is the output of an LFSR at step j + 7i."""
    register, constants = 1, []
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


def _rho_pi() -> tuple[tuple[int, int], ...]:
    """Where lane x + 5y comes from, and by how much it was turned, in the order of the target."""
    moves = {0: (0, 0)}
    x, y = 1, 0
    for t in range(24):
        turn = (t + 1) * (t + 2) // 2 % 64
        target = y + 5 * ((2 * x + 3 * y) % 5)
        moves[target] = (x + 5 * y, turn)
        x, y = y, (2 * x + 3 * y) % 5
    return tuple(moves[target] for target in range(25))


_ROUND_CONSTANTS = _round_constants()
_RHO_PI = _rho_pi()
_ROWS = (0, 5, 10, 15, 20)


def _permute(a: list[int]) -> list[int]:
    """Keccak-f[1600] on 25 lanes of 64 bits, lane (x, y) at x + 5y."""
    for constant in _ROUND_CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[x - 1] ^ ((c[x - 4] << 1 | c[x - 4] >> 63) & _MASK) for x in range(5)]
        t = [lane ^ d[i % 5] for i, lane in enumerate(a)]
        b = [(t[i] << n | t[i] >> (64 - n)) & _MASK for i, n in _RHO_PI]
        a = [b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]) for y in _ROWS for x in range(5)]
        a[0] ^= constant
    return a


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 digest as the EVM computes it."""
    compiled = _compiled()
    return keccak256_python(data) if compiled is None else compiled(data)


@cache
def _compiled() -> HashFunction | None:
    """The Keccak-256 of pycryptodome, None where that is not installed."""
    try:
        keccak = importlib.import_module("Crypto.Hash.keccak")
    except ImportError:
        return None
    return lambda data: bytes(keccak.new(digest_bits=256, data=data).digest())


def keccak256_python(data: bytes) -> bytes:
    """Return the same digest without any package."""
    padded = bytearray(data)
    padded.extend(bytes(_RATE_BYTES - len(data) % _RATE_BYTES))
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE_BYTES):
        for i in range(_RATE_BYTES // 8):
            at = start + 8 * i
            lanes[i] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
