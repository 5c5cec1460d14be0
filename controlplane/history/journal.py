"""The history in a store: followed by every replica, written by whichever changes the set first.

Theory of operation. Records are appended under compare-and-set on `REVISION_KEY`, which is written with
each: of two replicas that write the same revision one loses, learns of the other's record by watching, and
goes on from there. What a record is about, such as documents of the admin API, may be written in the same
transaction. Old records go in the transaction that appends a new one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.history import ledger as ledgers
from controlplane.history.codec import decode_record, encode_record, encode_set
from controlplane.history.keys import CHECKPOINTS, PREFIX, RECORDS, REVISION_KEY, piece_key, revision_prefix
from controlplane.history.ledger import Ledger
from controlplane.history.record import compose
from controlplane.newest import Newest
from registry.errors import CompactedError, KeyNotFoundError, StoreError, StoreUnavailableError
from registry.model import Revision
from registry.store import ABSENT, TRANSACTION_MAX, Check, Remove, Write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from controlplane.history.record import Cause, Item, Record
    from controlplane.model.document import ObjectKey
    from registry.store import Action, Store

ACTIONS_MAX: Final = 80
"""How many actions may go along with a record; the rest of a transaction writes it, and trims."""

_OWN: Final = 3  # its first piece, the newest revision and the check on that
_RETRY_SECONDS: Final = 1.0

log = structlog.get_logger()


class Journal:
    """The history under one prefix of a store; `now` gives aware instants."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._newest = Newest(Ledger())
        self._recorded = asyncio.Event()

    @property
    def ledger(self) -> Ledger:
        """The history as of now."""
        return self._newest.value

    async def load(self) -> Revision:
        """Reads all there is; returns the revision of the store to go on from.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        position = await self._position()
        listing = await self._store.list(PREFIX)
        found = await asyncio.to_thread(ledgers.read, listing.entries)
        self._take(ledgers.at_least(found, position))
        return Revision(listing.revision + 1)

    async def run(self, from_revision: Revision) -> None:
        """Follows the store from `from_revision`, and keeps checkpoints, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_checkpoints())
            while True:
                await self._follow_until_lost(from_revision)
                from_revision = await self._load_again()

    def watch(self) -> AsyncIterator[Ledger]:
        """The history as of now, and again whenever it is another; what a slow reader misses is skipped."""
        return self._newest.watch()

    async def reached(self, position: int) -> None:
        """Returns once the store was followed up to what was recorded at `position`."""
        await self._newest.until(lambda ledger: ledger.position >= position)

    async def append(
        self,
        base: Ledger,
        after: Mapping[ObjectKey, Item | None],
        cause: Cause,
        *,
        revision: int = 0,
        actions: Sequence[Action] = (),
    ) -> Revision:
        """Records what becomes of objects since `base`, together with at most `ACTIONS_MAX` `actions`.

        The record gets the next number, `revision` if that is higher. Returns where in the store it is.

        Raises:
            RevisionMismatchError: something else was recorded since; nothing changed.
            StoreUnavailableError: the store cannot be written.
        """
        number = max(base.next_revision, revision)
        record = compose(base.policies, after, number, self._now(), cause)
        first, *others = await asyncio.to_thread(encode_record, record)
        await self._put_pieces(RECORDS, number, others)
        room = TRANSACTION_MAX - len(actions) - _OWN
        size = len(first) + sum(map(len, others))
        position = await self._store.commit(
            [
                *actions,
                Write(key=piece_key(RECORDS, number, 0), value=first),
                Write(key=REVISION_KEY, value=str(number).encode()),
                *(Remove(key=key) for key in ledgers.surplus(base, size, room)),
            ],
            checks=[Check(key=REVISION_KEY, revision=base.position)],
        )
        await self.reached(position)
        self._recorded.set()
        return position

    async def records(self, revisions: Iterable[int]) -> tuple[Record, ...]:
        """The records of revisions, in the order given; those that went meanwhile are left out.

        Raises:
            HistoryError: one cannot be read.
            StoreUnavailableError: the store cannot be read.
        """
        found = []
        for revision in revisions:
            listing = await self._store.list(revision_prefix(RECORDS, revision))
            if listing.entries:
                found.append(decode_record([entry.value for entry in listing.entries]))
        return tuple(found)

    async def _position(self) -> Revision:
        """Where in the store the newest revision was recorded."""
        try:
            return (await self._store.get(REVISION_KEY)).revision
        except KeyNotFoundError:
            return ABSENT

    def _take(self, ledger: Ledger) -> None:
        for revision in sorted(ledger.unreadable - self.ledger.unreadable):
            log.warning("record of the history cannot be read", revision=revision)
        self._newest.set(ledger)

    async def _follow_until_lost(self, from_revision: Revision) -> None:
        try:
            async with self._store.watch(PREFIX, from_revision) as batches:
                async for batch in batches:
                    self._take(ledgers.follow(self.ledger, batch))
        except CompactedError:
            log.info("history listed anew", reason="the store's history is compacted")
        except StoreUnavailableError as error:
            log.warning("history cannot be read from the store", error=str(error))

    async def _load_again(self) -> Revision:
        while True:
            await asyncio.sleep(_RETRY_SECONDS)
            try:
                return await self.load()
            except StoreUnavailableError as error:
                log.debug("history cannot be read yet", error=str(error))

    async def _keep_checkpoints(self) -> None:
        """Writes a checkpoint when one is due after a record of ours."""
        while True:
            await self._recorded.wait()
            self._recorded.clear()
            if ledgers.is_checkpoint_due(self.ledger):
                try:
                    await self._put_checkpoint(self.ledger)
                except StoreError as error:
                    log.warning("checkpoint of the history not kept", error=str(error))

    async def _put_checkpoint(self, ledger: Ledger) -> None:
        first, *others = await asyncio.to_thread(encode_set, ledger.policies)
        await self._put_pieces(CHECKPOINTS, ledger.revision, others)
        await self._store.put(piece_key(CHECKPOINTS, ledger.revision, 0), first, expect=ABSENT)
        listing = await self._store.list(CHECKPOINTS)
        newest = revision_prefix(CHECKPOINTS, ledger.revision)
        old = [entry.key for entry in listing.entries if entry.key < newest]
        await self._store.commit([Remove(key=key) for key in old[:TRANSACTION_MAX]])

    async def _put_pieces(self, folder: str, revision: int, pieces: Sequence[bytes]) -> None:
        """Puts all pieces but the first, which nobody reads without it."""
        for piece, value in enumerate(pieces, start=1):
            await self._store.put(piece_key(folder, revision, piece), value, expect=ABSENT)
