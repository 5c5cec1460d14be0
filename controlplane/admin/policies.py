"""Changes of policies through the admin API: checked as a whole, kept, and in force on return."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from controlplane.admin.parts import Fleet
from controlplane.analysis.analyze import analyze, unrefused, with_documents
from controlplane.analysis.world import World
from controlplane.errors import HistoryError, NotFoundError, ReadOnlyError
from controlplane.history.record import Cause, Origin
from controlplane.model.codes import Code
from controlplane.model.document import Document, ObjectKey, Problem
from controlplane.model.schema import Schema
from controlplane.model.sidecar import Hello
from controlplane.sources import admin, stored
from controlplane.sources.desired import Desired, Unit, preview
from controlplane.sources.reader import Parsed, parse
from controlplane.sources.revisions import Revisions
from controlplane.sources.source import CLUSTER
from controlplane.sources.writer import Edit, Outcome, PolicyWriter

_PATIENCE_SECONDS = 5.0
_PATIENCE_SECONDS_EACH = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Documents that were read, and every problem and warning about them."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]

    @property
    def is_valid(self) -> bool:
        """Whether nothing but warnings was found."""
        return all(problem.warning for problem in self.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of each document, in the order given, and the revision at which they hold."""

    outcomes: tuple[tuple[Document, Outcome], ...]
    revision: int


class Policies:
    """The policies in force, and the changes that people make here."""

    def __init__(
        self,
        revisions: Revisions,
        writer: PolicyWriter,
        schema: Schema,
        fleet: Fleet,
        *,
        are_in_cluster: bool = False,
    ) -> None:
        self._are_in_cluster = are_in_cluster
        self._revisions = revisions
        self._writer = writer
        self._schema = schema
        self._fleet = fleet

    @property
    def desired(self) -> Desired:
        """The set in force."""
        return self._revisions.newest.desired

    def revision_of(self, key: ObjectKey) -> int:
        """The revision at which an object came as it is."""
        return self._revisions.revision_of(key)

    async def recorded(self) -> None:
        """Returns once the history knows the set in force.

        Raises:
            HistoryError: it does not for some time, as while the store is away.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._revisions.recorded()
        except TimeoutError as error:
            raise HistoryError(
                "the newest revision is not recorded yet; `breakwater check` says whether the store answers"
            ) from error

    def check_writable(self) -> None:
        """Returns unless policies are kept in a cluster.

        Raises:
            ReadOnlyError: they are; the message says where to change them.
        """
        if self._are_in_cluster:
            raise ReadOnlyError(
                "policies are in the cluster here; change them there, as with `kubectl apply -f FILE`"
            )

    def key(self, kind: str, namespace: str, name: str) -> ObjectKey:
        """The key of an object; `kind` may be its short name, and is what it was when nobody knows it.

        Raises:
            NotFoundError: there is no such kind.
        """
        for known in self._schema.kinds.values():
            if kind.lower() in {known.name.lower(), known.short_name}:
                return ObjectKey(
                    kind=known.name, namespace="" if known.cluster_scoped else namespace, name=name
                )
        kinds = ", ".join(sorted(self._schema.kinds))
        raise NotFoundError(f"expected one of the kinds {kinds}, found {kind!r}")

    async def check(self, manifests: Sequence[tuple[str, str]]) -> Checked:
        """What applying files, each a name and a text, would meet; keeps nothing."""
        return await asyncio.to_thread(self._check, manifests)

    def _check(self, manifests: Sequence[tuple[str, str]]) -> Checked:
        parsed = [parse(text, file, self._schema) for file, text in manifests]
        documents = tuple(document for one in parsed for document in one.documents)
        problems = tuple(problem for one in parsed for problem in one.problems)
        problems += tuple(_repeated(documents))
        units = {stored.key_of(one.key): Parsed(documents=(one,)) for one in documents}
        problems += preview(self.desired, admin.NAME, units)
        problems += self._foresee(unrefused(documents, problems))
        return Checked(documents=documents, problems=problems)

    async def check_object(self, text: str) -> tuple[Problem, ...]:
        """What an object would meet that is written to the cluster."""
        return await asyncio.to_thread(self._check_object, text)

    def _check_object(self, text: str) -> tuple[Problem, ...]:
        parsed = parse(text, CLUSTER, self._schema)
        units = {str(document.key): Parsed(documents=(document,)) for document in parsed.documents}
        found = parsed.problems + preview(self.desired, CLUSTER, units)
        found += self._foresee(unrefused(parsed.documents, found))
        return tuple(replace(problem, file="", line=0) for problem in found)

    def _foresee(self, documents: Sequence[Document]) -> tuple[Problem, ...]:
        """What is found once these documents are in force, the new ones as the youngest of all."""
        if not documents:
            return ()
        known, now = self.desired.documents, datetime.now(UTC)
        dated = (
            replace(document, created_at=known[document.key].created_at if document.key in known else now)
            for document in documents
        )
        return analyze(with_documents(self._fleet.snapshot, dated, self._schema))

    async def analyze(self, sidecars: tuple[Hello, ...], version: str) -> tuple[Problem, ...]:
        """What is wrong with the newest readings, or worth a look in what is in force and connected."""
        return await asyncio.to_thread(self._analyze, sidecars, version)

    def _analyze(self, sidecars: tuple[Hello, ...], version: str) -> tuple[Problem, ...]:
        read = (problem for problems in self.desired.problems.values() for problem in problems)
        world = World(snapshot=self._fleet.snapshot, sidecars=sidecars, version=version)
        return (*read, *analyze(world))

    async def apply(self, documents: Sequence[Document], author: str) -> Kept:
        """Keeps documents that were checked, and returns once they are in force.

        Raises:
            ReadOnlyError: policies are kept in a cluster.
            StoreUnavailableError: the store cannot be written; nothing is kept.
            PartlyKeptError: the same, once some are kept.
        """
        self.check_writable()
        edits = [Edit(key=document.key, document=document) for document in documents]
        return await self.change(edits, Cause(origin=Origin.ADMIN, author=author))

    async def change(self, edits: Sequence[Edit], cause: Cause) -> Kept:
        """Makes objects what they shall be, and returns once they are in force."""
        applied = await self._writer.write(edits, cause)
        patience_seconds = _PATIENCE_SECONDS + len(edits) * _PATIENCE_SECONDS_EACH
        revision = await self._in_force(applied.position, patience_seconds)
        in_force = self.desired.documents
        outcomes = ((in_force[key], outcome) for key, outcome in applied.outcomes if key in in_force)
        return Kept(outcomes=tuple(outcomes), revision=revision)

    async def delete(self, key: ObjectKey, author: str) -> int:
        """The revision at which the object is gone.

        Raises:
            NotFoundError: there is no such object.
            ReadOnlyError: it is in a file or in the cluster; the message says where.
            StoreUnavailableError: the store cannot be written.
        """
        document, owner = self.desired.documents.get(key), self.desired.owners.get(key)
        if document is None or owner is None:
            raise NotFoundError(f"expected {key}, found no such object; `breakwater policy get` lists all")
        if owner.source != admin.NAME:
            raise ReadOnlyError(f"{key} is {_place(document, owner)}")
        cause = Cause(origin=Origin.ADMIN, author=author)
        return (await self.change([Edit(key=key, document=None)], cause)).revision

    async def _in_force(self, position: int, patience_seconds: float) -> int:
        async with asyncio.timeout(patience_seconds):
            newest = await self._revisions.reached(admin.NAME, position)
            await self._fleet.reached(newest.revision)
        return newest.revision


def _place(document: Document, owner: Unit) -> str:
    """Where an object is to be deleted that is not ours, in words."""
    if owner.source == CLUSTER:
        kind, namespace, name = document.key
        within = f" -n {namespace}" if namespace else ""
        return f"in the cluster; `kubectl delete {kind.lower()} {name}{within}` deletes it there"
    return f"defined in {document.file}:{document.line}; delete it there"


def _repeated(documents: Iterable[Document]) -> Iterable[Problem]:
    seen: dict[ObjectKey, Document] = {}
    for document in documents:
        first = seen.setdefault(document.key, document)
        if first is not document and first.file != document.file:
            yield document.problem(
                "metadata.name", f"defined in {first.file}:{first.line} as well", code=Code.DEFINED_TWICE
            )
