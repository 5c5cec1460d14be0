"""Policies applied through the admin API, kept in the registry's store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from controlplane.sources import stored
from controlplane.sources.source import Reading
from registry.store import Put

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from controlplane.model.schema import Schema
    from controlplane.sources.reader import Parsed
    from registry.mirror import Mirror
    from registry.model import Revision
    from registry.store import Change

NAME: Final = "admin"


class AdminSource:
    """The documents under `stored.PREFIX`, each a unit, as a mirror of the store shows them."""

    name = NAME

    def __init__(self, mirror: Mirror, schema: Schema) -> None:
        self._mirror = mirror
        self._schema = schema

    async def watch(self) -> AsyncIterator[Reading]:
        """All documents, and then every change."""
        with self._mirror.watch() as updates:
            entries = self._mirror.entries.values()
            yield await self._read([Put(entry=entry) for entry in entries], self._mirror.revision)
            async for update in updates:
                yield await self._read(update.changes, update.revision)

    async def _read(self, changes: Sequence[Change], revision: Revision) -> Reading:
        """The changes as documents; half a millisecond each, off the event loop."""
        return await asyncio.to_thread(self._reading, changes, revision)

    def _reading(self, changes: Sequence[Change], revision: Revision) -> Reading:
        units: dict[str, Parsed | None] = {}
        for change in changes:
            value = change.entry.value if isinstance(change, Put) else None
            units[change.key] = None if value is None else stored.decode(change.key, value, self._schema)
        return Reading(source=NAME, units=units, position=revision)
