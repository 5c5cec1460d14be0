"""The one set of documents in force, out of all sources.

A source delivers units: files, or single objects. Of a unit every document is taken that is sound and fits to
what the others say, whatever stands beside it; of one that is not, the last good version stays in force, and
its problems are shown. While something in a unit cannot be read, nobody knows what it no longer says, so that
no document leaves with it. Two units that define one object do not fit: the one that has it keeps it. Units
that came together are tried together, so that an object may move from one file to another, in either order.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from controlplane.model.codes import Code
from controlplane.policy import mesh, target
from controlplane.policy.reference_grant import Grants
from controlplane.sources.source import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from controlplane.model.document import Document, ObjectKey, Problem
    from controlplane.sources.reader import Parsed
    from controlplane.sources.source import Reading


class Unit(NamedTuple):
    """What is read as a whole: a file, or one object of the admin API."""

    source: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The documents in force, by whom they came, and what is wrong with newer readings.

    `pending` are the newest readings of which something could not be taken, `problems` what was found in the
    newest reading of each unit, warnings included; `positions` say how far each source has been read.
    """

    documents: Mapping[ObjectKey, Document] = field(default_factory=dict)
    owners: Mapping[ObjectKey, Unit] = field(default_factory=dict)
    taken: Mapping[Unit, tuple[ObjectKey, ...]] = field(default_factory=dict)
    pending: Mapping[Unit, Parsed] = field(default_factory=dict)
    problems: Mapping[Unit, tuple[Problem, ...]] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)

    def problems_of(self, source: str) -> tuple[Problem, ...]:
        """All that is wrong with the newest readings of a source, by unit."""
        units = sorted(unit for unit in self.problems if unit.source == source)
        return tuple(problem for unit in units for problem in self.problems[unit])

    def count(self, source: str) -> int:
        """How many documents of a source are in force."""
        return sum(len(keys) for unit, keys in self.taken.items() if unit.source == source)


def settle(desired: Desired, readings: Sequence[Reading]) -> Desired:
    """The set after `readings`, the weightiest source first."""
    settling = _Settling(desired)
    for reading in readings:
        for name, parsed in sorted(reading.units.items()):
            settling.receive(Unit(reading.source, name), parsed)
    settling.take_pending()
    return Desired(
        documents=settling.documents,
        owners=settling.owners,
        taken=settling.taken,
        pending=settling.pending,
        problems=settling.problems,
        positions={**desired.positions, **{reading.source: reading.position for reading in readings}},
    )


def preview(desired: Desired, source: str, units: Mapping[str, Parsed]) -> tuple[Problem, ...]:
    """Every problem and warning that taking these units would meet; nothing changes."""
    found = [problem for parsed in units.values() for problem in parsed.problems]
    settling = _Settling(replace(desired, pending={}))
    for name, parsed in units.items():
        settling.receive(Unit(source, name), parsed)
    return (*found, *(misfit.problem for misfit in settling.misfits()))


class _Misfit(NamedTuple):
    """What keeps one document of a unit out."""

    unit: Unit
    key: ObjectKey
    problem: Problem


class _Settling:
    """One settling under way, on copies."""

    def __init__(self, desired: Desired) -> None:
        self.documents = dict(desired.documents)
        self.owners = dict(desired.owners)
        self.taken = dict(desired.taken)
        self.pending = dict(desired.pending)
        self.problems = dict(desired.problems)
        self._grants = Grants().replace((), self.documents.values())

    def receive(self, unit: Unit, parsed: Parsed | None) -> None:
        """Notes the newest reading of a unit, and drops what it no longer says."""
        self.pending.pop(unit, None)
        self._note(unit, parsed.problems if parsed else ())
        if parsed is not None:
            self.pending[unit] = parsed
        if parsed is None or parsed.is_valid:
            said = {document.key for document in parsed.documents} if parsed else set()
            self._drop(unit, [key for key in self._held(unit) if key not in said])

    def take_pending(self) -> None:
        """Takes every sound document that fits."""
        misfits = self.misfits()
        kept_out = {(misfit.unit, misfit.key) for misfit in misfits}
        for unit, parsed in tuple(self.pending.items()):
            self._take(unit, [each for each in parsed.documents if (unit, each.key) not in kept_out])
            found = tuple(misfit.problem for misfit in misfits if misfit.unit == unit)
            self._note(unit, parsed.problems + found)
            if parsed.is_valid and not found:
                del self.pending[unit]

    def misfits(self) -> tuple[_Misfit, ...]:
        """What keeps documents of pending units out, were all the others taken."""
        claims = dict(self.owners)
        fitting: list[tuple[Unit, Document]] = []
        found: list[_Misfit] = []
        for unit, parsed in self.pending.items():
            for document in parsed.documents:
                owner = claims.setdefault(document.key, unit)
                if owner == unit:
                    fitting.append((unit, document))
                else:
                    text = self._taken_by(document.key, owner)
                    problem = document.problem("metadata.name", text, code=Code.DEFINED_TWICE)
                    found.append(_Misfit(unit, document.key, problem))
        return (*found, *self._refused(fitting))

    def _refused(self, candidates: Sequence[tuple[Unit, Document]]) -> Iterator[_Misfit]:
        """Those that govern what they may not, among documents that nobody else has."""
        documents = {document.key: document for _, document in candidates}
        root_namespace = mesh.root_namespace(documents.get(mesh.KEY) or self.documents.get(mesh.KEY))
        gone = [self.documents[key] for key in documents if key in self.documents]
        grants = self._grants.replace(gone, documents.values())
        for unit, document in candidates:
            for problem in target.refusals(document, root_namespace, grants):
                yield _Misfit(unit, document.key, problem)

    def _held(self, unit: Unit) -> list[ObjectKey]:
        """The documents in force that came by a unit."""
        return [key for key in self.taken.get(unit, ()) if self.owners.get(key) == unit]

    def _taken_by(self, key: ObjectKey, owner: Unit) -> str:
        document = self.documents.get(key)
        place = f"{document.file}:{document.line}" if document and document.line else owner.name
        if owner.source == "admin":
            return "applied through the admin API already; change or delete it there"
        if owner.source == CLUSTER:
            return "in the cluster already; change or delete it there, as with kubectl"
        return f"defined in {place} already; change it there"

    def _note(self, unit: Unit, problems: tuple[Problem, ...]) -> None:
        self.problems.pop(unit, None)
        if problems:
            self.problems[unit] = problems

    def _take(self, unit: Unit, documents: Iterable[Document]) -> None:
        new = {document.key: document for document in documents}
        old = [self.documents[key] for key in new if key in self.documents]
        self._grants = self._grants.replace(old, new.values())
        self.documents.update(new)
        self.owners.update(dict.fromkeys(new, unit))
        self._hold(unit, (*new, *(key for key in self._held(unit) if key not in new)))

    def _drop(self, unit: Unit, keys: Collection[ObjectKey]) -> None:
        self._hold(unit, tuple(key for key in self._held(unit) if key not in keys))
        self._grants = self._grants.replace([self.documents[key] for key in keys], ())
        for key in keys:
            del self.documents[key], self.owners[key]

    def _hold(self, unit: Unit, keys: tuple[ObjectKey, ...]) -> None:
        self.taken.pop(unit, None)
        if keys:
            self.taken[unit] = keys
