"""How long the certificates that are shown will hold: one that nobody replaces stops everything at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from controlplane.errors import CredentialsError
from registry.families import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from controlplane.credentials import Keyring


class Shown(NamedTuple):
    """A certificate: where it is shown, to whom it is owed (`own` or `given`), and what gives the newest."""

    certificate: str
    issuer: str
    keyring: Keyring


class ExpiryCollector:
    """One gauge for each certificate, read whenever somebody asks."""

    def __init__(self, shown: Sequence[Shown], now: Callable[[], datetime]) -> None:
        self._shown = tuple(shown)
        self._now = now

    def collect(self) -> Iterator[Family]:
        """The seconds that each has left, negative once it is over; one that cannot be read is left out."""
        family = Family(
            name="breakwater_controlplane_certificate_expiry_seconds",
            help="Time until a certificate ends that is shown to sidecars and people, or to the API server.",
            labels=("certificate", "issuer"),
        )
        now = self._now()
        for each in self._shown:
            try:
                left = _ends_at(each.keyring().certificate) - now
            except (CredentialsError, ValueError):
                continue
            family.add(left.total_seconds(), (each.certificate, each.issuer))
        yield family


def _ends_at(certificate: bytes) -> datetime:
    from cryptography import x509  # noqa: PLC0415  # 10 MB, for who shows certificates

    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc
