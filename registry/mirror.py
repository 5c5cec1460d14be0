"""A copy of everything under one prefix of a store, kept current for as long as somebody needs it.

Theory of operation. The mirror lists once and then watches. When the watch breaks, because the history it
needs is gone or because the store is away, it lists again and takes over the difference. Readers see
neither: they get changes, the last one of each key, and may be as slow as they like.

Every minute or so a fresh listing is compared with the mirror, once the watch has brought everything up to
the listing's revision; what changed since is left out. A difference is repaired, logged and counted. The
count stays 0 unless the store, or our client of it, lost or invented a change.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from operator import attrgetter

import structlog

from registry.background import running
from registry.clock import Clock, MonotonicClock
from registry.config import RECONNECT_SECONDS
from registry.errors import CompactedError, StoreError
from registry.model import Revision
from registry.store import Batch, Change, Delete, Entry, Listing, Put, Store, Watch

CHECK_SECONDS = 60
"""How often a mirror is compared with a fresh listing, give or take a quarter."""

_FIRST_DELAY_SECONDS = 0.1

_chance = random.SystemRandom()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The last change of each key that changed, by revision, then by key; none when the store returned.

    `revision` is the store's as of which it is complete.
    """

    changes: tuple[Change, ...]
    revision: Revision


class Mirror:
    """The entries under a prefix as of now; made by `mirroring`."""

    def __init__(self, store: Store, prefix: str, clock: Clock, check_seconds: float) -> None:
        self._store = store
        self._prefix = prefix
        self._clock = clock
        self._check_seconds = check_seconds
        self._entries: dict[str, Entry] = {}
        self._revision = Revision(0)
        self._readers: set[_Reader] = set()
        self._is_connected = True
        self._returned_ns = clock.now_ns()
        self._repairs = 0
        self._changed: dict[str, Revision] | None = None

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What is there now, by key."""
        return self._entries

    @property
    def revision(self) -> Revision:
        """The store's revision as of which it is."""
        return self._revision

    @property
    def is_connected(self) -> bool:
        """Whether the store answers."""
        return self._is_connected

    @property
    def returned_ns(self) -> int:
        """The instant at which the store last came back, or went back, or at which we began."""
        return self._returned_ns

    @property
    def repairs(self) -> int:
        """How many entries were not what a listing said, ever."""
        return self._repairs

    @contextmanager
    def watch(self) -> Iterator[AsyncIterator[Update]]:
        """What changes from now on; what a slow reader missed meanwhile comes as one."""
        reader = _Reader(self)
        self._readers.add(reader)
        try:
            yield reader.updates()
        finally:
            self._readers.remove(reader)

    async def load(self) -> None:
        """Lists what there is, for the first time."""
        self._replace(await self._store.list(self._prefix))

    async def run(self) -> None:
        """Follows the store from what was loaded, until cancelled."""
        while True:
            try:
                await self._follow()
            except* CompactedError as errors:
                log.warning("mirror lists anew", prefix=self._prefix, reason=str(errors.exceptions[0]))
            except* StoreError as errors:
                log.warning("mirror lost the store", prefix=self._prefix, reason=str(errors.exceptions[0]))
                self._is_connected = False
            self._replace(await self._relist())

    async def _follow(self) -> None:
        from_revision = Revision(self._revision + 1)
        async with self._store.watch(self._prefix, from_revision) as watch, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(watch))
            tasks.create_task(self._check_forever(watch))

    async def _read(self, watch: Watch) -> None:
        async for batch in watch:
            self._take(batch, batch[-1].revision)

    async def _relist(self) -> Listing:
        delay_seconds = _FIRST_DELAY_SECONDS
        while True:
            await self._clock.sleep(delay_seconds * _chance.uniform(0.5, 1))
            try:
                return await self._store.list(self._prefix)
            except StoreError:
                self._is_connected = False
                delay_seconds = min(delay_seconds * 2, RECONNECT_SECONDS)

    async def _check_forever(self, watch: Watch) -> None:
        while True:
            await self._clock.sleep(self._check_seconds * _chance.uniform(0.75, 1.25))
            await self._check(watch)

    async def _check(self, watch: Watch) -> None:
        """Compares the mirror with a listing as of the listing's revision, and repairs what is not the same.

        Raises:
            CompactedError: the store has fallen back behind what it told us before.
        """
        known = self._revision
        with self._noting_changes() as changed:
            listing = await self._store.list(self._prefix)
            if listing.revision < known:
                raise CompactedError(requested=known, compact_revision=listing.revision)
            await watch.reach(listing.revision)
            later = {key for key, revision in changed.items() if revision > listing.revision}
        wrong = tuple(each for each in difference(self._entries, listing) if each.key not in later)
        if wrong:
            log.error("mirror repaired", prefix=self._prefix, keys=[change.key for change in wrong])
            self._repairs += len(wrong)
            self._take(wrong, max(self._revision, listing.revision))

    @contextmanager
    def _noting_changes(self) -> Iterator[Mapping[str, Revision]]:
        """Every key that changes meanwhile, and the revision of its last change."""
        changed: dict[str, Revision] = {}
        self._changed = changed
        try:
            yield changed
        finally:
            self._changed = None

    def _replace(self, listing: Listing) -> None:
        if not self._is_connected or listing.revision < self._revision:
            self._is_connected = True
            self._returned_ns = self._clock.now_ns()
        self._take(difference(self._entries, listing), listing.revision)

    def _take(self, changes: Batch, revision: Revision) -> None:
        for change in changes:
            if isinstance(change, Put):
                self._entries[change.key] = change.entry
            else:
                self._entries.pop(change.key, None)
        if self._changed is not None:
            self._changed |= {change.key: change.revision for change in changes}
        self._revision = revision
        for reader in self._readers:
            reader.add(changes)


@dataclass(slots=True, eq=False)
class _Reader:
    """Changes that one reader has not seen yet: it grows with the keys, not with time."""

    mirror: Mirror
    unseen: dict[str, Change] = field(default_factory=dict)
    added: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, changes: Batch) -> None:
        self.unseen |= {change.key: change for change in changes}
        self.added.set()

    async def updates(self) -> AsyncIterator[Update]:
        while True:
            await self.added.wait()
            self.added.clear()
            seen, self.unseen = self.unseen, {}
            changes = sorted(seen.values(), key=attrgetter("revision", "key"))
            yield Update(changes=tuple(changes), revision=self.mirror.revision)


def difference(known: Mapping[str, Entry], listing: Listing) -> tuple[Change, ...]:
    """The changes that make of `known` what is in the listing."""
    listed = {entry.key for entry in listing.entries}
    return (
        *(Put(entry=entry) for entry in listing.entries if known.get(entry.key) != entry),
        *(Delete(key=key, revision=listing.revision) for key in sorted(known.keys() - listed)),
    )


@asynccontextmanager
async def mirroring(
    store: Store, prefix: str, *, clock: Clock | None = None, check_seconds: float = CHECK_SECONDS
) -> AsyncIterator[Mirror]:
    """What is under `prefix` of `store`, complete as of now and kept current.

    Raises:
        StoreError: the store cannot be read at the start; afterwards it is waited for.
    """
    mirror = Mirror(store, prefix, clock or MonotonicClock(), check_seconds)
    await mirror.load()
    async with running(mirror.run()):
        yield mirror
