"""What a snapshot is a function of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controlplane.model.document import Document, ObjectKey
from controlplane.policy import external_service, mesh, route
from controlplane.snapshot.attachments import MESH
from controlplane.snapshot.services import KnownService, find_service, service_of
from registry.model import ServiceName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from controlplane.model.namespaces import Namespaces
    from controlplane.policy.target import Target
    from registry.catalog import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Documents and services; `revision` counts the changes of `documents`.

    `namespaces` is `None` where no cluster says which there are; `keeps_traces` says whether there is a
    collector of spans, as far as known.
    """

    documents: Mapping[ObjectKey, Document] = field(default_factory=dict)
    services: Mapping[ServiceName, Service] = field(default_factory=dict)
    revision: int = 0
    trust_domain: str = "cluster.local"
    namespaces: Namespaces | None = None
    keeps_traces: bool = True

    @property
    def mesh(self) -> Document | None:
        """The Mesh, if there is one."""
        return self.documents.get(mesh.KEY)

    def external(self) -> Iterator[Document]:
        """The documents of services outside the mesh."""
        return (each for each in self.documents.values() if each.key.kind == external_service.KIND)

    def find_service(self, name: ServiceName) -> KnownService | None:
        """The service of that name, registered or outside the mesh, or `None`."""
        return find_service(name, self.services, self.documents)

    def has_namespace(self, namespace: str) -> bool:
        """Whether a namespace is there, as a cluster says or as something that lies in it shows."""
        if self.namespaces is None or namespace in self.namespaces:
            return True
        return any(name.namespace == namespace for name in self.names())

    def has_account(self, namespace: str, account: str) -> bool:
        """Whether a service account is there, as far as a cluster says."""
        return self.namespaces is None or account in self.namespaces.get(namespace, ())

    def names_at(self, places: Collection[Target]) -> set[ServiceName]:
        """The names of services that lie at some of the places, be they there or not."""
        found = [place for each in places for place in self._services_of(each)]
        names = {ServiceName(namespace=each.namespace, name=each.name) for each in found if each.namespace}
        namespaces = {place.name for place in places if place.kind == "Namespace"}
        if MESH in places or namespaces:
            names.update(name for name in self.names() if MESH in places or name.namespace in namespaces)
        return names

    def _services_of(self, place: Target) -> tuple[Target, ...]:
        """The services that a route governs; of any other place, itself."""
        if not place.is_route:
            return (place,)
        document = self.documents.get(ObjectKey(place.kind, place.namespace, place.name))
        return tuple(parent.target for parent in route.parents(document)) if document else ()

    def names(self) -> Iterator[ServiceName]:
        """The names of all services; one that is registered and described comes twice."""
        yield from self.services
        yield from (service_of(document) for document in self.external())
