"""Policies applied through the admin API, kept in the registry's store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.sources import stored
from controlplane.sources.source import Reading
from registry.errors import CompactedError, StoreUnavailableError
from registry.model import Revision
from registry.store import Put

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controlplane.model.schema import Schema
    from controlplane.sources.reader import Parsed
    from registry.store import Batch, Store

NAME: Final = "admin"
_RETRY_SECONDS: Final = 1.0

log = structlog.get_logger()


class AdminSource:
    """The documents under one prefix of a store, each a unit."""

    name = NAME

    def __init__(self, store: Store, schema: Schema) -> None:
        self._store = store
        self._schema = schema

    async def watch(self) -> AsyncIterator[Reading]:
        """All documents, and then every change; a store that is away is waited for."""
        known: set[str] = set()
        while True:
            try:
                async for reading in self._follow(known):
                    known = (known | reading.units.keys()) - {
                        name for name, parsed in reading.units.items() if parsed is None
                    }
                    yield reading
            except CompactedError:
                log.info("policies listed anew", reason="the store's history is compacted")
            except StoreUnavailableError as error:
                log.warning("policies cannot be read from the store", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self, known: set[str]) -> AsyncIterator[Reading]:
        listing = await self._store.list(stored.PREFIX)
        units: dict[str, Parsed | None] = dict.fromkeys(known)
        units |= {entry.key: stored.decode(entry.key, entry.value, self._schema) for entry in listing.entries}
        yield Reading(source=NAME, units=units, position=listing.revision)
        async with self._store.watch(stored.PREFIX, Revision(listing.revision + 1)) as batches:
            async for batch in batches:
                yield self._reading(batch)

    def _reading(self, batch: Batch) -> Reading:
        units: dict[str, Parsed | None] = {}
        for change in batch:
            value = change.entry.value if isinstance(change, Put) else None
            units[change.key] = None if value is None else stored.decode(change.key, value, self._schema)
        return Reading(source=NAME, units=units, position=batch[-1].revision)
