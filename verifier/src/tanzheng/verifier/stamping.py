"""A time stamp asked for and taken: request and reply of RFC 3161 (§2.4), HTTP (§3.4).

Whoever has a receipt may do it: no key is needed, and the core stays as it is.
"""

import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tanzheng.core.errors import BadInput, CheckFailed, TanzhengError
from tanzheng.core.hashing import sha256
from tanzheng.core.receipt import ATTESTATION_BYTES_MAX
from tanzheng.verifier import der
from tanzheng.verifier.der import Reader
from tanzheng.verifier.timestamp_token import SHA256, read_token

NONCE_BYTES = 8
REPLY_BYTES_MAX = ATTESTATION_BYTES_MAX
TIMEOUT_S = 20.0
REPLY_S_MAX = 30.0
CHUNK_BYTES = 4096
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
GRANTED = {0, 1}  # granted, granted with modifications (§2.4.2)


class StampRefused(CheckFailed):
    """The authority answered, and did not stamp."""


class StampUnavailable(TanzhengError):
    """The authority does not answer as one: try again, or ask another one."""


def request(core: bytes, nonce: int) -> bytes:
    """Return the request (DER) for a stamp of `core`, with the authority's certificate."""
    algorithm = der.element(der.SEQUENCE, der.element(der.OID, SHA256), der.element(der.NULL))
    imprint = der.element(der.SEQUENCE, algorithm, der.element(der.OCTETS, sha256(core)))
    wanted = der.element(der.BOOLEAN, b"\xff")
    return der.element(der.SEQUENCE, der.integer(1), imprint, der.integer(nonce), wanted)


def token_of(data: bytes) -> bytes:
    """Return the token of a reply, or `data` where it is a token by itself.

    `EncodingError` for anything else, `StampRefused` where the authority said no.
    """
    outer = Reader(data, "rfc3161 reply")
    inside = outer.inside(der.SEQUENCE)
    outer.end()
    if inside.tag == der.OID:
        return data
    status = inside.inside(der.SEQUENCE)
    if (code := status.integer()) not in GRANTED:
        raise StampRefused(f"rfc3161 reply: expected a stamp, got status {code}{_said(status)}")
    token = inside.whole(der.SEQUENCE)
    inside.end()
    return token


def _said(status: Reader) -> str:
    """The authority's own words, where it has some."""
    if status.tag != der.SEQUENCE:
        return ""
    texts = status.inside(der.SEQUENCE)
    words = texts.take(texts.tag or 0).decode(errors="replace") if texts.tag else ""
    return f": {words[:200]!r}"


def ask(url: str, core: bytes, nonce: int) -> bytes:
    """Return the token for `core` from the authority at `url`.

    TLS is verified, nothing is followed; `StampUnavailable` where no reply comes or it is another
    request's.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise BadInput(f"--tsa: expected http:// or https://, got {url!r}")
    asked = urllib.request.Request(  # noqa: S310 - the scheme was checked
        url, request(core, nonce), {"content-type": QUERY, "accept": REPLY}
    )
    try:
        with _opener().open(asked, timeout=TIMEOUT_S) as answer:
            kind, data = answer.headers.get_content_type(), _body(answer, url)
    except urllib.error.HTTPError as error:
        raise StampUnavailable(f"{url}: expected a stamp, got status {error.code}") from error
    except (OSError, ValueError) as error:
        raise StampUnavailable(f"{url}: expected an answer, got {error}") from error
    if kind != REPLY:
        raise StampUnavailable(f"{url}: expected {REPLY}, got {kind}")
    token = token_of(data)
    if (found := read_token(token).nonce) != nonce:
        raise StampUnavailable(f"{url}: expected the stamp of nonce {nonce}, got one of {found}")
    return token


def _opener() -> urllib.request.OpenerDirector:
    """Like urllib's own, but that a redirect is an answer like another: nothing is followed."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    return opener


def _body(answer: Any, url: str) -> bytes:
    data, deadline = b"", time.monotonic() + REPLY_S_MAX
    while piece := answer.read1(CHUNK_BYTES):
        data += piece
        if len(data) > REPLY_BYTES_MAX:
            raise StampUnavailable(f"{url}: expected at most {REPLY_BYTES_MAX} bytes, got more")
        if time.monotonic() > deadline:
            raise StampUnavailable(f"{url}: expected a reply within {REPLY_S_MAX:.0f} s")
    return data
