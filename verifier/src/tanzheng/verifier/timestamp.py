"""RFC 3161 time stamps beside a receipt, checked off line against certificates on trust.

A token holds where its imprint is the SHA-256 of the receipt's core, the trusted certificate may
stamp time at that moment, the signed attributes bind the content and that very certificate
(RFC 5035), and the signature is its key's. No chain is built: the trust file names the stamping
certificate itself.
"""

from collections.abc import Sequence
from hashlib import new
from typing import TypeGuard

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tanzheng.core.errors import BadInput, CheckFailed, EncodingError, SignatureInvalid
from tanzheng.core.hashing import sha256
from tanzheng.core.points import instant
from tanzheng.core.trust import TimestampAuthority, Untrusted
from tanzheng.verifier import der
from tanzheng.verifier.der import Reader
from tanzheng.verifier.timestamp_token import (
    CONTENT_TYPE,
    HASHES,
    MESSAGE_DIGEST,
    SHA256,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    TST_INFO,
    WHERE,
    Token,
    algorithm,
    read_token,
)

DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512(),
}  # fmt: skip
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class TimestampForeign(CheckFailed):
    """A time stamp in order, but of something else."""


def check_timestamp(data: bytes, core: bytes, authorities: Sequence[TimestampAuthority]) -> str:
    """Return who stamped `core`, and when; else the error that names what does not hold."""
    token = read_token(data)
    check_imprint(token, core)
    try:
        authority, certificate = _authority(token, authorities)
        _check_may_stamp(certificate, token.t_ms)
        _check_attributes(token, authority.certificate)
        _check_signature(token, certificate)
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
        raise EncodingError(f"{WHERE}: expected a certificate, got {error!r:.120}") from error
    return f"{authority.name}, {instant(token.t_ms)}"


def read_certificate(data: bytes, where: str) -> bytes:
    """Return the DER of a stamping certificate (PEM or DER); `BadInput` where it is none."""
    try:
        pem = b"-----BEGIN" in data
        load = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
        certificate = load(data)
        _check_use(certificate)
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound, Untrusted) as error:
        detail = f"{where}: expected a certificate for time stamping only, got {error}"
        raise BadInput(detail) from error
    return certificate.public_bytes(Encoding.DER)


def check_imprint(token: Token, core: bytes) -> None:
    """Return where `token` stamps the SHA-256 of `core`; else `TimestampForeign`."""
    kind, digest = token.imprint
    if (kind, digest) != (SHA256, sha256(core)):
        name = HASHES.get(kind, f"digest {kind.hex()}")
        raise TimestampForeign(
            f"{WHERE}: expected a stamp of sha256 {sha256(core).hex()}, got {name} {digest.hex()}"
        )


def _authority(
    token: Token, authorities: Sequence[TimestampAuthority]
) -> tuple[TimestampAuthority, x509.Certificate]:
    """The authority whose certificate the signer names by issuer and serial number."""
    for authority in authorities:
        certificate = x509.load_der_x509_certificate(authority.certificate)
        if _name(certificate) == token.signer:
            return authority, certificate
    raise Untrusted(f"{WHERE}: expected an authority on trust, got {token.signer.hex()}")


def _name(certificate: x509.Certificate) -> bytes:
    """Issuer and serial number, as a signer is named by them."""
    tbs = Reader(certificate.tbs_certificate_bytes, WHERE).inside(der.SEQUENCE)
    if tbs.tag == der.context(0):
        tbs.whole()
    serial, _, issuer = tbs.whole(der.INTEGER), tbs.whole(), tbs.whole(der.SEQUENCE)
    return der.element(der.SEQUENCE, issuer, serial)


def _check_may_stamp(certificate: x509.Certificate, t_ms: int) -> None:
    """The use, and the stamp in the span of the certificate."""
    _check_use(certificate)
    ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    first, last = (int(end.timestamp()) * 1000 for end in ends)
    if not first <= t_ms <= last:
        raise Untrusted(f"{WHERE}: expected a certificate valid at {instant(t_ms)}, it is not")


def _check_use(certificate: x509.Certificate) -> None:
    """RFC 3161 §2.3: time stamping, critical, and nothing else."""
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise Untrusted(f"{WHERE}: expected a certificate for time stamping only")


def _check_attributes(token: Token, certificate: bytes) -> None:
    digest = new(HASHES[token.digest], token.content).digest()
    bound = {
        CONTENT_TYPE: der.element(der.OID, TST_INFO),
        MESSAGE_DIGEST: der.element(der.OCTETS, digest),
    }
    if any(token.attributes.get(kind) != value for kind, value in bound.items()):
        raise TimestampForeign(f"{WHERE}: expected the attributes to bind the content")
    kind, named = _certificate_named(token)
    if named != new(kind, certificate).digest():
        raise TimestampForeign(f"{WHERE}: expected the attribute to bind the trusted certificate")


def _certificate_named(token: Token) -> tuple[str, bytes]:
    """Digest algorithm and digest of the certificate that the attributes name first."""
    for attribute in (SIGNING_CERTIFICATE_V2, SIGNING_CERTIFICATE):
        if attribute not in token.attributes:
            continue
        value = Reader(token.attributes[attribute], f"{WHERE}: attributes").inside(der.SEQUENCE)
        first = value.inside(der.SEQUENCE).inside(der.SEQUENCE)
        if attribute == SIGNING_CERTIFICATE:
            return "sha1", first.take(der.OCTETS)
        kind = algorithm(first) if first.tag == der.SEQUENCE else SHA256
        if kind not in HASHES:
            raise first.error("SHA-256, SHA-384 or SHA-512 before")
        return HASHES[kind], first.take(der.OCTETS)
    raise TimestampForeign(f"{WHERE}: expected an attribute that binds the certificate, got none")


def _check_signature(token: Token, certificate: x509.Certificate) -> None:
    """The signature over the attributes."""
    key, digest = certificate.public_key(), DIGESTS[HASHES[token.digest]]
    try:
        if token.scheme == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(token.signature, token.signed, padding.PKCS1v15(), digest)
        elif token.scheme == "ecdsa" and _is_of_a_known_curve(key):
            _check_form_of_ecdsa(token.signature)
            key.verify(token.signature, token.signed, ec.ECDSA(digest))
        else:
            raise EncodingError(f"{WHERE}: expected a signature of the key's kind")
    except InvalidSignature:
        raise SignatureInvalid(
            f"{WHERE}: the signature is not of the trusted certificate"
        ) from None


def _is_of_a_known_curve(key: object) -> TypeGuard[ec.EllipticCurvePublicKey]:
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES)


def _check_form_of_ecdsa(signature: bytes) -> None:
    outer = Reader(signature, f"{WHERE}: signature")
    pair = outer.inside(der.SEQUENCE)
    outer.end()
    if min(pair.integer(), pair.integer()) <= 0:
        raise pair.error("two numbers above 0 before")
    pair.end()
