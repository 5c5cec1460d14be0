"""The other replicas: a connection to each while its record is in the store, and what each says unasked."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.errors import PeerError
from controlplane.model.health import HealthShare
from controlplane.peers.client import RELAY_SECONDS, Peer
from controlplane.peers.presence import living
from registry.background import running
from registry.keys import REPLICAS
from registry.mirror import mirroring
from registry.model import ServiceName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from controlplane.credentials import Keyring
    from controlplane.model.replica import ReplicaId, Standing
    from registry.mirror import Mirror
    from registry.store import Store

SILENCE_SECONDS: Final = 6.0
"""A peer that says nothing for this long is taken for gone until it does: several times its pace."""

_RETRY_SECONDS: Final = 1.0

log = structlog.get_logger()


class Circle:
    """The peers of the replica `own`; made by `meeting`."""

    def __init__(self, own: ReplicaId, records: Mirror, keyring: Keyring | None) -> None:
        self._own = own
        self._keyring = keyring
        self._records = records
        self._arrived: Callable[[Mapping[str, float]], None] = _ignore
        self._peers: dict[ReplicaId, Peer] = {}
        self._callers: dict[ReplicaId, dict[ServiceName, int]] = {}
        self._health: dict[ReplicaId, dict[ServiceName, HealthShare]] = {}
        self._followers: dict[ReplicaId, asyncio.Task[None]] = {}

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The other replicas, sorted by name."""
        return tuple(sorted(self._peers.values(), key=lambda peer: (peer.replica.name, peer.replica.id)))

    def live_callers(self, service: ServiceName) -> int:
        """How many sidecars that are connected to peers call a service."""
        return sum(counts.get(service, 0) for counts in self._callers.values())

    def health(self, service: ServiceName) -> tuple[HealthShare, ...]:
        """What the sidecars that are connected to each peer know of the health of a service."""
        return tuple(shares[service] for shares in self._health.values() if service in shares)

    def tell(self, arrived: Callable[[Mapping[str, float]], None]) -> None:
        """Has `arrived` called with the sidecars that connect to peers, and the seconds since they did."""
        self._arrived = arrived

    async def is_complete(self) -> bool:
        """Whether a peer knows that no owner of a registration is on its way."""
        return await self._any(lambda standing: standing.is_complete)

    async def has_store(self) -> bool:
        """Whether the store answers a peer."""
        return await self._any(lambda standing: standing.is_store_ready)

    async def _any(self, holds: Callable[[Standing], bool]) -> bool:
        standings = await asyncio.gather(*map(_standing, self.peers))
        return any(standing is not None and holds(standing) for standing in standings)

    async def run(self) -> None:
        """Keeps up with the store and the peers, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                with self._records.watch() as updates:
                    await self._update(tasks)
                    async for _ in updates:
                        await self._update(tasks)
        finally:
            for peer in self._peers.values():
                await peer.close()

    async def _update(self, tasks: asyncio.TaskGroup) -> None:
        replicas = {one.id: one for one in living(self._records.entries.values()) if one.id != self._own}
        for name in self._peers.keys() - replicas.keys():
            log.info("replica gone", name=self._peers[name].replica.name)
            self._followers.pop(name).cancel()
            self._callers.pop(name, None)
            self._health.pop(name, None)
            tasks.create_task(self._peers.pop(name).close(RELAY_SECONDS))
        for name in replicas.keys() - self._peers.keys():
            log.info("replica found", name=replicas[name].name, address=replicas[name].address)
            peer = self._peers[name] = Peer(replicas[name], self._keyring)
            self._followers[name] = tasks.create_task(self._follow(peer))

    async def _follow(self, peer: Peer) -> None:
        """Listens to a peer for good; what it said is forgotten only when it has been silent for long."""
        while True:
            heard = asyncio.timeout(SILENCE_SECONDS)
            with suppress(TimeoutError):
                async with heard:
                    while True:
                        await self._listen(peer, heard)
                        await asyncio.sleep(_RETRY_SECONDS)
                        await peer.refresh()
            log.debug("replica is silent", name=peer.replica.name)
            self._callers.pop(peer.replica.id, None)
            self._health.pop(peer.replica.id, None)

    async def _listen(self, peer: Peer, heard: asyncio.Timeout) -> None:
        """Takes news until the connection breaks; the first of them are all that there is to know."""
        loop, counts = asyncio.get_running_loop(), dict[ServiceName, int]()
        health = dict[ServiceName, HealthShare]()
        with suppress(PeerError):
            async for news in peer.follow():
                heard.reschedule(loop.time() + SILENCE_SECONDS)
                counts.update(news.callers)
                self._callers[peer.replica.id] = counts
                health.update(news.health)
                self._health[peer.replica.id] = health
                self._arrived(news.arrivals)


@asynccontextmanager
async def meeting(store: Store, own: ReplicaId, keyring: Keyring | None = None) -> AsyncIterator[Circle]:
    """The peers of the replica `own`, those that are in the store at once.

    They are asked over TLS when there is a `keyring` of credentials, with the same roots as their own.

    Raises:
        StoreError: the store cannot be read at the start; afterwards it is waited for.
    """
    async with mirroring(store, REPLICAS) as records:
        circle = Circle(own, records, keyring)
        async with running(circle.run()):
            await asyncio.sleep(0)  # so that it has met them
            yield circle


def _ignore(arrivals: Mapping[str, float]) -> None:
    """Nobody has asked to be told."""


async def _standing(peer: Peer) -> Standing | None:
    try:
        return await peer.standing()
    except PeerError:
        return None
