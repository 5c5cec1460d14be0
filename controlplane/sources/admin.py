"""Policies applied through the admin API, kept in the registry's store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.sources import stored
from controlplane.sources.source import Reading
from registry.errors import CompactedError, KeyNotFoundError, RevisionMismatchError, StoreUnavailableError
from registry.model import Revision
from registry.store import ABSENT, Put

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from controlplane.model.document import Document, ObjectKey
    from controlplane.model.schema import Schema
    from controlplane.sources.reader import Parsed
    from registry.store import Batch, Store

NAME: Final = "admin"
_RETRY_SECONDS: Final = 1.0
_ATTEMPTS: Final = 5

log = structlog.get_logger()


class Outcome(Enum):
    """What became of a document."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of each document, in the order given; they hold once the source is read to `position`."""

    outcomes: tuple[tuple[ObjectKey, Outcome], ...]
    position: int


class AdminSource:
    """The documents under one prefix of a store, each a unit; `now` gives aware instants."""

    name = NAME

    def __init__(self, store: Store, schema: Schema, now: Callable[[], datetime]) -> None:
        self._store = store
        self._schema = schema
        self._now = now

    async def apply(self, documents: Sequence[Document]) -> Applied:
        """Keeps documents that have been checked, one after the other.

        Raises:
            StoreUnavailableError: the store cannot be written; those before may be kept.
        """
        outcomes = []
        position = 0
        for document in documents:
            outcome, revision = await self._put(document)
            outcomes.append((document.key, outcome))
            position = max(position, revision)
        return Applied(outcomes=tuple(outcomes), position=position)

    async def delete(self, key: ObjectKey) -> int | None:
        """The position at which the object is gone, or `None` if it is not there.

        Raises:
            StoreUnavailableError: the store cannot be written.
        """
        return await self._store.delete(stored.key_of(key))

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

    async def _put(self, document: Document) -> tuple[Outcome, int]:
        """Writes a document over the one that is there, if any; somebody else's write is not lost unseen."""
        key = stored.key_of(document.key)
        for attempt in range(1, _ATTEMPTS + 1):
            before, revision = await self._get(key)
            if before and (before.spec, before.labels) == (document.spec, document.labels):
                return Outcome.UNCHANGED, revision
            new = replace(
                document,
                generation=before.generation + 1 if before else 1,
                created_at=(before and before.created_at) or self._now(),
            )
            try:
                written = await self._store.put(key, stored.encode(new, self._schema), expect=revision)
            except RevisionMismatchError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return Outcome.CONFIGURED if before else Outcome.CREATED, written
        raise AssertionError("the last attempt returns or raises")

    async def _get(self, key: str) -> tuple[Document | None, Revision]:
        try:
            entry = await self._store.get(key)
        except KeyNotFoundError:
            return None, ABSENT
        parsed = stored.decode(key, entry.value, self._schema)
        return (parsed.documents[0] if parsed.documents else None), entry.revision
