"""The history in a store: followed by every replica, written by whichever changes the set first.

Theory of operation. Records are appended under compare-and-set on `REVISION_KEY`, which is written with
each: of two replicas that write the same revision one loses, learns of the other's record by watching, and
goes on from there. What a record is about, such as documents of the admin API, may be written in the same
transaction. Old records go in the transaction that appends a new one.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.history import ledger as ledgers
from controlplane.history.codec import decode_record, encode_record, encode_set
from controlplane.history.keys import CHECKPOINTS, PREFIX, RECORDS, REVISION_KEY, piece_key, revision_prefix
from controlplane.history.ledger import Ledger
from controlplane.history.record import compose
from controlplane.newest import Newest
from registry.background import running
from registry.errors import KeyNotFoundError, RevisionMismatchError, StoreError
from registry.mirror import mirroring
from registry.store import ABSENT, TRANSACTION_MAX, Check, Remove, Write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from controlplane.history.record import Cause, Item, Record
    from controlplane.model.document import ObjectKey
    from registry.clock import Clock
    from registry.mirror import Mirror, Update
    from registry.model import Revision
    from registry.store import Action, Store

ACTIONS_MAX: Final = 80
"""How many actions may go along with a record; the rest of a transaction writes it, and trims."""

_OWN: Final = 3  # its first piece, the newest revision and the check on that
_PATIENCE_SECONDS: Final = 2.0

log = structlog.get_logger()


class Journal:
    """The history of `store`, as `mirror` shows it; made by `journaling`.

    Records are of the instants that `now` gives.
    """

    def __init__(self, store: Store, mirror: Mirror, now: Callable[[], datetime]) -> None:
        self.store = store
        self.mirror = mirror
        self.now = now
        self._newest = Newest(Ledger())
        self._recorded = asyncio.Event()

    @property
    def ledger(self) -> Ledger:
        """The history as of now."""
        return self._newest.value

    async def load(self) -> None:
        """Reads all there is."""
        counted, _ = await self._counter()
        ledger = await asyncio.to_thread(ledgers.read, tuple(self.mirror.entries.values()))
        self._take(replace(ledger, counted=counted))

    async def run(self, updates: AsyncIterator[Update]) -> None:
        """Follows the mirror, and keeps checkpoints, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_checkpoints())
            async for update in updates:
                self._take(ledgers.follow(self.ledger, update.changes))
                if not self.ledger.is_whole:
                    await self._look_back()

    def watch(self) -> AsyncIterator[Ledger]:
        """The history as of now, and again whenever it is another; what a slow reader misses is skipped."""
        return self._newest.watch()

    async def reached(self, position: int) -> None:
        """Returns once the store was followed up to what was recorded at `position`."""
        await self._newest.until(lambda ledger: ledger.position >= position)

    async def has(self, revision: int) -> bool:
        """Whether the store knows a revision, or a newer one, though we may not yet.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        return (await self._counter())[0] >= revision

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
            RevisionMismatchError: something else was recorded since, which `ledger` has by now.
            StoreUnavailableError: the store cannot be written.
        """
        number = max(base.next_revision, revision)
        record = compose(base.policies, after, number, self.now(), cause)
        pieces = await asyncio.to_thread(encode_record, record)
        surplus = ledgers.surplus(base, sum(map(len, pieces)), TRANSACTION_MAX - len(actions) - _OWN)
        removals = (Remove(key=key) for key in surplus)
        try:
            position = await self._commit(base, number, pieces, [*actions, *removals])
        except RevisionMismatchError as error:
            await self._catch_up(base, error.found)
            raise
        await self.reached(position)
        self._recorded.set()
        return position

    def records(self, revisions: Iterable[int]) -> tuple[Record, ...]:
        """The records of revisions, in the order given; those that are not there are left out.

        Raises:
            HistoryError: one cannot be read.
        """
        found = (tuple(self._pieces(revision)) for revision in revisions)
        return tuple(decode_record(pieces) for pieces in found if pieces)

    def _pieces(self, revision: int) -> Iterator[bytes]:
        for piece in count():
            entry = self.mirror.entries.get(piece_key(RECORDS, revision, piece))
            if entry is None:
                return
            yield entry.value

    async def _commit(
        self, base: Ledger, number: int, pieces: Sequence[bytes], actions: Sequence[Action]
    ) -> Revision:
        first, *others = pieces
        await self._put_pieces(RECORDS, number, others)
        return await self.store.commit(
            [
                *actions,
                Write(key=piece_key(RECORDS, number, 0), value=first),
                Write(key=REVISION_KEY, value=str(number).encode()),
            ],
            checks=[Check(key=REVISION_KEY, revision=base.position)],
        )

    async def _catch_up(self, base: Ledger, position: int) -> None:
        """Returns once the record at `position` is known, or that there is none, as if it was deleted."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._newest.until(lambda ledger: ledger is not base and ledger.position >= position)
        except TimeoutError:
            counted, written_at = await self._counter()
            self._take(replace(self.ledger, counted=counted, position=written_at))

    async def _look_back(self) -> None:
        """Reads all anew if the store is an older one, rather than one whose history somebody deleted."""
        while True:
            try:
                _, position = await self._counter()
                if position != self.ledger.position:
                    await self.load()
            except StoreError as error:
                log.warning("history cannot be read from the store", error=str(error))
                await asyncio.sleep(_PATIENCE_SECONDS)
            else:
                return

    async def _counter(self) -> tuple[int, Revision]:
        """The newest revision that the store has, and where it was written; 0 when there is none."""
        try:
            entry = await self.store.get(REVISION_KEY)
        except KeyNotFoundError:
            return 0, ABSENT
        return int(entry.value) if entry.value.isdigit() else 0, entry.revision

    def _take(self, ledger: Ledger) -> None:
        for revision in sorted(ledger.unreadable - self.ledger.unreadable):
            log.warning("record of the history cannot be read", revision=revision)
        self._newest.set(ledger)

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
        await self.store.put(piece_key(CHECKPOINTS, ledger.revision, 0), first, expect=ABSENT)
        listing = await self.store.list(CHECKPOINTS)
        newest = revision_prefix(CHECKPOINTS, ledger.revision)
        old = [entry.key for entry in listing.entries if entry.key < newest]
        await self.store.commit([Remove(key=key) for key in old[:TRANSACTION_MAX]])

    async def _put_pieces(self, folder: str, revision: int, pieces: Sequence[bytes]) -> None:
        """Puts all pieces but the first, which nobody reads without it."""
        for piece, value in enumerate(pieces, start=1):
            await self.store.put(piece_key(folder, revision, piece), value, expect=ABSENT)


@asynccontextmanager
async def journaling(
    store: Store, now: Callable[[], datetime], *, clock: Clock | None = None
) -> AsyncIterator[Journal]:
    """The history of `store`, complete as of now and kept current; `now` gives aware instants.

    Raises:
        StoreError: the store cannot be read at the start; afterwards it is waited for.
    """
    async with mirroring(store, PREFIX, clock=clock) as mirror:
        journal = Journal(store, mirror, now)
        with mirror.watch() as updates:
            await journal.load()
            async with running(journal.run(updates)):
                yield journal
