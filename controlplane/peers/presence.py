"""Who the replicas are: each keeps a record of itself in the store, under a lease, and reads the others'."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from controlplane.model.replica import Replica, ReplicaId
from registry.background import running
from registry.errors import LeaseNotFoundError, StoreError
from registry.keys import LEADER, REPLICAS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from registry.clock import Clock
    from registry.model import Lease
    from registry.store import Entry, Store

PRESENCE_SECONDS: Final = 6
"""How long a replica that died is still asked."""

_RENEW_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 2.0

log = structlog.get_logger()


class _Record(msgspec.Struct, frozen=True):
    """What is under the key of a replica."""

    name: str
    address: str
    version: str
    started_at: datetime
    token: str


def encode(replica: Replica) -> bytes:
    """The bytes that are kept of a replica."""
    return msgspec.json.encode(
        _Record(
            name=replica.name,
            address=replica.address,
            version=replica.version,
            started_at=replica.started_at,
            token=replica.token,
        )
    )


def decode(key: str, value: bytes) -> Replica | None:
    """The replica under a key, or `None` for what another release wrote that we cannot read."""
    try:
        record = msgspec.json.decode(value, type=_Record)
    except msgspec.MsgspecError as error:
        log.warning("record of a replica cannot be read", key=key, reason=str(error))
        return None
    return Replica(
        id=ReplicaId(key.removeprefix(REPLICAS)),
        name=record.name,
        address=record.address,
        version=record.version,
        started_at=record.started_at,
        token=record.token,
    )


@asynccontextmanager
async def present(store: Store, replica: Replica, clock: Clock) -> AsyncIterator[Replica]:
    """The replica, whose record is kept in the store until the block ends, and anew when it was lost."""
    presence = _Presence(store, replica, clock)
    try:
        async with running(presence.run()):
            yield replica
    finally:
        await presence.leave()


async def forget(store: Store) -> None:
    """Removes what an earlier run left in a store that only one process has open: it is gone."""
    listing = await store.list(REPLICAS)
    for key in (LEADER, *(entry.key for entry in listing.entries)):
        await store.delete(key)


class _Presence:
    """The lease of one record."""

    def __init__(self, store: Store, replica: Replica, clock: Clock) -> None:
        self._store = store
        self._replica = replica
        self._clock = clock
        self._lease: Lease | None = None

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._renew()
            except LeaseNotFoundError:
                log.warning("replica was taken for dead")
                self._lease = None
                continue
            except (StoreError, TimeoutError) as error:
                log.warning("presence cannot be renewed", error=str(error))
            await self._clock.sleep(_RENEW_SECONDS)

    async def leave(self) -> None:
        if lease := self._lease:
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._store.revoke(lease.id)

    async def _renew(self) -> None:
        if self._lease:
            await self._store.keep_alive(self._lease.id)
            return
        lease = await self._store.grant(PRESENCE_SECONDS)
        await self._store.put(f"{REPLICAS}{self._replica.id}", encode(self._replica), lease=lease.id)
        self._lease = lease


def living(records: Iterable[Entry]) -> tuple[Replica, ...]:
    """The replicas with records, of each address the newest: one that was killed and came back has two."""
    found = filter(None, (decode(record.key, record.value) for record in records))
    by_address = {one.address: one for one in sorted(found, key=lambda one: one.started_at)}
    return tuple(sorted(by_address.values(), key=lambda one: (one.name, one.id)))
