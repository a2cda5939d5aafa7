"""An authority of the test's own: certificates for a broker and its clients."""

import datetime as dt
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOUR = dt.timedelta(hours=1)


@dataclass
class Authority:
    """Signs certificates into `folder`; its own is `NAME.pem`."""

    folder: Path
    name: str = "authority"
    _key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.path = self.folder / f"{self.name}.pem"
        own = x509.BasicConstraints(ca=True, path_length=0)
        made = self._builder(self.name, self._key.public_key(), HOUR)
        signed = made.add_extension(own, critical=True).sign(self._key, hashes.SHA256())
        self.path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, address: str = "127.0.0.1", valid: dt.timedelta = HOUR
    ) -> tuple[Path, Path]:
        """Certificate and key of `name` at `address`; a negative `valid` has run out."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            where: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(address))
        except ValueError:
            where = x509.DNSName(address)
        made = self._builder(name, key.public_key(), valid)
        signed = made.add_extension(
            x509.SubjectAlternativeName([where]), critical=False
        ).sign(self._key, hashes.SHA256())  # fmt: skip
        certificate = self.folder / f"{name}.{self.name}.pem"
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        private = certificate.with_suffix(".key")
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, private

    def _builder(
        self, name: str, key: ec.EllipticCurvePublicKey, valid: dt.timedelta
    ) -> x509.CertificateBuilder:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(self.name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * HOUR)
            .not_valid_after(now + valid)
        )
