"""The certificates for etcd, read from their files."""

from dataclasses import dataclass, field
from pathlib import Path

from registry.config import EtcdAccess
from registry.errors import StoreRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Whom to trust, and what to show, in PEM; without `ca`, whom the system trusts."""

    ca: bytes | None
    certificate: bytes | None
    key: bytes | None = field(repr=False)


def read_certificates(access: EtcdAccess) -> Certificates | None:
    """The certificates as they are in their files now; `None` when none are to be used.

    Raises:
        StoreRefusedError: a file cannot be read.
    """
    if not (access.ca or access.certificate):
        return None
    return Certificates(ca=_read(access.ca), certificate=_read(access.certificate), key=_read(access.key))


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreRefusedError(f"expected a certificate or key for etcd, found: {error}") from error
