"""A registry behind a socket, whose leases run by a clock of the test."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from mesh.v1.registry_pb2_grpc import add_RegistryServiceServicer_to_server
from registry.client import Mark, RegistryClient, ServiceChange
from registry.config import SqliteLocation
from registry.live import follow
from registry.model import ServiceName
from registry.registrar import Registrar
from registry.server import RegistryService
from registry.sqlite import open_sqlite
from tests.support.clock import FakeClock
from tests.support.grpc_serving import serving

DEADLINE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A registry behind a socket, its client, and the clock of its leases."""

    client: RegistryClient
    clock: FakeClock


@asynccontextmanager
async def served(path: Path | None = None) -> AsyncIterator[Served]:
    clock = FakeClock()
    async with (
        open_sqlite(SqliteLocation(path=path), clock=clock) as store,
        follow(store, clock=clock) as live,
    ):
        server = grpc.aio.server()
        add_RegistryServiceServicer_to_server(RegistryService(Registrar(store), live), server)
        async with serving(server) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Served(client=RegistryClient(channel), clock=clock)


async def told(watch: AsyncGenerator[ServiceChange | Mark, None]) -> ServiceChange:
    """Return the next service that a watch tells of."""
    while isinstance(found := await anext(watch), Mark):
        pass
    return found


async def batch(watch: AsyncGenerator[ServiceChange | Mark, None]) -> tuple[list[ServiceChange], Mark]:
    """Return what a watch tells up to the next mark."""
    changes = []
    while isinstance(found := await anext(watch), ServiceChange):
        changes.append(found)
    return changes, found


async def until_listed(client: RegistryClient, service: ServiceName, *instances: str) -> None:
    """Waits until exactly `instances` are in the catalogue."""
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing(client.watch()) as watch:
        while True:
            change = await told(watch)
            found = tuple(endpoint.instance for endpoint in change.service.endpoints)
            if (change.service.name, found) == (service, instances):
                return
