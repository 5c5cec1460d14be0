"""The catalogue, kept current from a store for as long as somebody needs it.

Theory of operation. A view lists the registrations once and then watches them; a watch that breaks is
begun anew from a fresh listing. Nothing is taken away because a store or a control plane restarted:

- While the store was away, owners could not renew. Who is missing when it returns stays in view until the
  grace (one lease and the reconnect cap) is over, and for good if it registers meanwhile.
- A store that was empty at the start may have lost what it knew. Until the grace is over the view is not
  *settled*: it shows who has registered so far, and says that others may be on their way.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import structlog

from registry.catalog import Catalog, Changes, Event, Registered, Removed, apply, missing
from registry.clock import Clock, MonotonicClock
from registry.codec import decode_event
from registry.config import GRACE_SECONDS, RECONNECT_SECONDS
from registry.errors import CompactedError, DecodeError, StoreUnavailableError
from registry.keys import PREFIX
from registry.model import Revision
from registry.store import Change, Listing, Put, Store

_FIRST_DELAY_SECONDS = 0.1

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Watcher:
    """Changes that one reader has not seen yet, as one: it grows with the services, not with time."""

    unseen: Changes = field(default_factory=Changes)
    added: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, changes: Changes) -> None:
        self.unseen |= changes
        self.added.set()

    async def changes(self) -> AsyncIterator[Changes]:
        while True:
            await self.added.wait()
            self.added.clear()
            seen, self.unseen = self.unseen, Changes()
            yield seen


class LiveCatalog:
    """The catalogue as of now; made by `follow`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._catalog = Catalog(revision=Revision(0))
        self._watchers: set[_Watcher] = set()
        self._is_settled = False
        self._is_connected = True

    @property
    def catalog(self) -> Catalog:
        """What is registered now."""
        return self._catalog

    @property
    def is_settled(self) -> bool:
        """Whether who is missing is gone, rather than on the way back after a restart."""
        return self._is_settled

    @property
    def is_connected(self) -> bool:
        """Whether the store answers."""
        return self._is_connected

    @contextmanager
    def watch(self) -> Iterator[AsyncIterator[Changes]]:
        """What changes from now on; what a slow reader missed meanwhile comes as one.

        When the view settles, the endpoints of every service count as changed.
        """
        watcher = _Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher.changes()
        finally:
            self._watchers.remove(watcher)

    async def load(self) -> Revision:
        """Lists what there is, for the first time; returns the revision to go on from."""
        listing = await self._store.list(PREFIX)
        self._is_settled = bool(listing.entries)
        self._apply(_registered(listing))
        return Revision(listing.revision + 1)

    async def run(self, from_revision: Revision) -> None:
        """Follows the store from `from_revision`, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if not self._is_settled:
                tasks.create_task(self._settle())
            while True:
                await self._follow_until_lost(from_revision)
                listing = await self._relist()
                gone = self._replace(listing)
                if self._is_connected:
                    self._apply(gone)
                else:
                    tasks.create_task(self._remove_later(gone))
                self._is_connected = True
                from_revision = Revision(listing.revision + 1)

    async def _settle(self) -> None:
        await self._clock.sleep(GRACE_SECONDS)
        self._is_settled = True
        self._publish(Changes(endpoints=frozenset(self._catalog.services)))

    async def _follow_until_lost(self, from_revision: Revision) -> None:
        try:
            async with self._store.watch(PREFIX, from_revision) as batches:
                async for batch in batches:
                    self._apply(_decode(batch))
        except CompactedError as error:
            log.warning("registry watch fell behind", reason=str(error))
        except StoreUnavailableError as error:
            log.warning("registry store lost", reason=str(error))
            self._is_connected = False

    async def _relist(self) -> Listing:
        delay_seconds = _FIRST_DELAY_SECONDS
        while True:
            await self._clock.sleep(delay_seconds)
            try:
                return await self._store.list(PREFIX)
            except StoreUnavailableError:
                self._is_connected = False
                delay_seconds = min(delay_seconds * 2, RECONNECT_SECONDS)

    def _replace(self, listing: Listing) -> tuple[Removed, ...]:
        """Applies a new listing, except that it returns whom it no longer has."""
        registered = _registered(listing)
        gone = missing(self._catalog, registered, listing.revision)
        self._apply(registered)
        return gone

    async def _remove_later(self, gone: tuple[Removed, ...]) -> None:
        await self._clock.sleep(GRACE_SECONDS)
        self._apply([event for event in gone if not self._has_returned(event)])

    def _has_returned(self, event: Removed) -> bool:
        service = self._catalog.services.get(event.service)
        known = service.registered.get(event.instance) if service else None
        return known is not None and known.revision > event.revision

    def _apply(self, events: Iterable[Event]) -> None:
        before = self._catalog
        self._catalog, changes = apply(before, events)
        _log_conflicts(before, self._catalog, changes)
        if changes:
            self._publish(changes)

    def _publish(self, changes: Changes) -> None:
        for watcher in self._watchers:
            watcher.add(changes)


@asynccontextmanager
async def follow(store: Store, *, clock: Clock | None = None) -> AsyncIterator[LiveCatalog]:
    """The catalogue of `store`, complete as of now and kept current.

    Raises:
        StoreUnavailableError: the store cannot be read at the start; afterwards it is waited for.
    """
    live = LiveCatalog(store, clock or MonotonicClock())
    from_revision = await live.load()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run(from_revision))
        yield live
        running.cancel()


def _registered(listing: Listing) -> tuple[Registered, ...]:
    events = _decode(Put(entry=entry) for entry in listing.entries)
    return tuple(event for event in events if isinstance(event, Registered))


def _decode(changes: Iterable[Change]) -> Iterator[Event]:
    """The events in `changes`; what nobody can read is as if it were not there."""
    for change in changes:
        try:
            yield decode_event(change)
        except DecodeError as error:
            log.warning("registration cannot be read", key=change.key, reason=str(error))


def _log_conflicts(before: Catalog, after: Catalog, changes: Changes) -> None:
    for name in sorted(changes.services | changes.endpoints):
        known = before.services[name].conflicts if name in before.services else ()
        found = after.services[name].conflicts if name in after.services else ()
        for conflict in set(found) - set(known):
            log.warning(
                "registrations disagree",
                service=str(name),
                field=conflict.field,
                winner=conflict.winner,
                losers=conflict.losers,
            )
