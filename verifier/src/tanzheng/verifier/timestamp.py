"""RFC 3161 time stamps beside a receipt, checked off line against certificates on trust.

A token is a CMS SignedData over a TSTInfo. It holds where its imprint is the SHA-256 of the
receipt's core, the trusted certificate may stamp time at that moment, the signed attributes bind
the content and that very certificate (RFC 5035), and the signature is its key's.
No chain is built: the trust file names the stamping certificate itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import new
from typing import Any

from asn1crypto import cms, tsp  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tanzheng.core.errors import CheckFailed, EncodingError, SignatureInvalid, TanzhengError
from tanzheng.core.hashing import sha256
from tanzheng.core.trust import TimestampAuthority, Untrusted

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512(),
}  # fmt: skip
ALGORITHMS = {"rsassa_pkcs1v15", "ecdsa"}


class TimestampForeign(CheckFailed):
    """A time stamp in order, but of something else."""


@dataclass(frozen=True, slots=True)
class _Token:
    info: Any
    content: bytes
    signer: Any
    attributes: dict[str, Any]


def check_timestamp(data: bytes, core: bytes, authorities: Sequence[TimestampAuthority]) -> str:
    """Return who stamped `core`, and when; else the error that names what does not hold."""
    try:
        token = _read(data)
        return _check(token, core, authorities)
    except TanzhengError:
        raise
    except Exception as error:  # the parser raises nearly anything for hostile bytes
        raise EncodingError(f"rfc3161: expected a time-stamp token, got {error!r:.120}") from error


def _read(data: bytes) -> _Token:
    outer = cms.ContentInfo.load(data, strict=True)
    if outer["content_type"].native != "signed_data":
        raise EncodingError("rfc3161: expected SignedData")
    signed = outer["content"]
    inner, signers = signed["encap_content_info"], signed["signer_infos"]
    if inner["content_type"].native != "tst_info" or len(signers) != 1:
        raise EncodingError("rfc3161: expected a TSTInfo with one signer")
    _check_form(signed, signers[0])
    content = bytes(inner["content"].parsed.dump())
    attributes = {each["type"].native: each["values"] for each in signers[0]["signed_attrs"]}
    return _Token(tsp.TSTInfo.load(content, strict=True), content, signers[0], attributes)


def _check_form(signed: Any, signer: Any) -> None:
    """What no signature binds is as RFC 5652 and RFC 3161 want it, so that it says nothing else."""
    versions = signed["version"].native, signer["version"].native
    digests = [each.dump() for each in signed["digest_algorithms"]]
    if versions != ("v3", "v1") or digests != [signer["digest_algorithm"].dump()]:
        raise EncodingError("rfc3161: expected SignedData of version 3 with the signer's digest")
    named = signer["signature_algorithm"]
    if named.signature_algo not in ALGORITHMS or named["parameters"].native is not None:
        raise EncodingError("rfc3161: expected a signature by RSA (PKCS #1 v1.5) or ECDSA")


def _check(token: _Token, core: bytes, authorities: Sequence[TimestampAuthority]) -> str:
    imprint = token.info["message_imprint"]
    named = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
    if named != ("sha256", sha256(core)):
        raise TimestampForeign(
            f"rfc3161: expected a stamp of sha256 {sha256(core).hex()}, "
            f"got {named[0]} {named[1].hex()}"
        )
    at: datetime = token.info["gen_time"].native
    authority, certificate = _authority(token, authorities)
    _check_may_stamp(certificate, at)
    _check_attributes(token, authority.certificate)
    _check_signature(token, certificate)
    return f"{authority.name}, {at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _authority(
    token: _Token, authorities: Sequence[TimestampAuthority]
) -> tuple[TimestampAuthority, x509.Certificate]:
    """The authority whose certificate the signer names by issuer and serial number."""
    sid = token.signer["sid"]
    if sid.name != "issuer_and_serial_number":
        raise EncodingError("rfc3161: expected the signer named by issuer and serial number")
    issuer, serial = sid.chosen["issuer"].dump(), sid.chosen["serial_number"].native
    for authority in authorities:
        certificate = x509.load_der_x509_certificate(authority.certificate)
        if (certificate.issuer.public_bytes(), certificate.serial_number) == (issuer, serial):
            return authority, certificate
    raise Untrusted(f"rfc3161: expected an authority on trust, got serial number {serial}")


def _check_may_stamp(certificate: x509.Certificate, at: datetime) -> None:
    """RFC 3161 §2.3: time stamping, critical, and nothing else; and the stamp in its validity."""
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise Untrusted("rfc3161: expected a certificate for time stamping only")
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise Untrusted(f"rfc3161: expected a certificate valid at {at}, it is not")


def _check_attributes(token: _Token, certificate: bytes) -> None:
    digest = new(token.signer["digest_algorithm"]["algorithm"].native, token.content).digest()
    bound = {
        "content_type": "tst_info",
        "message_digest": digest,
    }
    for name, expected in bound.items():
        values = token.attributes[name].native
        if values != [expected]:
            raise TimestampForeign(f"rfc3161: expected the attribute {name} to bind the content")
    version = "signing_certificate_v2" if "signing_certificate_v2" in token.attributes else None
    first = token.attributes[version or "signing_certificate"][0]["certs"][0]
    algorithm = first["hash_algorithm"]["algorithm"].native if version else "sha1"
    if first["cert_hash"].native != new(algorithm, certificate).digest():
        raise TimestampForeign("rfc3161: expected the attribute to bind the trusted certificate")


def _check_signature(token: _Token, certificate: x509.Certificate) -> None:
    """The signature over the attributes, as the SET that RFC 5652 §5.4 wants."""
    signed = token.signer["signed_attrs"].untag().dump()
    signature = token.signer["signature"].native
    digest = HASHES[token.signer["digest_algorithm"]["algorithm"].native]
    named = token.signer["signature_algorithm"].signature_algo
    key = certificate.public_key()
    try:
        if named == "rsassa_pkcs1v15" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), digest)
        elif named == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(digest))
        else:
            raise EncodingError(f"rfc3161: expected a signature of the key's kind, got {named}")
    except InvalidSignature:
        raise SignatureInvalid("rfc3161: the signature is not of the trusted certificate") from None
