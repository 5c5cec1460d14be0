"""Roots of an authority elsewhere, published like those of our own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.errors import AuthorityError
from registry.background import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controlplane.credentials import Keyring
    from controlplane.keep import Keep

LOOK_SECONDS: Final = 30.0
"""How often is looked whether they were replaced, and who has not been told."""

log = structlog.get_logger()


@asynccontextmanager
async def publishing(keep: Keep, keyring: Keyring) -> AsyncIterator[None]:
    """Lets everybody know who vouches for credentials that are given, until the block ends.

    Raises:
        AuthorityError: it cannot be published at the start.
    """
    await keep.publish(keyring().bundle)
    async with running(_publish(keep, keyring)):
        yield


async def _publish(keep: Keep, keyring: Keyring) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await keep.publish(keyring().bundle)
        except AuthorityError as error:
            log.warning("roots not published", reason=str(error))
