"""How the command line is let in: whom it trusts, and the token that it shows.

Both come from the environment, where the options before the verb leave them too.
"""

from __future__ import annotations

import os
from pathlib import Path

import grpc

from controlplane.cli.errors import UsageError
from registry.config import is_loopback

CA = "BREAKWATER_ADMIN_CA"
TOKEN_FILE = "BREAKWATER_ADMIN_TOKEN_FILE"  # noqa: S105  # the name of a variable with the name of a file
_OPTIONS = (("grpc.max_receive_message_length", -1),)  # the server's own bound is enough


def remember(ca: str, token_file: str) -> None:
    """Let every connection from now on use these files; what is started from here does as well."""
    for variable, path in ((CA, ca), (TOKEN_FILE, token_file)):
        if path:
            os.environ[variable] = path


def connect(address: str) -> grpc.Channel:
    """Return a connection that is made when it is needed, encrypted when it is known whom to trust.

    Raises:
        UsageError: a file cannot be read, or a token would leave this machine in plain text.
    """
    ca = os.environ.get(CA, "")
    if ca:
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(_read(ca)), options=_OPTIONS)
    if os.environ.get(TOKEN_FILE) and not is_loopback(address.rpartition(":")[0].strip("[]")):
        raise UsageError("a token leaves this machine over TLS alone; say whom to trust with --admin-ca FILE")
    return grpc.insecure_channel(address, options=_OPTIONS)


def metadata() -> tuple[tuple[str, str], ...]:
    """Return what goes with every call.

    Raises:
        UsageError: the file of the token cannot be read.
    """
    path = os.environ.get(TOKEN_FILE, "")
    return (("authorization", f"Bearer {_read(path).decode().strip()}"),) if path else ()


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
