"""RFC 3161 time stamps, by a real authority: `openssl ts` with a key and certificate of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from authority import Authority
from tanzheng.core import receipt
from tanzheng.core.errors import TanzhengError
from tanzheng.core.receipt import with_attestations
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.trust import TimestampAuthority
from tanzheng.verifier.attestations import check_attestations
from tanzheng.verifier.report import exit_code
from tanzheng.verifier.timestamp import check_timestamp
from vectors import world

SEALED = world.small()
DATA = SEALED.receipt()
CORE = receipt.decode(DATA).core


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tsa")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder / "rsa")


def answer(token: bytes, *trusted: TimestampAuthority) -> tuple[int, str, str]:
    """Exit code, verdict and detail of a receipt that carries `token`."""
    found = receipt.decode(with_attestations(DATA, {"rfc3161": token}))
    trust = SEALED.trust(timestamp_authorities=trusted)
    points = check_attestations(found, trust, check_receipt(found, trust))
    (point,) = [each for each in points if each.key == "rfc3161"]
    return exit_code(points), str(point.verdict), point.detail


def test_a_stamp_of_the_core_says_who_and_when(authority: Authority) -> None:
    code, verdict, detail = answer(authority.stamp(CORE), authority.trusted)
    assert (code, verdict) == (0, "ok")
    assert detail.startswith("stamps, 20")
    assert detail.endswith("Z")


@pytest.mark.parametrize("settings", [{"curve": ec.SECP256R1()}, {"ess": "sha1"}])
def test_other_keys_and_attributes(folder: Path, settings: dict[str, Any]) -> None:
    other = Authority(folder / "-".join(settings), **settings)
    assert answer(other.stamp(CORE), other.trusted)[:2] == (0, "ok")


def test_without_an_authority_on_trust_it_is_not_asked(authority: Authority) -> None:
    code, verdict, detail = answer(authority.stamp(CORE))
    assert (code, verdict) == (0, "not asked")
    assert "carried, not checked" in detail


def flipped(data: bytes, at: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


FLAWS: dict[str, tuple[str, Callable[[Authority], bytes]]] = {
    "of other bytes": ("expected a stamp of", lambda a: a.stamp(CORE + b"x")),
    "by another digest": ("expected a stamp of", lambda a: a.stamp(CORE, "sha512")),
    "signature changed": ("not of the trusted", lambda a: flipped(a.stamp(CORE), -1)),
    "cut": ("rfc3161 token: expected", lambda a: a.stamp(CORE)[:-5]),
    "trailing byte": ("rfc3161 token: expected", lambda a: a.stamp(CORE) + b"\x00"),
    "empty": ("rfc3161 token: expected", lambda _: b""),
    "garbage": ("rfc3161 token: expected", lambda _: b"\x30\x03\x02\x01\x01"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_broken_stamp_is_named_and_ends_with_its_own_code(
    authority: Authority, flaw: str
) -> None:
    said, make = FLAWS[flaw]
    code, verdict, detail = answer(make(authority), authority.trusted)
    assert (code, verdict) == (4, "failed")
    assert said in detail


def test_an_authority_nobody_trusts_and_one_for_other_uses(
    folder: Path, authority: Authority
) -> None:
    stranger = Authority(folder / "stranger")
    assert answer(stranger.stamp(CORE), authority.trusted)[0] == 4
    impostor = TimestampAuthority("stamps", stranger.trusted.certificate)
    assert answer(authority.stamp(CORE), impostor)[0] == 4


def test_a_bit_flipped_anywhere_is_refused_but_in_the_certificate_that_came_along(
    authority: Authority,
) -> None:
    """That copy is not read: the certificate on trust is."""
    token, own = authority.stamp(CORE), authority.trusted.certificate
    start = token.index(own) - 4  # the head of the list that holds it
    taken = [
        at
        for at in range(len(token))
        if answer_quickly(flipped(token, at), authority.trusted)
        and not start <= at < start + 4 + len(own)
    ]
    assert taken == []


def answer_quickly(token: bytes, trusted: TimestampAuthority) -> bool:
    """Whether the token alone holds."""
    try:
        return bool(check_timestamp(token, CORE, [trusted]))
    except TanzhengError:
        return False


def test_a_core_that_fails_is_not_hidden_by_its_attestation(authority: Authority) -> None:
    data = with_attestations(DATA, {"rfc3161": authority.stamp(CORE + b"x")})
    found = receipt.decode(data)
    trust = SEALED.trust(timestamp_authorities=(authority.trusted,), log_id=bytes(32))
    points = check_attestations(found, trust, check_receipt(found, trust))
    assert exit_code(points) == 3
    assert json.loads(trust.encode())["timestamp_authorities"][0]["name"] == "stamps"
