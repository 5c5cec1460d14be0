"""What is looked at: everything that is known at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from controlplane.policy import target
from controlplane.snapshot.governed import governed_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controlplane.model.document import Document, ObjectKey, Problem
    from controlplane.model.sidecar import Hello
    from controlplane.snapshot.build import Snapshot
    from controlplane.snapshot.services import KnownService

_Finding: TypeAlias = "Callable[[World, Document, KnownService], Iterator[Problem]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Documents with the services that they govern, and the sidecars that are connected.

    Without a catalogue, as for files alone, of services only those are known that documents describe.
    `version` is that of the control plane. Told is what is found about `asked`, or about all.
    """

    snapshot: Snapshot
    has_catalogue: bool = True
    sidecars: tuple[Hello, ...] = ()
    version: str = ""
    asked: frozenset[ObjectKey] | None = None

    def documents(self) -> Iterator[Document]:
        """The documents that somebody asks about."""
        documents = self.snapshot.inputs.documents
        keys = documents if self.asked is None else self.asked
        return (documents[key] for key in keys if key in documents)

    def policies(self) -> Iterator[Document]:
        """Those of them that are attached to something and act, or act in shadow."""
        return filter(is_active, self.documents())

    def at_services(self, document: Document, find: _Finding) -> Iterator[Problem]:
        """What is found of a policy at the services that it governs, of each field what comes first."""
        told: set[str] = set()
        for service in governed_services(self.snapshot.inputs, document):
            for problem in find(self, document, service):
                if problem.path not in told:
                    told.add(problem.path)
                    yield problem


def is_active(document: Document) -> bool:
    """Whether a document says what becomes of traffic."""
    return bool(target.targets(document)) and target.is_enforced(document)
