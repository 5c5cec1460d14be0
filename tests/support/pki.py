"""A certificate authority for tests, and the leaves it signs, as PEM files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFE = timedelta(days=1)
AHEAD = timedelta(minutes=5)  # a clock a little behind ours accepts them too


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs leaves; everything it makes is in `folder`, its own certificate in `certificate`."""

    def __init__(self, folder: Path, *, name: str = "test authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = folder / "ca.pem"
        builder = _builder(self._name, self._name, self._key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        _write_certificate(self.certificate, builder.sign(self._key, hashes.SHA256()))

    def leaf(
        self,
        name: str,
        *,
        addresses: Sequence[str] = ("127.0.0.1",),
        organization: str = "",
        life: timedelta = LIFE,
    ) -> Leaf:
        """Return a new leaf for clients, and for servers of this DNS name at these addresses.

        The organization, where there is one, is the group that Kubernetes takes a client to be in. A `life`
        below zero is over.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name), *(x509.IPAddress(ip_address(one)) for one in addresses)]
        builder = _builder(_named(name, organization), self._name, key, life)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        leaf = Leaf(certificate=self._folder / f"{name}.pem", key=self._folder / f"{name}.key")
        _write_certificate(leaf.certificate, builder.sign(self._key, hashes.SHA256()))
        _write_key(leaf.key, key)
        return leaf


def _named(name: str, organization: str = "") -> x509.Name:
    group = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*group, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta = LIFE
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - AHEAD)
        .not_valid_after(now + life)
    )


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
