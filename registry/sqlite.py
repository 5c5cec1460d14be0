"""The embedded store: one file, or memory, in this process.

Theory of operation. The database belongs to one thread, which does one transaction at a time; the
event loop only hands it work, so that no fsync holds a stream up. A watcher is a position in the
history and an event that a commit sets: it needs no queue, and whoever reads slowly holds nobody up.

When leases end is known to the loop alone. A sweeper sleeps until the first of them ends, at most a
second, and revokes what has ended. If it overslept, the process was stopped or starved, and owners had
nobody to renew with: every lease gets its full time again. The same holds for a store that starts.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec, Self, TypeVar

import structlog

from registry.clock import Clock, MonotonicClock
from registry.config import SqliteLocation, StoreOptions
from registry.database import Database
from registry.errors import LeaseNotFoundError, StoreUnavailableError
from registry.leases import Deadlines
from registry.model import Lease, LeaseId, Revision
from registry.progress import Progress
from registry.store import Action, Batch, Check, Entry, Listing, Remove, Write, checking, in_order

_P = ParamSpec("_P")
_T = TypeVar("_T")

# No lease is shorter, so none that is granted while the sweeper sleeps can end before it wakes.
_SWEEP_SECONDS = 1
# Waking this much late is more than a busy machine explains.
_OVERSLEPT_NS = 1_000_000_000

log = structlog.get_logger()


Changes = Callable[[Revision], Awaitable[tuple[Batch, Revision]]]
"""Returns changes from a revision on, and the revision to go on from."""


class SqliteWatch:
    """A `Watch`: what it looks at, the revision it reads next, and the event that tells it to read."""

    def __init__(self, prefix: str, from_revision: Revision, changes: Changes) -> None:
        self._prefix = prefix
        self._next = from_revision
        self._changes = changes
        self._changed = asyncio.Event()
        self._progress = Progress(Revision(from_revision - 1))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        """The next changes."""
        while True:
            self._progress.advance(Revision(self._next - 1))
            self._changed.clear()
            position = self._next
            changes, reached = await self._changes(position)
            self._next = max(self._next, reached)
            if changes:
                return changes
            if reached == position:
                await self._changed.wait()

    async def reach(self, revision: Revision) -> None:
        """Returns once whoever iterates has dealt with everything up to `revision`."""
        await self._progress.reach(revision)

    def notify(self, keys: Iterable[str], revision: Revision) -> None:
        """Tells it that `keys` have changed at `revision`."""
        if any(key.startswith(self._prefix) for key in keys):
            self._changed.set()
        elif self._next == revision:
            # Others' changes must not age a watch whose own keys are quiet out of the history.
            self._next = Revision(revision + 1)
            self._progress.advance(revision)


class SqliteStore:
    """A `Store` in a file that no other process has open, or in memory; made by `open_sqlite`."""

    restores_leases = True

    def __init__(self, database: Database, thread: ThreadPoolExecutor, clock: Clock) -> None:
        self._database = database
        self._thread = thread
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines()
        self._watches: set[SqliteWatch] = set()

    async def get(self, key: str) -> Entry:
        """The entry under `key`, or `KeyNotFoundError`."""
        return await self._run(self._database.get, key)

    async def list(self, prefix: str) -> Listing:
        """Every entry whose key begins with `prefix`."""
        return await self._run(self._database.list, prefix)

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        lease: LeaseId | None = None,
        expect: Revision | None = None,
    ) -> Revision:
        """The revision that wrote `value`, if the entry is as expected."""
        revision, _ = await self._run(
            self._commit_and_notify, [Write(key=key, value=value, lease=lease)], checking(key, expect)
        )
        return revision

    async def delete(self, key: str, *, expect: Revision | None = None) -> Revision | None:
        """The revision that removed the entry, if it is as expected and there was one."""
        revision, keys = await self._run(self._commit_and_notify, [Remove(key=key)], checking(key, expect))
        return revision if keys else None

    async def commit(self, actions: Sequence[Action], *, checks: Sequence[Check] = ()) -> Revision:
        """The one revision at which all `actions` happened, if all `checks` hold."""
        revision, _ = await self._run(self._commit_and_notify, in_order(actions, checks), checks)
        return revision

    @asynccontextmanager
    async def watch(self, prefix: str, from_revision: Revision) -> AsyncIterator[SqliteWatch]:
        """Every change under `prefix` from `from_revision` on, or `CompactedError`."""
        await self._run(self._database.check_history, from_revision)
        watch = SqliteWatch(
            prefix, from_revision, lambda start: self._run(self._database.changes, prefix, start)
        )
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.remove(watch)

    async def grant(self, ttl_seconds: int) -> Lease:
        """A new lease, whose id no other store or earlier run has given."""
        lease = Lease(id=LeaseId(1 + secrets.randbits(62)), ttl_seconds=ttl_seconds)
        # First, so that a caller who is cancelled meanwhile leaves a lease that ends by itself.
        self._deadlines.start(lease, self._clock.now_ns())
        await self._run(self._database.add_lease, lease)
        return lease

    async def keep_alive(self, lease_id: LeaseId) -> Lease:
        """The lease, with its full time before it again; writes nothing."""
        return self._deadlines.renew(lease_id, self._clock.now_ns())

    async def revoke(self, lease_id: LeaseId) -> None:
        """Ends the lease and removes its entries."""
        await self._run(self._revoke, lease_id)
        self._deadlines.forget([lease_id])

    async def restore(self, restart_seconds: int) -> None:
        """Gives every lease of an earlier run its full time, and `restart_seconds` to reconnect."""
        now_ns = self._clock.now_ns()
        for lease in await self._run(self._database.leases):
            self._deadlines.start(lease, now_ns, extra_seconds=restart_seconds)

    async def sweep(self) -> None:
        """Ends leases that nobody kept alive, until cancelled."""
        while True:
            before_ns = self._clock.now_ns()
            seconds = self._deadlines.seconds_left(before_ns, _SWEEP_SECONDS)
            await self._clock.sleep(seconds)
            now_ns = self._clock.now_ns()
            if now_ns - before_ns - seconds * 1e9 > _OVERSLEPT_NS:
                log.warning("leases renewed after a stall", leases=len(self._deadlines))
                self._deadlines.renew_all(now_ns)
            for lease in self._deadlines.take_expired(now_ns):
                await self._expire(lease)

    async def _expire(self, lease: Lease) -> None:
        try:
            await self._run(self._revoke, lease.id)
        except LeaseNotFoundError:
            log.debug("lease ended by its owner", lease=lease.id)
        except StoreUnavailableError as error:
            log.warning("lease kept because the store is unavailable", lease=lease.id, error=str(error))
            self._deadlines.start(lease, self._clock.now_ns())

    async def _run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What `call` returns on the database's thread."""
        return await self._loop.run_in_executor(self._thread, partial(call, *args, **kwargs))

    # These run on the thread. They tell the watchers from there, since their caller may be gone by the end.

    def _commit_and_notify(
        self, actions: Sequence[Action], checks: Sequence[Check]
    ) -> tuple[Revision, tuple[str, ...]]:
        revision, keys = self._database.commit(actions, checks)
        if keys:
            self._loop.call_soon_threadsafe(self._notify, keys, revision)
        return revision, keys

    def _revoke(self, lease_id: LeaseId) -> None:
        keys = self._database.revoke(lease_id)
        if keys:
            self._loop.call_soon_threadsafe(self._notify, keys, self._database.revision())

    def _notify(self, keys: tuple[str, ...], revision: Revision) -> None:
        for watch in self._watches:
            watch.notify(keys, revision)


@asynccontextmanager
async def open_sqlite(
    location: SqliteLocation,
    *,
    clock: Clock | None = None,
    options: StoreOptions | None = None,
) -> AsyncIterator[SqliteStore]:
    """The store at `location`, with every lease of an earlier run at its full time.

    Raises:
        StoreLockedError: another process has the file open.
        StoreFormatError: the file is not ours, or of another release.
        StoreUnavailableError: the file cannot be opened.
    """
    loop = asyncio.get_running_loop()
    options = options or StoreOptions()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="registry-sqlite") as thread:
        database = await loop.run_in_executor(thread, Database.open, location.path, options)
        try:
            store = SqliteStore(database, thread, clock or MonotonicClock())
            await store.restore(options.restart_seconds)
            async with asyncio.TaskGroup() as tasks:
                sweeper = tasks.create_task(store.sweep())
                yield store
                sweeper.cancel()
        finally:
            await loop.run_in_executor(thread, database.close)
