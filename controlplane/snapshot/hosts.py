"""Host names and addresses: which service is meant by each.

A registered service answers to `name.namespace`. Hosts of an ExternalService come after: what is registered
keeps its name, and of several documents that claim one host the older wins, then the first by name. Of
several services with one address it is the first by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.resource import HostBinding, Resolution
from controlplane.policy import external_service
from controlplane.snapshot.addresses import addresses_of, endpoint_addresses
from controlplane.snapshot.services import service_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controlplane.model.document import Document
    from controlplane.snapshot.services import KnownService
    from registry.catalog import Service
    from registry.model import ServiceName


MAX_NAMED: Final = 256
"""Services whose host names every sidecar of a captured workload looks up."""


def own_host(name: ServiceName) -> str:
    """The host name of a registered service."""
    return f"{name.name}.{name.namespace}"


def hosts_of(service: KnownService) -> tuple[str, ...]:
    """The names by which a service is called, each in the one form that sidecars look up."""
    return external_service.hosts(service.document) if service.document else (own_host(service.name),)


def bind_hosts(
    services: Mapping[ServiceName, Service], external: Iterable[Document]
) -> Mapping[str, HostBinding]:
    """The binding of every host and address; `external` are the documents of services outside the mesh."""
    bindings = {own_host(name): HostBinding(service=name) for name in services}
    for service in services.values():
        for address, binding in addresses_of(service).items():
            bindings.setdefault(address, binding)
    for document in sorted(external, key=lambda each: each.age):
        for host, binding in _external(document):
            bindings.setdefault(host, binding)
    return bindings


def named_services(
    services: Mapping[ServiceName, Service], external: Iterable[Document]
) -> tuple[ServiceName, ...]:
    """The services outside the mesh that host names lead to, sorted; no more than everybody can follow."""
    named = {
        service_of(document)
        for document in external
        if external_service.resolution(document) is Resolution.DNS
    }
    return tuple(sorted(named - services.keys())[:MAX_NAMED])


def _external(document: Document) -> Iterator[tuple[str, HostBinding]]:
    name = service_of(document)
    for host in external_service.hosts(document):
        yield host, HostBinding(service=name)
    ports, endpoints = external_service.ports(document), external_service.endpoints(document)
    yield from endpoint_addresses(name, ports, endpoints).items()
