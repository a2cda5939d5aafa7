"""JSON with a detached COSE_Sign1 beside it: `{"NAME": {…}, "signature": "base64"}`, canonical."""

from typing import Any

from tanzheng.core import base64_text, canonical_json, closed, cose
from tanzheng.core.errors import EncodingError
from tanzheng.core.keys import SigningKey

SIGNATURE_BYTES_MAX = 1024


def sign(name: str, payload: bytes, key: SigningKey, content_type: str) -> bytes:
    """Return `payload`, canonical JSON, under `name` with the signature over it."""
    signature = base64_text.encode(cose.sign1(payload, key, content_type, detached=True))
    return b'{"%b":%b,"signature":"%b"}' % (name.encode(), payload, signature.encode())


def read(
    raw: bytes, name: str, content_type: str, bytes_max: int, where: str
) -> tuple[Any, bytes, cose.Sign1]:
    """Return what stands under `name`, its canonical bytes, and the message that signs them.

    Its form is checked, its signature not yet. `EncodingError` names what is wrong.
    """
    if len(raw) > bytes_max:
        raise EncodingError(f"{where}: expected at most {bytes_max} bytes, got {len(raw)}")
    source = closed.record(canonical_json.loads(raw, where), (name, "signature"), where)
    payload = canonical_json.dumps(source[name])
    signature = base64_text.decode(source["signature"], SIGNATURE_BYTES_MAX, f"{where}.signature")
    message = cose.decode1(signature, content_type, detached_payload=payload)
    return source[name], payload, message
