"""The part of a control plane that keeps policies: sources, history and writer over one store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from controlplane.history.journal import Journal, journaling
from controlplane.history.record import Cause, Origin
from controlplane.model.document import Document, ObjectKey
from controlplane.sources import stored
from controlplane.sources.admin import AdminSource
from controlplane.sources.collector import Collector
from controlplane.sources.revisions import Numbered, Revisions
from controlplane.sources.source import Source
from controlplane.sources.writer import Applied, Edit, PolicyWriter
from registry.config import SqliteLocation, StoreOptions
from registry.mirror import mirroring
from registry.sqlite import open_sqlite
from registry.store import Store
from tests.support.builders import SCHEMA
from tests.support.clock import FakeClock
from tests.support.readiness import that, until

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MEMORY = SqliteLocation(path=None)
TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """What one control plane knows of the policies, and its way to change them."""

    journal: Journal
    revisions: Revisions
    writer: PolicyWriter

    async def apply(self, *documents: Document, author: str = "") -> Applied:
        """Keep documents as the admin API does."""
        edits = [Edit(key=document.key, document=document) for document in documents]
        return await self.writer.write(edits, Cause(origin=Origin.ADMIN, author=author))

    async def delete(self, key: ObjectKey) -> Applied:
        """Remove an object as the admin API does."""
        return await self.writer.write([Edit(key=key, document=None)], Cause(origin=Origin.ADMIN))

    async def at(self, revision: int) -> Numbered:
        """Return the set in force once it has a revision that the history knows."""
        await until(
            that(lambda: self.revisions.newest.revision == revision and self.revisions.newest.is_recorded)
        )
        return self.revisions.newest


@asynccontextmanager
async def replica(store: Store, *sources: Source) -> AsyncIterator[Replica]:
    """One of the control planes over `store`; further sources weigh more than the admin API."""
    async with (
        mirroring(store, stored.PREFIX) as mirror,
        journaling(store, lambda: NOW) as journal,
        asyncio.TaskGroup() as tasks,
    ):
        collector = Collector([*sources, AdminSource(mirror, SCHEMA)])
        revisions = Revisions(collector, journal, SCHEMA)
        running = [tasks.create_task(work) for work in (collector.run(), revisions.run())]
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield Replica(
                journal=journal,
                revisions=revisions,
                writer=PolicyWriter(journal, SCHEMA),
            )
        for task in running:
            task.cancel()


@asynccontextmanager
async def keeping(location: SqliteLocation) -> AsyncIterator[Replica]:
    """The only control plane over a store of its own."""
    async with (
        open_sqlite(location, clock=FakeClock(), options=StoreOptions()) as store,
        replica(store) as one,
    ):
        yield one
