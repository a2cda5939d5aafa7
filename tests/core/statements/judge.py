"""Opens signed statements with two COSE libraries of others, `cwt` and `pycose`.

Runs in an environment of its own (requirements/judges.txt), which has nothing of Tanzheng: on
standard input comes a JSON list of {raw, pem} (hexadecimal, text), on standard output goes a list
of what each library read, or null where it refused.
"""

import json
import sys
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cwt import COSE, COSEKey  # type: ignore[import-not-found]
from pycose.keys import EC2Key, OKPKey  # type: ignore[import-not-found]
from pycose.keys.curves import P256, Ed25519  # type: ignore[import-not-found]
from pycose.messages import Sign1Message  # type: ignore[import-not-found]

CLAIMS = 15


def by_cwt(raw: bytes, pem: str) -> dict[str, Any]:
    """Algorithm, key id, issuer, subject and payload, where the signature holds."""
    kid = cbor2.loads(cbor2.loads(raw).value[0])[4]
    key = COSEKey.from_pem(pem, kid=kid)
    header, _, payload = COSE.new().decode_with_headers(raw, key)
    claims = header[CLAIMS]
    return read(header[1], header[4], claims, payload)


def by_pycose(raw: bytes, pem: str) -> dict[str, Any]:
    """The same by the other library."""
    message = Sign1Message.decode(raw)
    message.key = pycose_key(pem)
    if not message.verify_signature():
        raise ValueError("signature")
    header = cbor2.loads(message.phdr_encoded)
    return read(header[1], header[4], header[CLAIMS], message.payload)


def pycose_key(pem: str) -> Any:
    public: Any = load_pem_public_key(pem.encode())
    if isinstance(public, Ed25519PublicKey):
        return OKPKey(crv=Ed25519, x=public.public_bytes_raw())
    point = public.public_numbers()
    return EC2Key(crv=P256, x=point.x.to_bytes(32, "big"), y=point.y.to_bytes(32, "big"))


def read(algorithm: int, kid: bytes, claims: dict[int, str], payload: bytes) -> dict[str, Any]:
    stated = cbor2.loads(payload)
    return {
        "algorithm": algorithm,
        "kid": kid.hex(),
        "issuer": claims[1],
        "subject": claims[2],
        "payload": payload.hex(),
        "type": stated["type"],
    }


def judged(judge: Any, raw: bytes, pem: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = judge(raw, pem)
    except Exception:  # noqa: BLE001 – whatever the library raises, it refused
        return None
    return found


if __name__ == "__main__":
    answers = []
    for item in json.load(sys.stdin):
        raw = bytes.fromhex(item["raw"])
        answers.append([judged(judge, raw, item["pem"]) for judge in (by_cwt, by_pycose)])
    json.dump(answers, sys.stdout)
