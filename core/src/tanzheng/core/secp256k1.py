"""Whose signature it is on the curve of Ethereum: public-key recovery (SEC 1 §4.1.6), no signing.

Nothing here is secret, so nothing need take constant time. Written here because a verifier checks a
handful of seals and should not need a compiled package for them.
"""

from tanzheng.core.errors import SignatureInvalid
from tanzheng.core.hashing import keccak256

SIGNATURE_BYTES = 65
"""r, s, and which of the two points of r it is: 32, 32 and 1 byte."""

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
"""Field, order and base point: SEC 2 §2.4.1."""

_Jacobian = tuple[int, int, int]
_INFINITY: _Jacobian = (0, 1, 0)


def recover_address(digest: bytes, signature: bytes) -> bytes:
    """Return the 20 bytes of the account that signed `digest` (32 bytes).

    `SignatureInvalid` where it is no signature of 65 bytes, or the larger of the two values of s:
    the same signature twice would otherwise be two byte strings.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureInvalid(f"signature: expected {SIGNATURE_BYTES} bytes, got {len(signature)}")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    parity = signature[64]
    if not (0 < r < N and 0 < s < N and parity in {0, 1}):
        raise SignatureInvalid("signature: expected r, s and 0 or 1, got other numbers")
    if s > N // 2:
        raise SignatureInvalid("signature: expected the lower of the two forms of a signature")
    square = (pow(r, 3, P) + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        raise SignatureInvalid("signature: expected r to be of a point on the curve")
    point = (r, y if y % 2 == parity else P - y)
    z, inverse = int.from_bytes(digest, "big"), pow(r, -1, N)
    x, y = _affine(_sum_of(-z * inverse % N, G, s * inverse % N, point))
    return keccak256(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:]


def _sum_of(a: int, first: tuple[int, int], b: int, second: tuple[int, int]) -> _Jacobian:
    """a · first + b · second, both in one pass (Shamir)."""
    one, two = (*first, 1), (*second, 1)
    table = (_INFINITY, one, two, _add(one, two))
    total = _INFINITY
    for bit in reversed(range(256)):
        total = _double(total)
        if which := (a >> bit & 1) + 2 * (b >> bit & 1):
            total = _add(total, table[which])
    return total


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if not z:
        return point
    yy = y * y % P
    s, m = 4 * x * yy % P, 3 * x * x % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * yy * yy) % P, 2 * y * z % P


def _add(one: _Jacobian, two: _Jacobian) -> _Jacobian:
    if not one[2] or not two[2]:
        return two if not one[2] else one
    (x1, y1, z1), (x2, y2, z2) = one, two
    z1z1, z2z2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * z2z2 % P, x2 * z1z1 % P
    s1, s2 = y1 * z2 * z2z2 % P, y2 * z1 * z1z1 % P
    if u1 == u2:
        return _double(one) if s1 == s2 else _INFINITY
    h, r = u2 - u1, s2 - s1
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, h * z1 * z2 % P


def _affine(point: _Jacobian) -> tuple[int, int]:
    x, y, z = point
    if not z:
        raise SignatureInvalid("signature: expected a signature by a key, got one by none")
    inverse = pow(z, -1, P)
    return x * inverse * inverse % P, y * inverse**3 % P
