"""Revisions of the policy set: what each changed, and the set that all of them made.

A *record* says how the set of one revision differs from that of the record before it. Every object carries a
fingerprint, and a set the sum of its objects', so that two sets are compared, and one is brought up to date,
without looking at what stays the same. These types are what is stored (codec.py), so their fields keep their
names.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # the codec evaluates the types of fields
from dataclasses import dataclass, field, replace
from datetime import datetime  # noqa: TC003  # the same
from enum import Enum
from typing import TYPE_CHECKING

from controlplane.history.fingerprint import EMPTY, Fingerprint, fingerprint, total
from controlplane.model.document import ObjectKey  # noqa: TC001  # the same
from controlplane.model.text import document_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controlplane.model.document import Document
    from controlplane.model.schema import Schema


class Origin(Enum):
    """Who made a revision; `RENUMBERED`: nobody, but sidecars had seen newer ones."""

    ADMIN = "admin"
    FILE = "file"
    ROLLBACK = "rollback"
    RENUMBERED = "renumbered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object as it stood: its text, whence it came, and the revision at which it came so.

    `source` is the file it is defined in, or `admin`; `revision` is given when it is recorded.
    """

    text: str
    source: str
    generation: int = 0
    created_at: datetime | None = None
    fingerprint: Fingerprint
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object before and after; `None` where it is not there."""

    key: ObjectKey
    before: Item | None = None
    after: Item | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Who makes a revision: `author` as far as known, `of` the revision that a rollback goes back to."""

    origin: Origin
    author: str = ""
    of: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One revision of the policy set; `changes` are sorted by key, `fingerprint` is that of the set after."""

    revision: int
    at: datetime
    cause: Cause
    fingerprint: Fingerprint
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """All objects in force at one revision."""

    items: Mapping[ObjectKey, Item] = field(default_factory=dict)
    fingerprint: Fingerprint = EMPTY


def item_of(document: Document, source: str, schema: Schema) -> Item:
    """An object as it stands now, defined in `source`."""
    return Item(
        text=document_text(document, schema),
        source=source,
        generation=document.generation,
        created_at=document.created_at,
        fingerprint=fingerprint(document),
    )


def compose(
    before: PolicySet, after: Mapping[ObjectKey, Item | None], revision: int, at: datetime, cause: Cause
) -> Record:
    """The record of `after`, which has every object that is another one, or gone, since `before`."""
    changes = tuple(
        Change(key=key, before=before.items.get(key), after=item and replace(item, revision=revision))
        for key, item in sorted(after.items())
    )
    found = evolve(before, changes).fingerprint
    return Record(revision=revision, at=at, cause=cause, fingerprint=found, changes=changes)


def evolve(policies: PolicySet, changes: Iterable[Change]) -> PolicySet:
    """The set after `changes`, whatever they say was there before."""
    items = dict(policies.items)
    gone, come = [], []
    for change in changes:
        if (item := items.pop(change.key, None)) is not None:
            gone.append(item.fingerprint)
        if change.after is not None:
            items[change.key] = change.after
            come.append(change.after.fingerprint)
    return PolicySet(items=items, fingerprint=total(policies.fingerprint, added=come, removed=gone))


def squash(records: Iterable[Record]) -> tuple[Change, ...]:
    """What records, oldest first, change together, sorted by key; what only came and went is left out."""
    changes: dict[ObjectKey, Change] = {}
    for record in records:
        for change in record.changes:
            first = changes.get(change.key, change)
            changes[change.key] = Change(key=change.key, before=first.before, after=change.after)
    return tuple(change for _, change in sorted(changes.items()) if not is_same(change.before, change.after))


def undo(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that take `changes` back."""
    return tuple(Change(key=change.key, before=change.after, after=change.before) for change in changes)


def is_same(one: Item | None, other: Item | None) -> bool:
    """Whether two objects say the same and are of the same age, however often they changed in between."""
    if one is None or other is None:
        return one is other
    return (one.text, one.created_at) == (other.text, other.created_at)
