"""Revisions of the policy set, what differs between them, and the way back."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from controlplane.admin.policies import Checked, Policies
from controlplane.errors import HistoryError, NotFoundError
from controlplane.history import rollback
from controlplane.history.journal import Journal
from controlplane.history.ledger import Summary
from controlplane.history.record import Cause, Change, Origin, Record, item_of, squash, undo
from controlplane.history.rollback import Plan
from controlplane.model.document import Document, Problem
from controlplane.model.schema import Schema
from controlplane.sources import stored
from controlplane.sources.writer import Edit

DEFAULT_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed after revision `start`, up to and with `end`, sorted by key."""

    start: int
    end: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """What was or would be done, what is wrong with it, and the revision at which it holds, or zero."""

    plan: Plan
    problems: tuple[Problem, ...]
    revision: int = 0


class PolicyHistory:
    """The policies, with the journal of what they were."""

    def __init__(self, journal: Journal, policies: Policies, schema: Schema) -> None:
        self._journal = journal
        self.policies = policies
        self._schema = schema

    def revisions(self, limit: int) -> tuple[Summary, ...]:
        """The newest revisions, newest first."""
        newest_first = sorted(self._journal.ledger.summaries.items(), reverse=True)
        return tuple(summary for _, summary in islice(newest_first, limit or DEFAULT_LIMIT))

    async def between(self, start: int, end: int) -> Difference:
        """What changed from one revision to the other; zero stands for the newest, and for the one before.

        Raises:
            NotFoundError: a revision is not known, or not any more.
            HistoryError: a record cannot be read.
        """
        ledger = self._journal.ledger
        end = self._known(end) if end else ledger.revision
        earlier = (revision for revision in ledger.summaries if revision < end)
        start = self._known(start) if start else max(earlier, default=0)
        older, newer = min(start, end), max(start, end)
        changes = await asyncio.to_thread(self._changes, older, newer)
        return Difference(start=start, end=end, changes=changes if start <= end else undo(changes))

    def proposed(self, documents: Sequence[Document]) -> tuple[Change, ...]:
        """What applying documents would change, sorted by key."""
        changes = []
        for document in sorted(documents, key=lambda document: document.key):
            before = self.policies.desired.documents.get(document.key)
            if before is None or (before.spec, before.labels) != (document.spec, document.labels):
                was = item_of(before, before.file, self._schema) if before else None
                shall_be = item_of(document, stored.FILE, self._schema)
                changes.append(Change(key=document.key, before=was, after=shall_be))
        return tuple(changes)

    async def roll_back(self, revision: int, author: str, *, is_dry_run: bool) -> RolledBack:
        """Makes what the admin API owns what it was at a revision, and returns once that is in force.

        Raises:
            NotFoundError: the revision is not known, or not any more.
            HistoryError: a record cannot be read, or is not written yet.
            ReadOnlyError: policies are kept in a cluster.
            StoreUnavailableError: the store cannot be written.
        """
        await self.policies.recorded()
        back = undo((await self.between(self._known(revision), 0)).changes)
        plan = rollback.plan(back, self.policies.desired.documents, stored.FILE)
        checked = await self._check(plan, revision)
        result = RolledBack(plan=plan, problems=checked.problems)
        if is_dry_run or not checked.is_valid or not plan.changes:
            return result
        self.policies.check_writable()
        cause = Cause(origin=Origin.ROLLBACK, author=author, of=revision)
        kept = await self.policies.change(_edits(plan, checked), cause)
        return replace(result, revision=kept.revision)

    async def _check(self, plan: Plan, revision: int) -> Checked:
        """The documents to bring back, in today's surroundings."""
        texts = (change.after.text for change in plan.changes if change.after)
        return await self.policies.check([(f"r{revision}", text) for text in texts])

    def _changes(self, start: int, end: int) -> tuple[Change, ...]:
        """What changed after `start`, up to and with `end`."""
        return squash(self._records(start, end))

    def _records(self, start: int, end: int) -> tuple[Record, ...]:
        """The records after `start`, up to and with `end`."""
        ledger = self._journal.ledger
        wanted = [revision for revision in ledger.summaries if start < revision <= end]
        if unreadable := [revision for revision in ledger.unreadable if start < revision <= end]:
            names = ", ".join(f"r{revision}" for revision in sorted(unreadable))
            raise HistoryError(f"expected every record from r{start} to r{end}, cannot read {names}")
        records = self._journal.records(wanted)
        if len(records) < len(wanted):
            raise NotFoundError(f"r{wanted[0]} is no longer kept; see `breakwater policy history`")
        return records

    def _known(self, revision: int) -> int:
        summaries = self._journal.ledger.summaries
        if revision not in summaries:
            kept = f"one of r{min(summaries)} to r{max(summaries)}" if summaries else "a revision"
            raise NotFoundError(f"expected {kept}, found r{revision}; `breakwater policy history` lists them")
        return revision


def _edits(plan: Plan, checked: Checked) -> list[Edit]:
    """What to write: documents of the age that they had."""
    documents = {document.key: document for document in checked.documents}
    return [
        Edit(
            key=change.key,
            document=replace(documents[change.key], created_at=change.after.created_at)
            if change.after
            else None,
        )
        for change in plan.changes
    ]
