"""RFC 3161 time stamps, by a real authority: `openssl ts` with a key and certificate of its own."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

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
CONFIG = """
[tsa]
dir = {folder}
serial = $dir/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = {ess}
[stamping]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = {usage}
"""


class Authority:
    """A time-stamping authority in a folder."""

    def __init__(
        self, folder: Path, key: str = "rsa:2048", usage: str = "critical, timeStamping",
        ess: str = "sha256",
    ) -> None:  # fmt: skip
        folder.mkdir()
        self.folder = folder
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder, usage=usage, ess=ess))
        curve = ["-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else []
        self._openssl(
            "req", "-x509", "-newkey", key, *curve, "-nodes", "-keyout", "key.pem", "-out",
            "cert.pem", "-days", "30", "-subj", "/CN=stamps", "-extensions", "stamping",
            "-config", "tsa.cnf", "-section", "tsa",
        )  # fmt: skip

    @property
    def trusted(self) -> TimestampAuthority:
        pem = (self.folder / "cert.pem").read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        return TimestampAuthority("stamps", certificate.public_bytes(Encoding.DER))

    def stamp(self, data: bytes, digest: str = "sha256") -> bytes:
        """A token over `data`."""
        (self.folder / "data").write_bytes(data)
        self._openssl("ts", "-query", "-data", "data", f"-{digest}", "-cert", "-out", "query")
        self._openssl(
            "ts", "-reply", "-queryfile", "query", "-config", "tsa.cnf", "-section", "tsa",
            "-inkey", "key.pem", "-signer", "cert.pem", "-token_out", "-out", "token",
        )  # fmt: skip
        return (self.folder / "token").read_bytes()

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


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


@pytest.mark.parametrize("settings", [{"key": "ec"}, {"ess": "sha1"}])
def test_other_keys_and_attributes(folder: Path, settings: dict[str, str]) -> None:
    other = Authority(folder / "-".join(settings.values()), **settings)
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
    "cut": ("expected a time-stamp token", lambda a: a.stamp(CORE)[:-5]),
    "trailing byte": ("expected a time-stamp token", lambda a: a.stamp(CORE) + b"\x00"),
    "empty": ("expected a time-stamp token", lambda _: b""),
    "garbage": ("expected a time-stamp token", lambda _: b"\x30\x03\x02\x01\x01"),
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
