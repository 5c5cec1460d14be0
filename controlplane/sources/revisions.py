"""Gives every set of documents its revision, and has the history hear of it.

A set goes on to the sidecars at once. If the admin API made it, its record is in the store already; what
files changed is recorded a moment later, and when the store is away, once it is back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.history import numbering as numbers
from controlplane.history.fingerprint import Fingerprints
from controlplane.history.ledger import superseded
from controlplane.history.numbering import Numbering
from controlplane.history.record import Cause, Item, Origin, item_of
from controlplane.newest import Newest
from controlplane.sources import stored
from controlplane.sources.desired import Desired
from registry.errors import RevisionMismatchError, StoreError
from registry.store import Remove

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from controlplane.history.journal import Journal
    from controlplane.history.ledger import Ledger
    from controlplane.model.document import Document, ObjectKey
    from controlplane.model.schema import Schema
    from controlplane.sources.collector import Collector

REST_SECONDS: Final = 0.1
"""How long a change rests before it is recorded: others may be about to, and edits come in bursts."""

RETURN_SECONDS: Final = 2.0
"""How long more once the store went back: the policies in it are listed anew as well, though not at once."""

_PATIENCE_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """The documents in force, their revision, and whether the history knows it."""

    desired: Desired
    fingerprints: Fingerprints
    numbering: Numbering

    @property
    def documents(self) -> Mapping[ObjectKey, Document]:
        """Each by its key."""
        return self.desired.documents

    @property
    def revision(self) -> int:
        """The revision of the set."""
        return self.numbering.revision

    @property
    def is_recorded(self) -> bool:
        """Whether the history knows the set."""
        return not self.numbering.is_owed

    def delivers_as(self, other: Numbered | None) -> bool:
        """Whether sidecars would be told the same."""
        return other is not None and other.desired is self.desired and other.revision == self.revision


class Revisions:
    """Numbers the sets of a collector by what a journal knows, and appends to that."""

    def __init__(self, collector: Collector, journal: Journal, schema: Schema) -> None:
        self._collector = collector
        self._journal = journal
        self._schema = schema
        self._has_gone_back = False
        self._newest = Newest(Numbered(desired=Desired(), fingerprints=Fingerprints(), numbering=Numbering()))

    @property
    def newest(self) -> Numbered:
        """The set in force; before there is one, the empty set."""
        return self._newest.value

    async def run(self) -> None:
        """Follows the sets and the history until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_sets())
            tasks.create_task(self._follow_history())
            tasks.create_task(self._record())

    async def watch(self) -> AsyncIterator[Numbered]:
        """The newest set, and again whenever it or its revision is another."""
        seen: Numbered | None = None
        async for numbered in self._newest.watch():
            if numbered.numbering.fingerprint is not None and not numbered.delivers_as(seen):
                seen = numbered
                yield numbered

    async def reached(self, source: str, position: int) -> Numbered:
        """The newest set, once a source has been read up to `position`."""
        return await self._newest.until(lambda one: one.desired.positions.get(source, -1) >= position)

    async def recorded(self) -> None:
        """Returns once the history knows the set in force."""
        await self._newest.until(lambda one: one.is_recorded)

    def revision_of(self, key: ObjectKey) -> int:
        """The revision at which an object came as it is."""
        item = self._journal.ledger.policies.items.get(key)
        is_known = item is not None and item.fingerprint == self.newest.fingerprints.find(key)
        return item.revision if item and is_known else self.newest.revision

    async def saw(self, revision: int) -> None:
        """Gives the set a revision above one that a sidecar has, unless the store has it and we are late."""
        if revision > self.newest.revision and not await self._is_known(revision):
            self._renumber(numbers.exceed(self.newest.numbering, revision))

    async def _is_known(self, revision: int) -> bool:
        try:
            return await self._journal.has(revision)
        except StoreError:
            return False

    async def _follow_sets(self) -> None:
        async for desired in self._collector.watch():
            fingerprints = self.newest.fingerprints.of(desired.documents)
            numbering = numbers.change(self.newest.numbering, fingerprints.total, self._journal.ledger)
            self._newest.set(Numbered(desired=desired, fingerprints=fingerprints, numbering=numbering))

    async def _follow_history(self) -> None:
        async for ledger in self._journal.watch():
            was_recorded = self.newest.is_recorded
            self._hear(ledger)
            self._has_gone_back |= was_recorded and not self.newest.is_recorded

    def _hear(self, ledger: Ledger) -> None:
        self._renumber(numbers.hear(self.newest.numbering, ledger))

    def _renumber(self, numbering: Numbering) -> None:
        if numbering.fingerprint is not None and numbering != self.newest.numbering:
            self._newest.set(replace(self.newest, numbering=numbering))

    async def _record(self) -> None:
        while True:
            await self._newest.until(lambda one: not one.is_recorded)
            await asyncio.sleep(REST_SECONDS)
            while self._has_gone_back:
                self._has_gone_back = False
                await asyncio.sleep(RETURN_SECONDS)
            ledger = self._journal.ledger
            self._hear(ledger)
            if not self.newest.is_recorded:
                await self._append(ledger, self.newest)

    async def _append(self, ledger: Ledger, numbered: Numbered) -> None:
        after = await asyncio.to_thread(self._differences, ledger, numbered)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._journal.append(
                    ledger,
                    after,
                    Cause(origin=_origin(ledger, after)),
                    revision=numbered.revision,
                    actions=[] if after else [Remove(key=key) for key in superseded(ledger)],
                )
        except RevisionMismatchError:
            log.debug("another replica recorded something first", revision=numbered.revision)
        except (StoreError, TimeoutError) as error:
            log.warning("revision not recorded yet", revision=numbered.revision, error=str(error))
            await asyncio.sleep(_RETRY_SECONDS)

    def _differences(self, ledger: Ledger, numbered: Numbered) -> dict[ObjectKey, Item | None]:
        """What the history does not know yet: objects as they are now, `None` for those that are gone."""
        known = ledger.policies.items
        found: dict[ObjectKey, Item | None] = dict.fromkeys(known.keys() - numbered.documents.keys())
        for key, (document, fingerprint) in numbered.fingerprints.known.items():
            if key not in known or known[key].fingerprint != fingerprint:
                found[key] = item_of(document, document.file, self._schema)
        return found


def _origin(ledger: Ledger, after: Mapping[ObjectKey, Item | None]) -> Origin:
    """Who made the changes, as far as the objects tell."""
    if not after:
        return Origin.RENUMBERED
    changed = (item or ledger.policies.items[key] for key, item in after.items())
    return Origin.ADMIN if {item.source for item in changed} == {stored.FILE} else Origin.FILE
