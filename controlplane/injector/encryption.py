"""What makes the webhooks' server encrypt: Python's own, which only they need."""

from __future__ import annotations

import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controlplane.credentials import Credentials, Keyring


def ssl_context(keyring: Keyring) -> ssl.SSLContext:
    """What encrypts; every new connection gets the certificate of its time.

    Raises:
        CredentialsError: there are none.
    """
    shown = keyring()
    context = _context(shown)
    newest = context

    def choose(connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        nonlocal shown, newest
        found = keyring()
        if found != shown:
            with suppress(ssl.SSLError):  # half replaced: the pair of before is shown until the other half is
                shown, newest = found, _context(found)
        connection.context = newest

    context.sni_callback = choose
    return context


def _context(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as directory:  # the library reads files alone
        file = Path(directory) / "credentials.pem"
        file.touch(mode=0o600)
        file.write_bytes(credentials.key + credentials.certificate)
        context.load_cert_chain(file)
    return context
