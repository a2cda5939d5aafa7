"""Attestations put beside a receipt's core: each of this core, none replaced in silence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tanzheng.core import receipt
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.opentimestamps import check_structure
from tanzheng.core.points import instant
from tanzheng.core.receipt import OPENTIMESTAMPS, RFC3161, Receipt, with_attestations
from tanzheng.core.trust import TimestampAuthority, Trust
from tanzheng.verifier import stamping
from tanzheng.verifier.timestamp import check_imprint, check_timestamp
from tanzheng.verifier.timestamp_token import read_token


@dataclass(frozen=True, slots=True)
class Attested:
    """The receipt with what was put beside its core, and what each says, by kind."""

    data: bytes = field(repr=False)
    receipt: Receipt
    said: Mapping[str, str]


def attest(
    data: bytes, rfc3161: bytes | None, opentimestamps: bytes | None, trust: Trust | None,
    replace: bool = False,
) -> Attested:  # fmt: skip
    """Return the receipt `data` with a time stamp (reply or token), a proof, or both.

    With `trust` the stamp must be of one of its authorities. `BadInput` where the receipt has one
    of the kind already and `replace` is not said; the error of the check where one does not hold.
    """
    found, said, put = receipt.decode(data), dict[str, str](), dict[str, bytes]()
    if rfc3161 is not None:
        put[RFC3161] = stamping.token_of(rfc3161)
        said[RFC3161] = _stamped(put[RFC3161], found.core, trust)
    if opentimestamps is not None:
        put[OPENTIMESTAMPS] = opentimestamps
        ends = check_structure(opentimestamps, sha256(found.core))
        said[OPENTIMESTAMPS] = f"of this core, ends in {ends}; not checked 未核"
    for kind in put:
        if kind in found.attestations and found.attestations[kind] != put[kind] and not replace:
            raise BadInput(
                f"receipt: expected none of {kind} yet, got one; say --replace 已有附加证明"
            )
    return Attested(with_attestations(data, put), found, said)


def _stamped(token: bytes, core: bytes, trust: Trust | None) -> str:
    if trust is not None:
        return check_timestamp(token, core, _authorities(trust))
    read = read_token(token)
    check_imprint(read, core)
    return f"{instant(read.t_ms)}; signature not checked: give --trust 未核签名"


def _authorities(trust: Trust) -> Sequence[TimestampAuthority]:
    if not trust.timestamp_authorities:
        raise BadInput("--trust: expected timestamp_authorities in it, got none")
    return trust.timestamp_authorities
