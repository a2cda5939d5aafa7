"""Ed25519 and P-256 behind one pair of classes: forms, PEM, signatures, what is refused."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core import cose
from tanzheng.core.errors import BadInput, EncodingError, SignatureInvalid
from tanzheng.core.hashing import sha256
from tanzheng.core.keys import P256_ORDER, Algorithm, SigningKey, VerifyKey

ED = SigningKey.from_seed(bytes(range(32)))
# RFC 6979, A.2.5: curve P-256, message "sample", with SHA-256.
SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
P256 = SigningKey(ec.derive_private_key(SECRET, ec.SECP256R1()))
SAMPLE_R = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
SAMPLE_S = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
both = pytest.mark.parametrize("key", [ED, P256], ids=["EdDSA", "ES256"])


@both
def test_round_trips(key: SigningKey) -> None:
    assert SigningKey.from_pem(key.to_pem()).public == key.public
    assert VerifyKey.from_pem(key.public.to_pem()) == key.public
    assert VerifyKey.from_hex(key.public.raw.hex(), "key") == key.public
    assert key.public.kid == sha256(key.public.raw)[:16]
    assert repr(key) == f"SigningKey(kid={key.public.kid.hex()})"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_new_key_is_of_the_algorithm_asked_for(algorithm: Algorithm) -> None:
    assert SigningKey.generate(algorithm).public.algorithm is algorithm


def test_raw_p256_is_the_compressed_point() -> None:
    """x of RFC 6979, A.2.5; its y ends in 99, odd."""
    x = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    assert P256.public.raw.hex() == f"03{x}"


@both
@given(data=st.binary(max_size=64))
def test_equal_data_has_an_equal_signature(key: SigningKey, data: bytes) -> None:
    signature = key.sign(data)
    assert (len(signature), key.sign(data)) == (64, signature)
    key.public.verify(signature, data)


def test_nonce_by_rfc_6979_and_the_smaller_s() -> None:
    signature = P256.sign(b"sample").hex()
    assert signature[:64] == SAMPLE_R
    assert int(signature[64:], 16) == P256_ORDER - int(SAMPLE_S, 16)


def test_the_larger_s_is_refused() -> None:
    """Valid for ECDSA, and another hash of the same signed message."""
    with pytest.raises(SignatureInvalid):
        P256.public.verify(bytes.fromhex(SAMPLE_R + SAMPLE_S), b"sample")


@both
@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64])
def test_what_is_no_signature(key: SigningKey, signature: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        key.public.verify(signature, b"")


@both
def test_of_another_key_or_over_other_data(key: SigningKey) -> None:
    signature = key.sign(b"data")
    other = ED if key is P256 else P256
    for public, data in ((key.public, b"date"), (other.public, b"data")):
        with pytest.raises(SignatureInvalid):
            public.verify(signature, data)


@pytest.mark.parametrize(
    "raw",
    [b"", bytes(31), bytes(33), b"\x04" + bytes(32), b"\x02" + b"\xff" * 32, P256.public.raw * 2],
)
def test_what_is_no_public_key(raw: bytes) -> None:
    with pytest.raises(BadInput, match="public key: expected"):
        VerifyKey(raw)
    with pytest.raises(BadInput):
        VerifyKey.from_hex(raw.hex(), "here")


@pytest.mark.parametrize("value", [None, 3, "zz", ED.public.raw.hex().upper(), f"0x{'00' * 31}"])
def test_what_is_no_hexadecimal_key(value: object) -> None:
    with pytest.raises(BadInput, match="here: expected 32 or 33 bytes"):
        VerifyKey.from_hex(value, "here")


@pytest.mark.parametrize(
    "key",
    [
        ec.derive_private_key(7, ec.SECP384R1()),
        ec.derive_private_key(7, ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-384", "secp256k1", "Ed448", "RSA"],
)
def test_another_kind_of_key(key: Any) -> None:
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for read, pem in ((SigningKey.from_pem, private), (VerifyKey.from_pem, public)):
        with pytest.raises(BadInput, match="here: expected Ed25519 or P-256"):
            read(pem, "here")


# ------------------------------------------------------------------ in COSE


@both
def test_the_key_chooses_the_algorithm(key: SigningKey) -> None:
    message = cose.decode1(cose.sign1(b"payload", key, "text/plain"), "text/plain")
    assert message.protected[cose.ALG] == key.public.algorithm
    message.verify(key.public)


@pytest.mark.parametrize("algorithm", [-7.0, -8.0, -35, -9, "ES256", True, None])
def test_another_algorithm_is_refused(algorithm: object) -> None:
    raw = cose.sign1(b"payload", P256, "text/plain", {cose.ALG: algorithm})
    with pytest.raises(EncodingError, match="expected EdDSA or ES256"):
        cose.decode1(raw, "text/plain")


def test_an_algorithm_that_is_not_the_key_s() -> None:
    """The header says EdDSA, the signature is by a P-256 key."""
    raw = cose.sign1(b"payload", P256, "text/plain", {cose.ALG: -8})
    with pytest.raises(SignatureInvalid, match="expected alg -7"):
        cose.decode1(raw, "text/plain").verify(P256.public)
