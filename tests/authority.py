"""A time-stamping authority (RFC 3161): `openssl ts` with a key and a certificate of its own."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tanzheng.core.trust import TimestampAuthority

CONFIG = """
[tsa]
dir = {folder}
serial = $dir/serial
signer_digest = {digest}
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = {ess}
"""
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stamps")])
STAMPING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
DAY = timedelta(days=1)


class Authority:
    """An authority in a folder of its own, with an RSA key or one of a curve."""

    def __init__(
        self, folder: Path, curve: ec.EllipticCurve | None = None, ess: str = "sha256",
        digest: str = "sha256", first_day: int = -1, last_day: int = 30,
    ) -> None:  # fmt: skip
        folder.mkdir()
        self.folder = folder
        (folder / "serial").write_text("01\n")
        config = CONFIG.format(folder=folder.resolve(), ess=ess, digest=digest)
        (folder / "tsa.cnf").write_text(config)
        key = ec.generate_private_key(curve) if curve else rsa.generate_private_key(65537, 2048)
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(NAME, NAME, key.public_key(), x509.random_serial_number())
            .not_valid_before(now + first_day * DAY)
            .not_valid_after(now + last_day * DAY)
            .add_extension(STAMPING, critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key.pem").write_bytes(pem)
        (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
        self.trusted = TimestampAuthority("stamps", made.public_bytes(Encoding.DER))

    def stamp(self, data: bytes, digest: str = "sha256", certificates: bool = True) -> bytes:
        """A token over `data`, with its certificates where they are asked for."""
        (self.folder / "data").write_bytes(data)
        wanted = ["-cert"] if certificates else []
        self._openssl("ts", "-query", "-data", "data", f"-{digest}", *wanted, "-out", "query")
        return self._reply("-token_out")

    def reply(self, query: bytes) -> bytes:
        """The response to a request."""
        (self.folder / "query").write_bytes(query)
        return self._reply()

    def _reply(self, *more: str) -> bytes:
        self._openssl(
            "ts", "-reply", "-queryfile", "query", "-config", "tsa.cnf", "-section", "tsa",
            "-inkey", "key.pem", "-signer", "cert.pem", "-out", "reply", *more,
        )  # fmt: skip
        return (self.folder / "reply").read_bytes()

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
