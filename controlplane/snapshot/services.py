"""Services as the compiler sees them: registered ones, and those that documents describe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from controlplane.model.document import Document, ObjectKey
from controlplane.model.resource import Resolution
from controlplane.policy import external_service
from registry.model import ServiceName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry.catalog import Service
    from registry.model import Endpoint, ServicePort

DESERTED_MOST: Final = 1_000
"""Services without an instance that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownService:
    """A service that can be called; `document` describes it if it lies outside the mesh."""

    name: ServiceName
    ports: tuple[ServicePort, ...]
    idempotent_methods: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    document: Document | None = None
    resolution: Resolution = Resolution.STATIC

    @property
    def ruled_by(self) -> tuple[object, ...]:
        """What its rules depend on beside policies, unlike its endpoints."""
        return self.ports, self.idempotent_methods, self.document, self.enforces

    @property
    def enforces(self) -> bool:
        """Whether sidecars of its own enforce its limits, rather than its callers."""
        return self.document is None and any(endpoint.has_sidecar for endpoint in self.endpoints)


def external_key(name: ServiceName) -> ObjectKey:
    """The key of the document that would describe a service outside the mesh."""
    return ObjectKey(kind=external_service.KIND, namespace=name.namespace, name=name.name)


def service_of(document: Document) -> ServiceName:
    """The name of the service that an ExternalService describes."""
    return ServiceName(namespace=document.key.namespace, name=document.key.name)


def find_service(
    name: ServiceName, services: Mapping[ServiceName, Service], documents: Mapping[ObjectKey, Document]
) -> KnownService | None:
    """The service of that name, or `None`; what is registered hides an ExternalService of its name."""
    registered = services.get(name)
    if registered is not None:
        return KnownService(
            name=name,
            ports=registered.ports,
            idempotent_methods=registered.contract.idempotent_methods,
            endpoints=registered.endpoints,
        )
    document = documents.get(external_key(name))
    if document is None:
        return None
    return KnownService(
        name=name,
        ports=external_service.ports(document),
        idempotent_methods=(),
        endpoints=external_service.endpoints(document),
        document=document,
        resolution=external_service.resolution(document),
    )


def remember(
    known: Mapping[ServiceName, Service],
    registered: Mapping[ServiceName, Service],
    documents: Mapping[ObjectKey, Document],
) -> Mapping[ServiceName, Service]:
    """The services that are `registered`, and those `known` before whose last instance is gone.

    A declared service goes when nobody declares it any more.

    Who calls a deserted service is to learn that nobody is there, not that there is no such name; unless
    `documents` describe it as an ExternalService by now. The last `DESERTED_MOST` are kept.
    """
    gone = (
        name
        for name, service in known.items()
        if name not in registered and not service.is_declared and external_key(name) not in documents
    )
    kept = {name: _deserted(known[name]) for name in list(gone)[-DESERTED_MOST:]}
    return {**kept, **registered} if kept else registered


def _deserted(service: Service) -> Service:
    return replace(service, endpoints=(), conflicts=(), registered={}) if service.endpoints else service
