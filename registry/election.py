"""Elects one leader among equals: whoever holds a key under a lease, with a revision that fences its writes.

Theory of operation. A candidate looks at the key every other second. It writes the key when there is none,
under a lease of its own, and only if there is none still: the revision of that write is its *fence*. While it
leads it renews the lease and sees that the key is still at the fence. Two guards keep a leader that is no
longer one from doing harm:

- It counts the lease's time itself, from before each renewal, and so stops before the store ends the lease.
- Whatever only a leader may write goes through `Leadership.commit`, which the store takes only while the key
  is at the fence. A leader that was paused, and has not looked at a clock since, fails at its first write.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from registry.background import running
from registry.clock import Clock, MonotonicClock
from registry.errors import (
    KeyNotFoundError,
    LeaseNotFoundError,
    NotLeaderError,
    RevisionMismatchError,
    StoreError,
)
from registry.keys import LEADER
from registry.model import Lease, Revision
from registry.store import ABSENT, Action, Check, Store, Write

LEADER_SECONDS = 15
"""How long a leader stays one that no longer renews its lease."""

LOOK_SECONDS = 2
"""How often a leader renews, and the others look whether there is one."""

_PATIENCE_SECONDS = 5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leadership:
    """One time of leading, from the write at revision `fence` on."""

    store: Store
    key: str
    fence: Revision

    async def commit(self, actions: Sequence[Action], *, checks: Sequence[Check] = ()) -> Revision:
        """As `Store.commit`, if the lead is still held.

        Raises:
            NotLeaderError: it is not; nothing changed.
        """
        try:
            return await self.store.commit(
                actions, checks=(Check(key=self.key, revision=self.fence), *checks)
            )
        except RevisionMismatchError as error:
            if error.key == self.key:
                raise NotLeaderError(self.key, self.fence) from error
            raise


class Election:
    """One candidate, and what it knows of the leader; made by `stand`."""

    def __init__(self, store: Store, name: str, clock: Clock, key: str) -> None:
        self._store = store
        self._name = name
        self._clock = clock
        self._key = key
        self._leader = ""
        self._leadership: Leadership | None = None
        self._lease: Lease | None = None
        self._renewed_ns = 0
        self._elected = asyncio.Condition()

    @property
    def leader(self) -> str:
        """The name of the leader as last seen; empty while there is none."""
        return self._leader

    @property
    def leadership(self) -> Leadership | None:
        """The lead, while it is ours as far as the clock tells."""
        return self._leadership if self.renewed_seconds is not None else None

    @property
    def renewed_seconds(self) -> float | None:
        """How long ago the lead was renewed, while it is ours."""
        if self._leadership is None:
            return None
        age_seconds = (self._clock.now_ns() - self._renewed_ns) / 1e9
        return age_seconds if age_seconds < LEADER_SECONDS else None

    async def elected(self) -> Leadership:
        """The lead, once it is ours."""
        async with self._elected:
            while (leadership := self.leadership) is None:
                await self._elected.wait()
        return leadership

    async def run(self) -> None:
        """Stands, leads and stands again, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await (self._renew() if self._leadership else self._look())
            except (StoreError, TimeoutError) as error:
                log.warning("leader unknown, the store is unavailable", error=str(error))
                if self.leadership is None:
                    self._lose()
            await self._clock.sleep(LOOK_SECONDS)

    async def resign(self) -> None:
        """Ends the lead, if it is ours, so that another one begins without waiting for the lease."""
        if lease := self._lease:
            self._leadership = self._lease = None
            self._leader = ""
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._store.revoke(lease.id)

    async def _look(self) -> None:
        """Note who leads, or begin to when nobody does."""
        try:
            self._leader = (await self._store.get(self._key)).value.decode()
        except KeyNotFoundError:
            self._leader = ""
            await self._campaign()

    async def _campaign(self) -> None:
        before_ns = self._clock.now_ns()
        self._lease = await self._store.grant(LEADER_SECONDS)
        write = Write(key=self._key, value=self._name.encode(), lease=self._lease.id)
        try:
            fence = await self._store.commit([write], checks=[Check(key=self._key, revision=ABSENT)])
        except RevisionMismatchError:
            await self.resign()
            return
        self._renewed_ns = before_ns
        self._leader = self._name
        self._leadership = Leadership(store=self._store, key=self._key, fence=fence)
        log.info("lead taken", name=self._name, fence=fence)
        async with self._elected:
            self._elected.notify_all()

    async def _renew(self) -> None:
        if self._lease is None or self._leadership is None:
            return
        before_ns = self._clock.now_ns()
        try:
            await self._store.keep_alive(self._lease.id)
            entry = await self._store.get(self._key)
        except (LeaseNotFoundError, KeyNotFoundError):
            self._lose()
        else:
            if entry.revision != self._leadership.fence:
                self._lose()
            self._renewed_ns = before_ns

    def _lose(self) -> None:
        if self._leadership:
            log.warning("lead lost", name=self._name, fence=self._leadership.fence)
        self._leadership = self._lease = None
        self._leader = ""


@asynccontextmanager
async def stand(
    store: Store, name: str, *, clock: Clock | None = None, key: str = LEADER
) -> AsyncIterator[Election]:
    """A candidate called `name`, until the block ends; it then leaves the lead to the others."""
    election = Election(store, name, clock or MonotonicClock(), key)
    try:
        async with running(election.run()):
            yield election
    finally:
        await election.resign()
