"""The history as one replica knows it, brought up to date by what changes in the store.

The newest records are kept, and the newest *checkpoint*: the whole set at one revision. The records since
make of it the set of the newest revision, so that those before may go. Of a record that was read only the
summary stays in memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from controlplane.errors import HistoryError
from controlplane.history.codec import decode_record, decode_set, piece_count
from controlplane.history.keys import CHECKPOINTS, RECORDS, Place, find_place, piece_key
from controlplane.history.record import Cause, Change, Origin, PolicySet, Record, evolve
from registry.store import ABSENT, Put

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from controlplane.history.fingerprint import Fingerprint
    from controlplane.model.document import ObjectKey
    from registry.model import Revision
    from registry.store import Change as StoreChange
    from registry.store import Entry

RECORDS_MAX: Final = 1_000
BYTES_MAX: Final = 16 << 20
"""How much history is kept; the newest record always is."""

CHECKPOINT_RECORDS: Final = 100
CHECKPOINT_BYTES: Final = 4 << 20
"""After how much a new checkpoint is due: what a replica that starts reads anew is bounded by it."""

_NAMED: Final = 10  # objects that a summary names


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is remembered of a record: `counts` by what became of objects, and the first of them by name."""

    revision: int
    at: datetime
    cause: Cause
    fingerprint: Fingerprint
    counts: Mapping[str, int]
    first: tuple[tuple[ObjectKey, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The history up to `revision`, whose record was written at `position` of the store.

    `policies` is the set of that revision, `summaries` maps revisions to their records' in order, `sizes` the
    pieces that are stored to their bytes. `loose` are pieces whose first one is not there (yet), `unreadable`
    are revisions whose records were written by another release, or damaged. `counted` is what the store has
    counted to, which is more than what is there if somebody deleted the history.
    """

    revision: int = 0
    counted: int = 0
    position: Revision = ABSENT
    policies: PolicySet = field(default_factory=PolicySet)
    checkpoint: int = 0
    summaries: Mapping[int, Summary] = field(default_factory=dict)
    sizes: Mapping[Place, int] = field(default_factory=dict)
    loose: Mapping[Place, bytes] = field(default_factory=dict)
    unreadable: frozenset[int] = frozenset()

    @property
    def newest(self) -> int:
        """The highest number that was ever recorded."""
        return max(self.revision, self.counted)

    @property
    def next_revision(self) -> int:
        """The lowest number that no record has, not even one of which only a part was ever written."""
        return 1 + max([self.newest, *(place.revision for place in self.sizes)])

    @property
    def is_whole(self) -> bool:
        """Whether its newest record is there still."""
        return self.revision == 0 or Place(self.revision, 0) in self.sizes

    def revision_of(self, fingerprint: Fingerprint, since: int) -> int | None:
        """The oldest revision from `since` on at which the set had this fingerprint, or `None`."""
        same = (one for one in self.summaries.values() if one.fingerprint == fingerprint)
        return min((one.revision for one in same if one.revision >= since), default=None)


def outcome(change: Change) -> str:
    """What became of an object: created, configured or deleted."""
    if change.after is None:
        return "deleted"
    return "created" if change.before is None else "configured"


def summarize(record: Record) -> Summary:
    """What is remembered of a record."""
    named = ((change.key, outcome(change)) for change in record.changes)
    return Summary(
        revision=record.revision,
        at=record.at,
        cause=record.cause,
        fingerprint=record.fingerprint,
        counts=Counter(map(outcome, record.changes)),
        first=tuple(islice(named, _NAMED)),
    )


def read(entries: Iterable[Entry]) -> Ledger:
    """The history in everything that is stored under its prefix."""
    records: dict[Place, Entry] = {}
    checkpoints: dict[Place, bytes] = {}
    for entry in entries:
        if place := find_place(RECORDS, entry.key):
            records[place] = entry
        elif place := find_place(CHECKPOINTS, entry.key):
            checkpoints[place] = entry.value
    ledger = _newest(checkpoints)
    # The first piece of a record last, as it was written.
    for place in sorted(records, key=lambda place: (place.revision, -place.piece)):
        ledger = _put_piece(ledger, place, records[place])
    return ledger


def follow(ledger: Ledger, changes: Iterable[StoreChange]) -> Ledger:
    """The history after changes in the store, in order."""
    for change in sorted(changes, key=_first_piece_last):
        if place := find_place(RECORDS, change.key):
            if isinstance(change, Put):
                ledger = _put_piece(ledger, place, change.entry)
            else:
                ledger = _forget(ledger, place)
        elif (place := find_place(CHECKPOINTS, change.key)) and place.piece == 0 and isinstance(change, Put):
            ledger = replace(ledger, checkpoint=max(ledger.checkpoint, place.revision))
    return ledger


def is_checkpoint_due(ledger: Ledger) -> bool:
    """Whether much was recorded since the last one."""
    since = [place for place in ledger.sizes if place.revision > ledger.checkpoint]
    size = sum(ledger.sizes[place] for place in since)
    return len({place.revision for place in since}) >= CHECKPOINT_RECORDS or size >= CHECKPOINT_BYTES


def surplus(ledger: Ledger, incoming_bytes: int, keys_max: int) -> tuple[str, ...]:
    """The keys of the oldest records that are to go for a new one, no record in part; at most `keys_max`."""
    revisions = Counter(place.revision for place in ledger.sizes)
    count, size = len(revisions) + 1, sum(ledger.sizes.values()) + incoming_bytes
    keys: list[str] = []
    for revision in sorted(revisions):
        is_needed = revision > ledger.checkpoint or revision == ledger.revision
        if is_needed or (count <= RECORDS_MAX and size <= BYTES_MAX):
            break
        if len(keys) + revisions[revision] > keys_max:
            break
        places = [place for place in ledger.sizes if place.revision == revision]
        keys += (piece_key(RECORDS, *place) for place in places)
        size -= sum(ledger.sizes[place] for place in places)
        count -= 1
    return tuple(keys)


def superseded(ledger: Ledger) -> tuple[str, ...]:
    """The keys of the newest record, if it says no more than that the set has another number.

    The next that says no more takes its place: numbers that sidecars tell of must not use up the history.
    """
    newest = ledger.summaries.get(ledger.revision)
    if newest is None or newest.cause.origin is not Origin.RENUMBERED:
        return ()
    return tuple(piece_key(RECORDS, *place) for place in ledger.sizes if place.revision == ledger.revision)


def _newest(pieces: Mapping[Place, bytes]) -> Ledger:
    """A ledger that begins at the newest checkpoint that is whole and can be read; or else before all."""
    for revision in sorted({place.revision for place in pieces}, reverse=True):
        try:
            policies = decode_set(tuple(_assemble(pieces, revision)))
        except (HistoryError, KeyError):
            continue
        return Ledger(revision=revision, checkpoint=revision, policies=policies)
    return Ledger()


def _assemble(pieces: Mapping[Place, bytes], revision: int) -> Iterator[bytes]:
    """All the pieces of a revision.

    Raises:
        KeyError: one is missing.
    """
    first = pieces[Place(revision, 0)]
    yield first
    for piece in range(1, piece_count(first)):
        yield pieces[Place(revision, piece)]


def _first_piece_last(change: StoreChange) -> tuple[Revision, bool]:
    return change.revision, change.key.endswith("/000")


def _put_piece(ledger: Ledger, place: Place, entry: Entry) -> Ledger:
    ledger = replace(
        ledger,
        sizes={**ledger.sizes, place: len(entry.value)},
        loose={**ledger.loose, place: entry.value},
    )
    if place.piece:
        return ledger
    pieces = ledger.loose
    ledger = replace(
        ledger,
        position=max(ledger.position, entry.revision),
        loose={other: piece for other, piece in pieces.items() if other.revision != place.revision},
    )
    try:
        record = decode_record(tuple(_assemble(pieces, place.revision)))
    except (HistoryError, KeyError):
        revision = max(ledger.revision, place.revision)
        return replace(ledger, revision=revision, unreadable=ledger.unreadable | {place.revision})
    return _append(ledger, record)


def _append(ledger: Ledger, record: Record) -> Ledger:
    ledger = replace(ledger, summaries={**ledger.summaries, record.revision: summarize(record)})
    if record.revision <= ledger.revision:  # the checkpoint has it
        return ledger
    return replace(ledger, revision=record.revision, policies=evolve(ledger.policies, record.changes))


def _forget(ledger: Ledger, place: Place) -> Ledger:
    return replace(
        ledger,
        sizes={other: size for other, size in ledger.sizes.items() if other != place},
        loose={other: piece for other, piece in ledger.loose.items() if other != place},
        summaries={
            revision: summary for revision, summary in ledger.summaries.items() if revision != place.revision
        },
        unreadable=ledger.unreadable - {place.revision},
    )
