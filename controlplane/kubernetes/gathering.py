"""A value made of what reflectors bring, kept current: the services of a cluster, or its namespaces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from controlplane.kubernetes.objects import Key, Object
from controlplane.kubernetes.watch import Reflector
from controlplane.newest import Newest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controlplane.kubernetes.api import Api
    from controlplane.kubernetes.resources import Resource
    from controlplane.kubernetes.watch import Take
    from registry.clock import Clock

REST_SECONDS: Final = 0.02
"""How long changes are gathered: a rollout touches slices and pods many times a second."""

T = TypeVar("T", bound=Object)
V = TypeVar("V")


class Pieces(Protocol[V]):
    """What was taken so far, joined when asked."""

    @property
    def is_stale(self) -> bool:
        """Whether something was taken since the last update."""
        ...

    def update(self, known: V) -> V:
        """The value as of now; `known` itself if it is no other."""
        ...


class _Follower(Protocol):
    """A reflector, of whatever it is one."""

    async def synced(self) -> None: ...

    async def run(self) -> None: ...


class Gathering(Generic[V]):
    """Follows resources by `run`, and joins what they bring in `newest`: all there is, once `synced`."""

    def __init__(self, api: Api, clock: Clock, pieces: Pieces[V], first: V) -> None:
        self._api = api
        self._clock = clock
        self._pieces = pieces
        self._changed = asyncio.Event()
        self._reflectors: list[_Follower] = []
        self.newest: Newest[V] = Newest(first)

    def follow(self, resource: Resource[T], take: Take[T]) -> None:
        """Has `take` hear of a resource, once `run` begins."""

        def take_and_note(changes: Mapping[Key, T | None]) -> None:
            take(changes)
            if self._pieces.is_stale:
                self._changed.set()

        self._reflectors.append(Reflector(self._api, resource, take_and_note, self._clock))

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

    async def show(self, where: Callable[[V], None]) -> None:
        """Hands the value on whenever it is another, until cancelled."""
        async for value in self.newest.watch():
            where(value)

    async def _update_forever(self) -> None:
        await self.synced()
        while True:
            await self._changed.wait()
            await self._clock.sleep(REST_SECONDS)
            self._update()

    def _update(self) -> None:
        self._changed.clear()
        known = self.newest.value
        found = self._pieces.update(known)
        if found is not known:
            self.newest.set(found)
