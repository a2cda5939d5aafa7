"""Cases of RFC 3161 time stamps beside a receipt."""

import json
from collections.abc import Iterator
from dataclasses import replace

from tanzheng.core.trust import TimestampAuthority
from vectors import stamps, world
from vectors.case import Case, given
from vectors.cases import flipped

RSA = bytes.fromhex("2a864886f70d010101")


def stamped(token: bytes, *trusted: TimestampAuthority) -> Case:
    """The receipt of the log of one leaf with a token beside its core."""
    authorities = {"timestamp_authorities": trusted or (stamps.authority(),)}
    return Case("", given(world.small(), trust=authorities, attestations={"rfc3161": token}))


def timestamps() -> Iterator[Case]:
    for name, case in {**_good(), **_foreign(), **_damaged()}.items():
        yield replace(case, name=name)
    yield from _trusts()


def _good() -> dict[str, Case]:
    good, others = stamps.token("rsa"), stamps.AUTHORITIES.keys()
    trusted = [stamps.authority(name) for name in others]
    return {
        "token of an RSA key": stamped(good),
        "token with the certificate along": stamped(stamps.token("rsa-with-certificate")),
        "token of a P-256 key": stamped(stamps.token("p256"), stamps.authority("p256")),
        "token of a P-384 key, SHA-384": stamped(stamps.token("p384"), stamps.authority("p384")),
        "certificate named by SHA-1": stamped(
            stamps.token("sha1-ess"), stamps.authority("sha1-ess")
        ),
        "signature named with its digest": stamped(good.replace(RSA, RSA[:-1] + b"\x0b")),
        "several authorities on trust": stamped(good, *trusted),
        "a bit flipped in the certificate that came along": stamped(
            flipped(stamps.token("rsa-with-certificate"), 400)
        ),
    }


def _foreign() -> dict[str, Case]:
    good, authority = stamps.token("rsa"), stamps.authority()
    return {
        "of other bytes": stamped(stamps.token("rsa-of-other-bytes")),
        "imprint by another digest": stamped(stamps.token("rsa-by-sha512")),
        "another authority": stamped(stamps.token("stranger")),
        "another authority on trust": stamped(good, stamps.authority("stranger")),
        "certificate expired before": stamped(stamps.token("expired"), stamps.authority("expired")),
        "certificate not valid yet": stamped(stamps.token("not-yet"), stamps.authority("not-yet")),
        "key of a curve that is not known": stamped(stamps.token("k256"), stamps.authority("k256")),
        "certificate cut": stamped(
            good, replace(authority, certificate=authority.certificate[:-1])
        ),
    }


def _damaged() -> dict[str, Case]:
    good, ecdsa = stamps.token("rsa"), stamps.token("p256")
    return {
        "signature of RSA flipped": stamped(flipped(good, -1)),
        "signature of ECDSA flipped": stamped(flipped(ecdsa, -1), stamps.authority("p256")),
        "time flipped": stamped(flipped(good, good.index(b"Z") - 1)),
        "token cut": stamped(good[:-1]),
        "token with a byte more": stamped(good + b"\x00"),
        "no token": stamped(b""),
        "length longer than needed": stamped(b"\x30\x83\x00" + good[2:]),
        "indefinite length": stamped(b"\x30\x80" + good[4:] + bytes(2)),
    }


def _trusts() -> Iterator[Case]:
    good = stamped(stamps.token("rsa")).given
    told = json.loads(good.trust)
    [authority] = told["timestamp_authorities"]
    listed = {
        "authorities, none": [],
        "authority twice": [authority, {**authority, "name": "b"}],
        "authority without a name": [{"certificate": authority["certificate"]}],
        "certificate in upper case": [{**authority, "certificate": "30AA"}],
        "certificate of no bytes": [{**authority, "certificate": ""}],
    }
    for name, value in listed.items():
        trust = json.dumps({**told, "timestamp_authorities": value}).encode()
        yield Case(name, replace(good, trust=trust))
    data = given(world.corrected(), 0, attestations={"rfc3161": stamps.token("rsa")})
    both = {"timestamp_authorities": (stamps.authority(),)}
    superseded = replace(data, trust=world.corrected().trust(**both).encode())
    yield Case("superseded, and a stamp of another receipt", superseded)
