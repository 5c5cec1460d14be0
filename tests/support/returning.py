"""Light sidecars that come back to their control plane after the rests of the real machine."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio

from controlplane.model.resource import ResourceName, Version
from mesh.v1 import resource_pb2
from sidecar.machines.reconnect import Reconnect
from tests.support.light_sidecar import light_sidecar

_OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(slots=True, kw_only=True)
class Returning:
    """One sidecar: how often in a row it failed, when it was to try for the last time, and what it holds."""

    instance: str
    address: str
    wanted: tuple[ResourceName, ...]
    failures: int = 0
    due_at: float = 0.0
    revision: int = 0
    held: dict[ResourceName, Version] = field(default_factory=dict)
    emptied: int = 0

    async def run(self) -> None:
        """Is connected, or on the way, until cancelled."""
        rests, loop = Reconnect(), asyncio.get_running_loop()
        while True:
            try:
                await self._visit()
                rests.reset()
            except grpc.aio.AioRpcError:
                self.failures += 1
            self.due_at = loop.time() + rests.rest_ns(random.random()) / 1e9  # noqa: S311 (hides nothing)
            await asyncio.sleep(self.due_at - loop.time())

    async def _visit(self) -> None:
        async with (
            grpc.aio.insecure_channel(self.address, options=_OWN_CONNECTION) as channel,
            light_sidecar(
                channel, self.instance, *self.wanted, held=self.held, revision=self.revision
            ) as sidecar,
        ):
            sidecar.refuse = self._note
            await sidecar.call.initial_metadata()
            self.failures = 0
            await sidecar.call.code()
            self.held, self.revision = sidecar.held, sidecar.revision

    def _note(self, resource: resource_pb2.Resource) -> str:
        """Refuse nothing; count the endpoint sets without endpoints."""
        is_set = resource.id.type == resource_pb2.RESOURCE_TYPE_ENDPOINTS
        self.emptied += is_set and not resource_pb2.Endpoints.FromString(resource.body).endpoints
        return ""


@asynccontextmanager
async def returning(
    address: str, count: int, wanted: Iterable[ResourceName]
) -> AsyncIterator[tuple[Returning, ...]]:
    """Run so many sidecars until the block ends."""
    names = tuple(wanted)
    fleet = tuple(
        Returning(instance=f"web-{number}", address=address, wanted=names) for number in range(count)
    )
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one.run()) for one in fleet]
        yield fleet
        for one in running:
            one.cancel()
