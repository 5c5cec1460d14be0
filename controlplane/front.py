"""What sidecars connect to: a thread of the core, and behind it the servers of everything but discovery."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from controlplane.config import Address
from controlplane.descriptors import connection_count
from controlplane.errors import CredentialsError, FrontError, ListenError
from controlplane.listen import DEFAULT_LIFETIMES, OPEN, answering
from registry.background import running
from sidecar.fanout import Fanout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from contextlib import AbstractAsyncContextManager

    from controlplane.credentials import Credentials, Keyring
    from controlplane.listen import Access, Lifetimes, Service

_LOOK_SECONDS: Final = 1.0
"""Time between two looks at the keyring, and at the front."""

log = structlog.get_logger()


class Streams(Protocol):
    """A service whose only method is a stream that the front carries itself."""

    @property
    def name(self) -> str:
        """The full name of the service."""
        ...

    @property
    def method(self) -> str:
        """The name of the method."""
        ...

    def carried(self, fanout: Fanout) -> AbstractAsyncContextManager[None]:
        """Serves what the front carries, until the block ends."""
        ...


@asynccontextmanager
async def fronting(
    address: Address,
    streams: Streams,
    services: Iterable[Service],
    access: Access = OPEN,
    lifetimes: Lifetimes = DEFAULT_LIFETIMES,
) -> AsyncIterator[Address]:
    """What serves `streams` by itself and `services` behind it, at `--listen`, until the block ends.

    Sidecars show no certificates, so the `client_roots` of `access` have no say here.

    Raises:
        CredentialsError: there is nothing to show.
        ListenError: the address cannot be listened on.
        FrontError: it ended by itself.
    """
    backend = f"breakwater-{secrets.token_hex(16)}"
    async with answering(f"unix-abstract:{backend}", services, access.guards, (streams.name,)) as behind:
        shown = access.keyring() if access.keyring else None
        fanout = _open(address, streams, backend, lifetimes, shown)
        async with streams.carried(fanout), running(_follow(fanout, access.keyring, shown)):
            await behind.report(is_serving=True)
            try:
                async with running(outlive(fanout)):
                    yield Address(host=address.host, port=fanout.port)
            finally:
                await behind.report(is_serving=False)
                await asyncio.to_thread(fanout.stop, lifetimes.stop_grace)


def _open(
    address: Address, streams: Streams, backend: str, lifetimes: Lifetimes, shown: Credentials | None
) -> Fanout:
    try:
        return Fanout(
            str(address),
            f"/{streams.name}/{streams.method}",
            f"\0{backend}",
            (lifetimes.age, lifetimes.age_grace, lifetimes.standstill),
            connection_count(),
            (shown.certificate, shown.key) if shown else None,
        )
    except OSError as error:
        raise ListenError("--listen", str(address), "it is taken, or not ours") from error
    except ValueError as error:
        raise CredentialsError(str(error)) from error


async def outlive(fanout: Fanout) -> None:
    """Looks once a second, until cancelled, whether there still is a front, and tells it that we are there.

    A front that goes on alone, while this loop stands still, cuts everybody after a while.

    Raises:
        FrontError: there is none, which nobody else would notice: who cannot connect says nothing.
    """
    while not fanout.has_ended:
        fanout.beat()
        await asyncio.sleep(_LOOK_SECONDS)
    raise FrontError


async def _follow(fanout: Fanout, keyring: Keyring | None, shown: Credentials | None) -> None:
    """Shows what the keyring holds, until cancelled."""
    while keyring:
        await asyncio.sleep(_LOOK_SECONDS)
        if (newest := keyring()) != shown and _show(fanout, newest):
            shown = newest


def _show(fanout: Fanout, newest: Credentials) -> bool:
    try:
        fanout.show(newest.certificate, newest.key)
    except ValueError as error:  # half of what is replaced, or nothing we can use: the one before stays
        log.warning("certificate not shown", reason=str(error))
        return False
    return True
