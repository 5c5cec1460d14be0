"""Changes of the admin API's documents, each kept together with its record in the history.

Up to `ACTIONS_MAX` objects change in one transaction, which is one revision. More than that, or more than
`CHUNK_BYTES`, are written in several, in the order given, each a revision: no store takes 10,000 at once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from controlplane.errors import PartlyKeptError
from controlplane.history.journal import ACTIONS_MAX
from controlplane.history.record import item_of
from controlplane.sources import stored
from registry.errors import KeyNotFoundError, RevisionMismatchError, StoreError
from registry.store import ABSENT, Remove, Write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controlplane.history.journal import Journal
    from controlplane.history.record import Cause, Item
    from controlplane.model.document import Document, ObjectKey
    from controlplane.model.schema import Schema
    from registry.model import Revision
    from registry.store import Action, Entry

CHUNK_BYTES: Final = 256 << 10
"""With the record of what was before and is after, well below what etcd takes in one request by default."""

_ATTEMPTS: Final = 50  # each lost to somebody else's change, who is done then


class Outcome(Enum):
    """What became of an object."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What an object shall be: `document`, or gone."""

    key: ObjectKey
    document: Document | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of each object, in order; it holds once the admin source is read to `position`."""

    outcomes: tuple[tuple[ObjectKey, Outcome], ...]
    position: int


@dataclass(slots=True, kw_only=True)
class _Plan:
    """A transaction in the making."""

    position: Revision
    outcomes: list[tuple[ObjectKey, Outcome]]
    actions: list[Action]
    after: dict[ObjectKey, Item | None]

    @property
    def size(self) -> int:
        return sum(len(action.value) for action in self.actions if isinstance(action, Write))


class PolicyWriter:
    """Writes documents that have been checked, into the store of a journal."""

    def __init__(self, journal: Journal, schema: Schema) -> None:
        self._journal = journal
        self._schema = schema
        self._turn = asyncio.Lock()

    async def write(self, edits: Sequence[Edit], cause: Cause) -> Applied:
        """Makes objects what they shall be.

        Raises:
            StoreUnavailableError: the store cannot be written; nothing changed.
            PartlyKeptError: the same, once the first of several transactions were through.
        """
        outcomes: list[tuple[ObjectKey, Outcome]] = []
        position = ABSENT
        while len(outcomes) < len(edits):
            rest = edits[len(outcomes) : len(outcomes) + ACTIONS_MAX]
            try:
                plan = await self._write_some(rest, cause)
            except StoreError as error:
                if not outcomes:
                    raise
                raise PartlyKeptError(len(outcomes), len(edits), str(error)) from error
            outcomes += plan.outcomes
            position = max(position, plan.position)
        return Applied(outcomes=tuple(outcomes), position=position)

    async def _write_some(self, edits: Sequence[Edit], cause: Cause) -> _Plan:
        """Writes as many of the edits as one transaction takes."""
        async with self._turn:
            for attempt in range(1, _ATTEMPTS + 1):
                ledger = self._journal.ledger
                found = await asyncio.gather(*(self._find(edit.key) for edit in edits))
                plan = await asyncio.to_thread(self._plan, edits, found)
                if not plan.actions:
                    return plan
                try:
                    plan.position = await self._journal.append(
                        ledger, plan.after, cause, actions=plan.actions
                    )
                except RevisionMismatchError:
                    if attempt == _ATTEMPTS:
                        raise
                else:
                    return plan
        raise AssertionError("the last attempt returns or raises")

    def _plan(self, edits: Sequence[Edit], found: Sequence[Entry | None]) -> _Plan:
        """The transaction for as many of the edits as it takes, given what is there."""
        plan = _Plan(position=ABSENT, outcomes=[], actions=[], after={})
        for edit, entry in zip(edits, found, strict=True):
            if plan.size > CHUNK_BYTES:
                break
            self._add(plan, edit, entry)
            plan.position = max(plan.position, entry.revision if entry else ABSENT)
        return plan

    def _add(self, plan: _Plan, edit: Edit, entry: Entry | None) -> None:
        key, document = stored.key_of(edit.key), edit.document
        before = self._document(entry) if entry else None
        if document is None and entry:
            plan.outcomes.append((edit.key, Outcome.DELETED))
            plan.actions.append(Remove(key=key))
            plan.after[edit.key] = None
        elif document is None or (before and _says_the_same(before, document)):
            plan.outcomes.append((edit.key, Outcome.UNCHANGED))
        else:
            new = self._successor(document, before)
            item = item_of(new, stored.FILE, self._schema)
            plan.outcomes.append((edit.key, Outcome.CONFIGURED if before else Outcome.CREATED))
            plan.actions.append(Write(key=key, value=stored.encode(new, item.text)))
            plan.after[edit.key] = item

    def _successor(self, document: Document, before: Document | None) -> Document:
        return replace(
            document,
            generation=before.generation + 1 if before else 1,
            created_at=document.created_at or (before and before.created_at) or self._journal.now(),
        )

    def _document(self, entry: Entry) -> Document | None:
        """What is there; `None` if nobody can read it."""
        parsed = stored.decode(entry.key, entry.value, self._schema)
        return parsed.documents[0] if parsed.documents else None

    async def _find(self, key: ObjectKey) -> Entry | None:
        try:
            return await self._journal.store.get(stored.key_of(key))
        except KeyNotFoundError:
            return None


def _says_the_same(before: Document, document: Document) -> bool:
    """Whether nothing is to be done; a document with an age of its own wants that, too."""
    is_same_age = document.created_at in {None, before.created_at}
    return is_same_age and (before.spec, before.labels) == (document.spec, document.labels)
