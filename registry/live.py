"""The catalogue, kept current from a store for as long as somebody needs it.

Theory of operation. The catalogue is what the mirror of the registrations says, except that nothing is
taken away because a store or a control plane restarted, or stood still. While the store was away, or we were,
owners could not renew through us, and may be on their way to do it. So after a start, after a return of the
store and after a standstill there is a grace, one lease and the reconnect cap, in which nobody goes who was
there when it began; at its end who is still missing goes.

A start has no grace when what was listed is known to be complete: by a store that gives leases their full
time at its own start, if it has any registration, or because another replica has been following all along.
Otherwise the view is not *settled* until the grace is over: it shows who has registered so far, and says
that others may be on their way.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace

import structlog

from registry.background import running
from registry.catalog import (
    Catalog,
    Changes,
    Event,
    Registered,
    Service,
    apply,
    differences,
    join,
    missing,
)
from registry.changelog import Changelog
from registry.clock import Clock, MonotonicClock
from registry.codec import decode_event
from registry.config import GRACE_SECONDS, LEASE_SECONDS
from registry.errors import DecodeError
from registry.keys import PREFIX
from registry.mirror import Mirror, Update, mirroring
from registry.model import Revision, ServiceName
from registry.store import Change, Put, Store

Question = Callable[[], Awaitable[bool]]

_ASK_SECONDS = 1.0
_LOOK_SECONDS = 2.0
# Half of a lease: in less, no owner that renews as often as asked loses it.
_STANDSTILL_SECONDS = LEASE_SECONDS / 2
_NS = 1_000_000_000
# What there is at the start of a grace that is none.
_NOTHING = Revision(0)

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

    def __init__(self, mirror: Mirror, clock: Clock, *, is_settled: bool) -> None:
        self._mirror = mirror
        self._clock = clock
        self._catalog = self._joined = Catalog(revision=Revision(0))
        self._elsewhere: Mapping[ServiceName, Service] = {}
        self._watchers: set[_Watcher] = set()
        self._is_settled = is_settled
        self._returned_ns = self._grace_ns = mirror.returned_ns
        self._awake_ns = clock.now_ns()
        self._forgiven = _NOTHING if is_settled else mirror.revision
        self._changelog = Changelog(mirror.revision)
        self._apply(self._registered(), mirror.revision)

    @property
    def mirror(self) -> Mirror:
        """The registrations as they are in the store."""
        return self._mirror

    @property
    def catalog(self) -> Catalog:
        """What is registered now, and what is known from elsewhere."""
        return self._joined

    @property
    def is_settled(self) -> bool:
        """Whether who is missing is gone, rather than on the way back after a restart."""
        return self._is_settled

    @property
    def is_complete(self) -> bool:
        """Whether the view is settled, and shows nobody any more who went while the store was away."""
        return self._is_settled and self._forgiven == _NOTHING

    @property
    def is_connected(self) -> bool:
        """Whether the store answers."""
        return self._mirror.is_connected

    @property
    def lease_count(self) -> int:
        """How many leases the registrations are under."""
        return len({entry.lease for entry in self._mirror.entries.values() if entry.lease})

    def changed_after(self, revision: Revision) -> frozenset[ServiceName] | None:
        """The services that changed after a revision, or `None` when that is not known (any more)."""
        if self._elsewhere:  # where there are no revisions
            return None
        return self._changelog.after(revision) if revision <= self._catalog.revision else None

    def join(self, elsewhere: Mapping[ServiceName, Service]) -> None:
        """Shows the services that are known from elsewhere now, beside those that are registered."""
        changes = differences(self._elsewhere, elsewhere)
        self._elsewhere = elsewhere
        self._joined = join(self._catalog, elsewhere)
        if changes:
            self._publish(changes)

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

    async def run(self, updates: AsyncIterator[Update], is_complete: Question) -> None:
        """Follows the mirror, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if not self._is_settled:
                tasks.create_task(self._settle(is_complete))
            tasks.create_task(self._look(tasks))
            async for update in updates:
                if self._returned_ns != self._mirror.returned_ns:
                    self._returned_ns = self._mirror.returned_ns
                    self._begin_grace(tasks, update.revision)
                self._notice_standstill(tasks)
                self._take(update)

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        """Looks at the clock often enough to notice that we stood still, whatever happens."""
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            self._notice_standstill(tasks)

    def _notice_standstill(self, tasks: asyncio.TaskGroup) -> None:
        seconds = (self._clock.now_ns() - self._awake_ns) / _NS
        if seconds > _STANDSTILL_SECONDS:
            log.warning("control plane stood still", seconds=round(seconds))
            self._begin_grace(tasks, _NOTHING)
        self._awake_ns = self._clock.now_ns()

    async def _settle(self, is_complete: Question) -> None:
        """Ends the grace of a start, early once somebody knows that nobody is missing."""
        began_ns = self._grace_ns
        while self._clock.now_ns() < began_ns + GRACE_SECONDS * _NS and not await is_complete():
            await self._clock.sleep(_ASK_SECONDS)
        self._is_settled = True
        self._end_grace(began_ns)
        self._publish(Changes(endpoints=frozenset(self._catalog.services)))

    def _begin_grace(self, tasks: asyncio.TaskGroup, revision: Revision) -> None:
        """Forgives whoever was there at `revision`, or is known to us."""
        self._grace_ns = self._clock.now_ns()
        self._forgiven = max(revision, self._newest_known())
        tasks.create_task(self._forgive(self._grace_ns))

    async def _forgive(self, began_ns: int) -> None:
        await self._clock.sleep(GRACE_SECONDS)
        self._end_grace(began_ns)

    def _end_grace(self, began_ns: int) -> None:
        if began_ns == self._grace_ns:  # else another one has begun meanwhile
            self._forgiven = _NOTHING
            revision = self._mirror.revision
            self._apply(missing(self._catalog, self._registered(), revision), revision)

    def _take(self, update: Update) -> None:
        events = _decode(update.changes)
        self._apply((event for event in events if not self._is_forgiven(event)), update.revision)

    def _is_forgiven(self, event: Event) -> bool:
        """Whether this takes an instance away that was there when the grace began."""
        if isinstance(event, Registered):
            return False
        service = self._catalog.services.get(event.service)
        known = service.registered.get(event.instance) if service else None
        return known is not None and known.revision <= self._forgiven

    def _newest_known(self) -> Revision:
        """The newest revision of whom we know, which a store that went back has not reached yet."""
        services = self._catalog.services.values()
        known = (event.revision for service in services for event in service.registered.values())
        return max(known, default=_NOTHING)

    def _registered(self) -> tuple[Registered, ...]:
        events = _decode(Put(entry=entry) for entry in self._mirror.entries.values())
        return tuple(event for event in events if isinstance(event, Registered))

    def _apply(self, events: Iterable[Event], revision: Revision) -> None:
        """Takes events; the view is that of the store's `revision`, be it an older one than before."""
        before = self._catalog
        after, changes = apply(before, events)
        self._catalog = replace(after, revision=revision)
        self._joined = join(self._catalog, self._elsewhere)
        if revision < before.revision:
            self._changelog = Changelog(revision)
        self._changelog.note(changes.services | changes.endpoints, revision)
        _log_conflicts(before, self._catalog, changes)
        if changes:
            self._publish(changes)

    def _publish(self, changes: Changes) -> None:
        for watcher in self._watchers:
            watcher.add(changes)


async def nobody_knows() -> bool:
    """That nobody knows whether the registrations are complete."""
    return False


@asynccontextmanager
async def follow(
    store: Store, *, clock: Clock | None = None, is_complete: Question = nobody_knows
) -> AsyncIterator[LiveCatalog]:
    """The catalogue of `store`, kept current.

    `is_complete` says whether another replica has followed the store for longer than the grace, and so
    knows that no owner is on its way; it is asked every second until the view is settled.

    Raises:
        StoreError: the store cannot be read at the start; afterwards it is waited for.
    """
    clock = clock or MonotonicClock()
    async with mirroring(store, PREFIX, clock=clock) as mirror:
        with mirror.watch() as updates:
            is_settled = bool(store.restores_leases and mirror.entries) or await is_complete()
            live = LiveCatalog(mirror, clock, is_settled=is_settled)
            async with running(live.run(updates, is_complete)):
                yield live


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
