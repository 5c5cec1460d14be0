"""A store that loses its reachability, its history, or a change, when the test says so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Self

from registry.errors import CompactedError, StoreError, StoreUnavailableError
from registry.model import Lease, LeaseId, Revision
from registry.store import Action, Batch, Check, Entry, Listing, Store, Watch


class FlakyStore:
    """Passes everything on to another store, except as told."""

    def __init__(self, store: Store, *, restores_leases: bool = True) -> None:
        self.restores_leases = restores_leases
        self._store = store
        self._hidden: set[str] = set()
        self._is_delaying = False
        self._delayed: Callable[[], Awaitable[Revision]] | None = None
        self._is_reachable = True
        self._failing_gets = 0
        self._broken: asyncio.Future[StoreError] = asyncio.Future()

    def lose(self) -> None:
        """Makes the store unreachable."""
        self._is_reachable = False
        self._break_watches(StoreUnavailableError("expected the store, found none"))

    def regain(self) -> None:
        """Makes the store reachable again."""
        self._is_reachable = True

    def compact(self) -> None:
        """Lets every watch fall behind the history."""
        self._break_watches(CompactedError(requested=1, compact_revision=2))

    def delay(self) -> None:
        """Leaves the next put unanswered, and lets it happen at `land`."""
        self._is_delaying = True

    async def land(self) -> None:
        """Lets the put that was delayed happen, or fail."""
        if self._delayed:
            with suppress(StoreError):
                await self._delayed()

    def hide(self, key: str) -> None:
        """Keeps changes of a key from every watch."""
        self._hidden.add(key)

    def become(self, store: Store) -> None:
        """Stands for another store from now on, as after a backup was restored; watches notice nothing."""
        self._store = store

    def _break_watches(self, error: StoreError) -> None:
        self._broken.set_result(error)
        self._broken = asyncio.Future()

    def fail_gets(self, count: int) -> None:
        """Lets the next few reads of single keys fail."""
        self._failing_gets = count

    async def get(self, key: str) -> Entry:
        if self._failing_gets:
            self._failing_gets -= 1
            raise StoreUnavailableError("expected an answer, found none")
        return await self._reachable().get(key)

    async def list(self, prefix: str) -> Listing:
        return await self._reachable().list(prefix)

    async def put(
        self, key: str, value: bytes, *, lease: LeaseId | None = None, expect: Revision | None = None
    ) -> Revision:
        put = partial(self._reachable().put, key, value, lease=lease, expect=expect)
        if self._is_delaying:
            self._is_delaying, self._delayed = False, put
            raise StoreUnavailableError("expected an answer, found none")
        return await put()

    async def delete(self, key: str, *, expect: Revision | None = None) -> Revision | None:
        return await self._reachable().delete(key, expect=expect)

    async def commit(self, actions: Sequence[Action], *, checks: Sequence[Check] = ()) -> Revision:
        return await self._reachable().commit(actions, checks=checks)

    @asynccontextmanager
    async def watch(self, prefix: str, from_revision: Revision) -> AsyncIterator[Watch]:
        async with self._reachable().watch(prefix, from_revision) as watch:
            yield _BreakingWatch(watch, self._broken, self._hidden)

    async def grant(self, ttl_seconds: int) -> Lease:
        return await self._reachable().grant(ttl_seconds)

    async def keep_alive(self, lease_id: LeaseId) -> Lease:
        return await self._reachable().keep_alive(lease_id)

    async def revoke(self, lease_id: LeaseId) -> None:
        await self._reachable().revoke(lease_id)

    def _reachable(self) -> Store:
        if not self._is_reachable:
            raise StoreUnavailableError("expected the store, found none")
        return self._store


class _BreakingWatch:
    """A watch until it breaks, without what is hidden."""

    def __init__(self, watch: Watch, broken: asyncio.Future[StoreError], hidden: Collection[str]) -> None:
        self._hidden = hidden
        self._watch = watch
        self._broken = broken

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        while True:
            batch = await self._until_broken()
            if shown := tuple(change for change in batch if change.key not in self._hidden):
                return shown

    async def _until_broken(self) -> Batch:
        async with asyncio.TaskGroup() as tasks:
            batch = tasks.create_task(_next(self._watch))
            either: set[asyncio.Future[Batch] | asyncio.Future[StoreError]] = {batch, self._broken}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            batch.cancel()
        if self._broken.done():
            raise self._broken.result()
        return batch.result()

    async def reach(self, revision: Revision) -> None:
        await self._watch.reach(revision)


async def _next(watch: Watch) -> Batch:
    return await anext(watch)
