"""Which policies are attached to what: an index that one changed document updates in one step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from controlplane.model.value import find_text
from controlplane.policy import resilience, target
from controlplane.policy.reference_grant import Grants
from controlplane.policy.target import Level, Target
from controlplane.snapshot.index import add, remove

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controlplane.model.document import Document, ObjectKey
    from registry.model import ServiceName

MESH: Final = Target("Mesh", "", "default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A policy that governs a service: how, and whose calls; `callers` empty means everybody's."""

    document: Document
    level: Level
    is_consumer: bool
    callers: tuple[target.Caller, ...]

    @property
    def specificity(self) -> int:
        """How specific its target is, a consumer's own rules above all others: the greater is the more so."""
        return self.level + len(Level) * self.is_consumer


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """Policies in force by what they are attached to, and by the bulkhead they share, each sorted by age.

    A policy that is disabled, or names what it may not, is not in force.
    """

    root_namespace: str
    grants: Grants = field(default_factory=Grants)
    by_target: Mapping[Target, tuple[Document, ...]] = field(default_factory=dict)
    by_bulkhead: Mapping[str, tuple[Document, ...]] = field(default_factory=dict)

    def replace(self, removed: Iterable[Document], added: Iterable[Document]) -> Attachments:
        """The index without some documents and with others.

        When grants change, those must be among both that may be permitted by them.
        """
        grants = self.grants.replace(removed, added)
        by_target, by_bulkhead = dict(self.by_target), dict(self.by_bulkhead)
        for document in removed:
            for key in target.targets(document):
                remove(by_target, key, document)
            remove(by_bulkhead, shared_bulkhead(document), document)
        for document in added:
            if not self._is_in_force(document, grants):
                continue
            for key in target.targets(document):
                add(by_target, key, document)
            if shared_bulkhead(document):
                add(by_bulkhead, shared_bulkhead(document), document)
        return Attachments(
            root_namespace=self.root_namespace, grants=grants, by_target=by_target, by_bulkhead=by_bulkhead
        )

    def of(self, name: ServiceName, *, is_external: bool) -> Iterator[Attached]:
        """The policies that govern a service, each once, at its most specific attachment."""
        kind = "ExternalService" if is_external else "Service"
        own, namespace = Target(kind, name.namespace, name.name), Target("Namespace", "", name.namespace)
        return self.at((own, namespace, MESH))

    def at(self, places: Iterable[Target]) -> Iterator[Attached]:
        """The policies that are attached to some of `places`, each once, at the first that has it."""
        seen: set[ObjectKey] = set()
        for place in places:
            for document in self.by_target.get(place, ()):
                if document.key not in seen:
                    seen.add(document.key)
                    yield self._attached(document, place)

    def _attached(self, document: Document, place: Target) -> Attached:
        consumer = target.is_consumer(document, place, self.root_namespace)
        callers = target.callers(document)
        if consumer and not callers:
            namespace = document.key.namespace
            callers = (target.Caller("Namespace", namespace, namespace),)
        return Attached(document=document, level=place.level, is_consumer=consumer, callers=callers)

    def _is_in_force(self, document: Document, grants: Grants) -> bool:
        return target.is_enforced(document) and not any(
            target.refusals(document, self.root_namespace, grants)
        )


def shared_bulkhead(document: Document) -> str:
    """The qualified name of the bulkhead that the policy shares, or empty; in shadow it shares none."""
    shares = document.key.kind == resilience.KIND and not target.is_in_shadow(document)
    name = find_text(document.spec, "bulkhead.sharedName") if shares else ""
    return f"{document.key.namespace}/{name}" if name else ""
