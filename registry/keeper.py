"""Keeps an instance registered while a block runs: for workloads that have no sidecar."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog
from grpc.aio import AioRpcError

from registry.client import RegistryClient
from registry.clock import Clock, MonotonicClock
from registry.errors import LeaseNotFoundError
from registry.model import Health, Lease, Registration

_RENEWALS = 3
"""Renewals within one time to live."""

_AGAIN_SECONDS = 1.0
"""Time to the next one after one that failed: when nobody answered, most of the time to live is over."""

log = structlog.get_logger()


class Kept:
    """An instance that is registered, and will be again if the registry should lose it; made by `kept`."""

    def __init__(
        self, client: RegistryClient, registration: Registration, lease: Lease, clock: Clock
    ) -> None:
        self._client = client
        self._registration = registration
        self._lease = lease
        self._clock = clock

    @property
    def lease(self) -> Lease:
        """The lease that it has now."""
        return self._lease

    async def report_health(self, health: Health) -> None:
        """Says whether the instance may be called; it is registered anew where the registry has lost it."""
        registration = self._registration
        endpoint = replace(registration.endpoint, health=health)
        self._registration = replace(registration, endpoint=endpoint)
        try:
            await self._client.report_health(registration.service, endpoint.instance, self._lease.id, health)
        except LeaseNotFoundError:
            await self._register()

    async def run(self) -> None:
        """Renews the lease, until cancelled; what cannot be reached is tried again before the lease ends."""
        spacing_seconds = self._lease.ttl_seconds / _RENEWALS
        while True:
            await self._clock.sleep(spacing_seconds)
            try:
                await self._renew()
            except AioRpcError as error:
                log.warning("registration not renewed", reason=error.details(), code=error.code().name)
                spacing_seconds = _AGAIN_SECONDS
            else:
                spacing_seconds = self._lease.ttl_seconds / _RENEWALS

    async def _renew(self) -> None:
        try:
            await self._client.keep_alive(self._lease.id)
        except LeaseNotFoundError:
            await self._register()

    async def _register(self) -> None:
        self._lease = await self._client.register(self._registration, self._lease.ttl_seconds)


@asynccontextmanager
async def kept(
    client: RegistryClient, registration: Registration, *, clock: Clock | None = None
) -> AsyncIterator[Kept]:
    """The instance, registered until the block ends; then it is taken out at once.

    Raises:
        AioRpcError: the registry cannot be reached at the start, or refuses; afterwards it is waited for.
    """
    lease = await client.register(registration)
    instance = Kept(client, registration, lease, clock or MonotonicClock())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(instance.run())
        try:
            yield instance
        finally:
            running.cancel()
            await _take_out(client, instance.lease)


async def _take_out(client: RegistryClient, lease: Lease) -> None:
    try:
        await client.deregister(lease.id)
    except AioRpcError as error:  # its lease runs out
        log.warning("registration not taken out", reason=error.details(), code=error.code().name)
