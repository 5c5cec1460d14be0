"""Roots and certificates: made, read and written as PEM."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controlplane.authority.rotation import Life
from controlplane.errors import AuthorityError

if TYPE_CHECKING:
    from collections.abc import Sequence

_END: Final = b"-----END CERTIFICATE-----\n"
_KEY_END: Final = b"-----END PRIVATE KEY-----\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    life: Life


def new_root(trust_domain: str, life: Life) -> Pair:
    """A root that signs for one trust domain."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(f"breakwater {trust_domain}")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name, key.public_key(), life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key, life)


def new_leaf(root: Pair, names: Sequence[str], life: Life) -> Pair:
    """A certificate for servers of these names and addresses, signed by `root`; it never outlives that.

    Raises:
        AuthorityError: the root cannot be read.
    """
    issuer, issuer_key = _decode(root.certificate, root.key)
    life = Life(life.begins_at, min(life.ends_at, root.life.ends_at))
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    builder = (
        _builder(_named("breakwater-controlplane"), issuer.subject, public, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    return _pair(builder.sign(issuer_key, hashes.SHA256()), key, life)


def encode(pairs: Sequence[Pair]) -> bytes:
    """Pairs as one text, each certificate with its key after it."""
    return b"".join(pair.certificate + pair.key for pair in pairs)


def decode(text: bytes) -> tuple[Pair, ...]:
    """The pairs of a text that `encode` made.

    Raises:
        AuthorityError: it is none.
    """
    parts = [part + _KEY_END for part in text.split(_KEY_END) if part.strip()]
    return tuple(_read(*part.partition(_END)) for part in parts)


def _read(certificate: bytes, end: bytes, key: bytes) -> Pair:
    found, _ = _decode(certificate + end, key)
    life = Life(found.not_valid_before_utc, found.not_valid_after_utc)
    return Pair(certificate=certificate + end, key=key, life=life)


def _decode(certificate: bytes, key: bytes) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        found = x509.load_pem_x509_certificate(certificate)
        private = serialization.load_pem_private_key(key, password=None)
    except ValueError as error:
        raise AuthorityError(f"expected a certificate and its key, found: {error}") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise AuthorityError("expected a key on an elliptic curve, found another kind")
    return found, private


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, life: Life) -> Pair:
    return Pair(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        life=life,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: Life
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(life.begins_at)
        .not_valid_after(life.ends_at)
    )


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
