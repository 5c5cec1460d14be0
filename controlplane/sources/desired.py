"""The one set of documents in force, out of all sources.

A source delivers units: files, or single objects. A unit is taken whole, once all in it is sound and fits to
what the others say; until then its last good documents stay in force, and its problems are shown. Two units
that define one object do not fit: the one that has it keeps it. Units that came together are tried together,
so that an object may move from one file to another, in either order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from controlplane.model.codes import Code
from controlplane.model.document import Document, ObjectKey, Problem
from controlplane.policy import mesh, target
from controlplane.policy.reference_grant import Grants
from controlplane.sources.source import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controlplane.sources.reader import Parsed
    from controlplane.sources.source import Reading

_MESH: Final = ObjectKey(mesh.KIND, "", "default")


class Unit(NamedTuple):
    """What is taken or refused as a whole: a file, or one object of the admin API."""

    source: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The documents in force, by whom they came, and what is wrong with newer readings.

    `pending` are the newest readings that could not be taken, `problems` what was found in the newest reading
    of each unit, warnings included; `positions` say how far each source has been read.
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
    if all(problem.warning for problem in found):
        settling = _Settling(desired)
        candidates = {Unit(source, name): parsed.documents for name, parsed in units.items()}
        found += [problem for problems in settling.misfits(candidates).values() for problem in problems]
    return tuple(found)


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
        """Notes the newest reading of a unit; one that is gone takes its documents along."""
        self.pending.pop(unit, None)
        self._note(unit, parsed.problems if parsed else ())
        if parsed is None:
            self._replace(unit, ())
        else:
            self.pending[unit] = parsed

    def take_pending(self) -> None:
        """Takes every sound unit that fits: all of them together, or else as many as fit one by one."""
        sound = {unit: parsed.documents for unit, parsed in self.pending.items() if parsed.is_valid}
        if not any(self.misfits(sound).values()):
            for unit, documents in sound.items():
                self._take(unit, documents)
            return
        while fitting := next((unit for unit in sound if not self._misfits_alone(unit, sound)), None):
            self._take(fitting, sound.pop(fitting))
        for unit in sound:
            self._note(unit, self.pending[unit].problems + self._misfits_alone(unit, sound))

    def misfits(self, candidates: Mapping[Unit, Iterable[Document]]) -> dict[Unit, tuple[Problem, ...]]:
        """What keeps units from being taken together, by unit."""
        claims: dict[ObjectKey, Unit] = {}
        root_namespace = mesh.root_namespace(self._mesh_with(candidates))
        grants = self._grants_with(candidates)
        found: dict[Unit, tuple[Problem, ...]] = {}
        for unit, documents in candidates.items():
            problems: list[Problem] = []
            for document in documents:
                owner = claims.setdefault(document.key, self._owner(document.key, candidates) or unit)
                if owner != unit:
                    taken = self._taken(document.key, owner)
                    problems.append(document.problem("metadata.name", taken, code=Code.DEFINED_TWICE))
                problems += target.refusals(document, root_namespace, grants)
            found[unit] = tuple(problems)
        return found

    def _owner(self, key: ObjectKey, candidates: Mapping[Unit, object]) -> Unit | None:
        """Who has an object and is not about to say anew what it has."""
        owner = self.owners.get(key)
        return None if owner in candidates else owner

    def _misfits_alone(self, unit: Unit, sound: Mapping[Unit, tuple[Document, ...]]) -> tuple[Problem, ...]:
        return self.misfits({unit: sound[unit]})[unit]

    def _mesh_with(self, candidates: Mapping[Unit, Iterable[Document]]) -> Document | None:
        """The Mesh as it would be."""
        for documents in candidates.values():
            for document in documents:
                if document.key == _MESH:
                    return document
        return None if self.owners.get(_MESH) in candidates else self.documents.get(_MESH)

    def _grants_with(self, candidates: Mapping[Unit, Iterable[Document]]) -> Grants:
        """The grants as they would be."""
        gone = [self.documents[key] for unit in candidates for key in self._held(unit)]
        came = [document for documents in candidates.values() for document in documents]
        return self._grants.replace(gone, came)

    def _held(self, unit: Unit) -> list[ObjectKey]:
        """The documents in force that came by a unit."""
        return [key for key in self.taken.get(unit, ()) if self.owners.get(key) == unit]

    def _taken(self, key: ObjectKey, owner: Unit) -> str:
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
        self._note(unit, self.pending.pop(unit).problems)
        self._replace(unit, documents)

    def _replace(self, unit: Unit, documents: Iterable[Document]) -> None:
        new = {document.key: document for document in documents}
        old = self._held(unit)
        self.taken.pop(unit, None)
        self._grants = self._grants.replace([self.documents[key] for key in old], new.values())
        for key in old:
            if key not in new:
                del self.documents[key], self.owners[key]
        self.documents.update(new)
        self.owners.update(dict.fromkeys(new, unit))
        if new:
            self.taken[unit] = tuple(new)
