"""What a server shows, and whom its callers trust: in PEM, replaced while it serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import grpc

from controlplane.errors import CredentialsError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A certificate with its chain, its key, and the roots that vouch for it; all in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    bundle: bytes


Keyring: TypeAlias = Callable[[], Credentials]
"""Gives the credentials that hold now; asked whenever a connection begins, or every second."""


class FileCredentials:
    """Credentials in files that somebody else replaces; they are read again when they changed.

    Without a `bundle`, whoever trusts the certificate itself is to trust us.
    """

    def __init__(self, certificate: Path, key: Path, bundle: Path | None = None) -> None:
        self._files = (certificate, key, bundle or certificate)
        self._seen: tuple[int, ...] = ()
        self._held: Credentials | None = None

    def __call__(self) -> Credentials:
        """The newest that can be read.

        Raises:
            CredentialsError: they could never be read.
        """
        try:
            seen = tuple(file.stat().st_mtime_ns for file in self._files)
            if seen != self._seen or self._held is None:
                certificate, key, bundle = (file.read_bytes() for file in self._files)
                self._held = Credentials(certificate=certificate, key=key, bundle=bundle)
                self._seen = seen
        except OSError as error:
            if self._held is None:
                raise CredentialsError(f"cannot read {error.filename}: {error.strerror}") from error
        return self._held


def server_credentials(keyring: Keyring, client_roots: bytes | None = None) -> grpc.ServerCredentials:
    """What makes a gRPC server encrypt; every new connection gets the certificate of its time.

    With `client_roots`, in PEM, it takes connections only of whom these vouch for.

    Raises:
        CredentialsError: there are none.
    """
    shown = keyring()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        newest = keyring()
        if newest == shown:
            return None
        shown = newest
        return _configuration(newest, client_roots)

    # the stubs do not know that nothing new is an answer, too
    return grpc.dynamic_ssl_server_credentials(
        _configuration(shown, client_roots),
        fetch,  # type: ignore[arg-type]
        require_client_authentication=client_roots is not None,
    )


def first_name(credentials: Credentials) -> str:
    """A name that the certificate holds for: every replica shows one for the same first name.

    Raises:
        CredentialsError: it names nobody.
    """
    from cryptography import x509  # noqa: PLC0415  # 10 MB, for who needs it

    try:
        certificate = x509.load_pem_x509_certificate(credentials.certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.DNSName)[0]
    except (ValueError, IndexError, x509.ExtensionNotFound) as error:
        raise CredentialsError("expected a certificate for a DNS name, found none") from error


def _configuration(
    credentials: Credentials, client_roots: bytes | None
) -> grpc.ServerCertificateConfiguration:
    pairs = [(credentials.key, credentials.certificate)]
    return grpc.ssl_server_certificate_configuration(pairs, client_roots)
