"""RFC 3161 tokens taken apart: a CMS SignedData (RFC 5652) over a TSTInfo, to the last byte.

Certificates that came along are in no signature and not read: the trust file has the one that
counts. Else a token says nothing that is not bound: no revocation lists, no unsigned attributes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tanzheng.verifier import der
from tanzheng.verifier.der import Reader

WHERE, TOKEN = "rfc3161", "rfc3161 token"
SHA256 = bytes.fromhex("608648016503040201")  # 2.16.840.1.101.3.4.2.1, as DER carries it
SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # RFC 5652 §5.1
TST_INFO = bytes.fromhex("2a864886f70d0109100104")  # RFC 3161 §2.4.2
CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")  # RFC 5652 §11.1
MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")  # §11.2
SIGNING_CERTIFICATE = bytes.fromhex("2a864886f70d010910020c")  # RFC 2634 §5.4, by SHA-1
SIGNING_CERTIFICATE_V2 = bytes.fromhex("2a864886f70d010910022f")  # RFC 5035 §3
HASHES: Mapping[bytes, str] = {
    SHA256: "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
NULL = der.element(der.NULL)
RSA = bytes.fromhex("2a864886f70d010101")  # rsaEncryption: the digest is named beside it
SIGNATURES: Mapping[bytes, tuple[str, str]] = {
    bytes.fromhex("2a864886f70d01010b"): ("rsa", "sha256"),  # RFC 8017 appendix C
    bytes.fromhex("2a864886f70d01010c"): ("rsa", "sha384"),
    bytes.fromhex("2a864886f70d01010d"): ("rsa", "sha512"),
    bytes.fromhex("2a8648ce3d040302"): ("ecdsa", "sha256"),  # RFC 5758 §3.2
    bytes.fromhex("2a8648ce3d040303"): ("ecdsa", "sha384"),
    bytes.fromhex("2a8648ce3d040304"): ("ecdsa", "sha512"),
}
TIME = re.compile(rb"((?:19[5-9]|[2-9]\d\d)\d{11})(?:\.(\d*[1-9]))?Z")


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart; nothing in it is trusted yet.

    `imprint`: digest algorithm (OID) and digest of what was stamped. `nonce`: of the request, None
    where it had none. `signer`: issuer and serial number as DER. `attributes`: the values by type,
    `signed` all of them as they are signed.
    """

    imprint: tuple[bytes, bytes]
    t_ms: int
    nonce: int | None
    content: bytes
    signer: bytes
    digest: bytes
    attributes: Mapping[bytes, bytes]
    signed: bytes
    scheme: str
    signature: bytes


def read_token(data: bytes) -> Token:
    """Read a token: its form is checked to the last byte, its signature not yet."""
    outer = Reader(data, TOKEN)
    info = outer.inside(der.SEQUENCE)
    outer.end()
    if info.take(der.OID) != SIGNED_DATA:
        raise info.error("SignedData before")
    signed = info.inside(der.context(0))
    info.end()
    content, algorithms, signer = _signed_data(signed.inside(der.SEQUENCE))
    signed.end()
    return _signer(signer, algorithms, content)


def _signed_data(reader: Reader) -> tuple[bytes, bytes, Reader]:
    """The content, its digest algorithms, and the one signer."""
    if reader.integer() != 3:
        raise reader.error("SignedData of version 3 before")
    algorithms = reader.take(der.SET)
    inner = reader.inside(der.SEQUENCE)
    if inner.take(der.OID) != TST_INFO:
        raise inner.error("a TSTInfo before")
    held = inner.inside(der.context(0))
    inner.end()
    content = held.take(der.OCTETS)
    held.end()
    if reader.tag == der.context(0):  # certificates that came along, in no signature
        certificates = reader.inside(der.context(0))
        while certificates.tag is not None:
            certificates.whole()
    signers = reader.inside(der.SET)
    reader.end()
    signer = signers.inside(der.SEQUENCE)
    signers.end()
    return content, algorithms, signer


def _signer(reader: Reader, algorithms: bytes, content: bytes) -> Token:
    if reader.integer() != 1:
        raise reader.error("a signer of version 1 before")
    signer = reader.whole(der.SEQUENCE)
    named = reader.whole(der.SEQUENCE)
    if named != algorithms:
        raise reader.error("the digest algorithm that the content names before")
    digest = algorithm(Reader(named, TOKEN))
    if digest not in HASHES:
        raise reader.error("SHA-256, SHA-384 or SHA-512 before")
    attributes = reader.take(der.context(0))
    scheme = _scheme(reader, HASHES[digest])
    signature = reader.take(der.OCTETS)
    reader.end()
    return Token(
        *_tst_info(content), content, signer, digest, _attributes(attributes),
        der.element(der.SET, attributes),  # RFC 5652 §5.4: signed as a SET
        scheme, signature,
    )  # fmt: skip


def _scheme(reader: Reader, digest: str) -> str:
    """`rsa` or `ecdsa`; with NULL beside the name (RFC 3370 §3.2), and without (RFC 5758 §3.2)."""
    told = reader.whole(der.SEQUENCE)
    found = algorithm(Reader(told, TOKEN))
    scheme, of = SIGNATURES.get(found, ("rsa", digest) if found == RSA else ("", ""))
    if of != digest or told.endswith(NULL) != (scheme == "rsa"):
        raise reader.error(f"RSA (PKCS #1 v1.5) or ECDSA with {digest} before")
    return scheme


def algorithm(reader: Reader) -> bytes:
    """Take an AlgorithmIdentifier; its OID, where its parameters are NULL or left out."""
    inside = reader.inside(der.SEQUENCE)
    found = inside.take(der.OID)
    if inside.tag is not None and inside.take(der.NULL):
        raise inside.error("NULL before")
    inside.end()
    return found


def _tst_info(content: bytes) -> tuple[tuple[bytes, bytes], int, int | None]:
    """Imprint, time in UTC milliseconds and nonce; what else there is is the signer's own."""
    outer = Reader(content, TOKEN)
    info = outer.inside(der.SEQUENCE)
    outer.end()
    if info.integer() != 1:
        raise info.error("version 1 before")
    info.take(der.OID)  # the policy
    imprint = info.inside(der.SEQUENCE)
    found = algorithm(imprint), imprint.take(der.OCTETS)
    imprint.end()
    info.integer()  # the serial number
    t_ms, nonce = _time(info), None
    while info.tag is not None:
        if info.tag == der.INTEGER:
            nonce = info.integer()
        else:
            info.whole()
    return found, t_ms, nonce


def _time(reader: Reader) -> int:
    """A GeneralizedTime as RFC 3161 §2.4.2 wants it."""
    found = TIME.fullmatch(reader.take(der.GENERALIZED_TIME))
    try:
        if found is not None:
            at = datetime.strptime(found[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            return int(at.timestamp()) * 1000 + int((found[2] or b"").ljust(3, b"0")[:3])
    except ValueError:
        pass
    raise reader.error("a time in UTC before")


def _attributes(data: bytes) -> dict[bytes, bytes]:
    """The one value of each attribute by its type."""
    reader, found = Reader(data, TOKEN), dict[bytes, bytes]()
    while reader.tag is not None:
        attribute = reader.inside(der.SEQUENCE)
        kind, values = attribute.take(der.OID), attribute.inside(der.SET)
        attribute.end()
        if kind in found:
            raise reader.error("each attribute once before")
        found[kind] = values.whole()
        values.end()
    return found
