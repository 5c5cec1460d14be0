"""Candidates who write as often as they lead, and whether one ever wrote after another had begun to lead."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from registry.config import StoreLocation
from registry.election import Election, stand
from registry.errors import StoreError
from registry.model import Revision
from registry.opening import open_store
from registry.store import Change, Put, Store, Write

LEADER, WRITTEN = "/faults/leader", "/faults/written"
PERIOD_SECONDS = 0.05


@asynccontextmanager
async def candidates(locations: Sequence[StoreLocation]) -> AsyncIterator[None]:
    """Let a candidate stand through each location, and write its fence while it leads; the first begins."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        writing = []
        for number, location in enumerate(locations):
            store = await stack.enter_async_context(open_store(location))
            election = await stack.enter_async_context(stand(store, f"candidate-{number}", key=LEADER))
            if number == 0:
                await election.elected()
            writing.append(tasks.create_task(_write(election)))
        try:
            yield
        finally:
            for task in writing:
                task.cancel()


async def _write(election: Election) -> None:
    while True:
        leadership = await election.elected()
        write = Write(key=WRITTEN, value=str(leadership.fence).encode())
        with suppress(StoreError):  # it no longer leads, or etcd cannot be reached
            await leadership.commit([write])
        await asyncio.sleep(PERIOD_SECONDS)


async def fences(store: Store, since: Revision) -> list[int]:
    """Return the fence of every write after a revision, in the order of the writes."""
    last = (await store.list(WRITTEN)).entries[0].revision
    changes: list[Change] = []
    async with store.watch(WRITTEN, Revision(since + 1)) as watch:
        while not changes or changes[-1].revision < last:
            changes += await anext(watch)
    return [int(change.entry.value) for change in changes if isinstance(change, Put)]
