"""The services of a cluster, kept current from what the reflectors bring."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from controlplane.kubernetes import resources
from controlplane.kubernetes.index import Index
from controlplane.kubernetes.objects import Key, Object
from controlplane.kubernetes.watch import Reflector
from controlplane.newest import Newest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controlplane.kubernetes.api import Api
    from controlplane.kubernetes.resources import Resource
    from controlplane.kubernetes.watch import Take
    from registry import catalog
    from registry.clock import Clock
    from registry.model import ServiceName

REST_SECONDS: Final = 0.02
"""How long changes are gathered: a rollout touches slices and pods many times a second."""

T = TypeVar("T", bound=Object)


class ClusterServices:
    """The cluster's Services by name, sorted, as followed by `run`; all of them once `synced`."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._index = Index()
        self._changed = asyncio.Event()
        self.newest: Newest[Mapping[ServiceName, catalog.Service]] = Newest({})
        self._reflectors = (
            self._reflector(resources.SERVICES, self._index.take_services),
            self._reflector(resources.SLICES, self._index.take_slices),
            self._reflector(resources.PODS, self._index.take_pods),
        )

    async def synced(self) -> None:
        """Returns once all there is was read."""
        for reflector in self._reflectors:
            await reflector.synced()
        self._update()

    async def run(self) -> None:
        """Follows the cluster until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reflector in self._reflectors:
                tasks.create_task(reflector.run())
            tasks.create_task(self._update_forever())

    async def show(self, where: Callable[[Mapping[ServiceName, catalog.Service]], None]) -> None:
        """Hands the services on whenever they are others, until cancelled."""
        async for services in self.newest.watch():
            where(services)

    async def _update_forever(self) -> None:
        await self.synced()
        while True:
            await self._changed.wait()
            await self._clock.sleep(REST_SECONDS)
            self._update()

    def _update(self) -> None:
        self._changed.clear()
        known = self.newest.value
        found = self._index.update(known)
        if found is not known:
            self.newest.set(found)

    def _reflector(self, resource: Resource[T], take: Take[T]) -> Reflector[T]:
        def take_and_note(changes: Mapping[Key, T | None]) -> None:
            take(changes)
            if self._index.is_stale:
                self._changed.set()

        return Reflector(self._api, resource, take_and_note, self._clock)
