"""The token that stands for a user and a password."""

import asyncio
from collections.abc import Awaitable, Callable

from registry.config import EtcdAccess
from registry.errors import StoreRefusedError

Authenticate = Callable[[str, str], Awaitable[str]]
"""Returns a token for a user and a password, or none if etcd wants none."""


class Token:
    """A token that is asked for when first needed, and anew when etcd no longer knows it."""

    def __init__(self, access: EtcdAccess, authenticate: Authenticate) -> None:
        self._access = access
        self._authenticate = authenticate
        self._token: str | None = None
        self._renewal = asyncio.Lock()

    async def get(self) -> str:
        """The token to send with a call; empty when there is no user.

        Raises:
            StoreRefusedError: etcd does not know the user by this password, or the password cannot be read.
            StoreUnavailableError: etcd does not answer.
        """
        if not self._access.user:
            return ""
        async with self._renewal:
            if self._token is None:
                self._token = await self._authenticate(self._access.user, self._password())
            return self._token

    def forget(self, stale: str) -> None:
        """Lets the next call ask for a new token, unless somebody has one already.

        Raises:
            StoreRefusedError: there is no user to ask for one with.
        """
        if not self._access.user:
            raise StoreRefusedError("etcd wants to know the user: give --etcd-user and --etcd-password-file")
        if self._token == stale:
            self._token = None

    def _password(self) -> str:
        path = self._access.password_file
        if path is None:
            return ""
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise StoreRefusedError(f"expected the password for etcd, found: {error}") from error
