"""Host names: which service is meant by each.

A registered service answers to `name.namespace`. Hosts of an ExternalService come after: what is registered
keeps its name, and of several documents that claim one host the older wins, then the first by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.model.resource import HostBinding
from controlplane.policy import external_service
from controlplane.snapshot.services import service_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controlplane.model.document import Document
    from registry.model import ServiceName


def own_host(name: ServiceName) -> str:
    """The host name of a registered service."""
    return f"{name.name}.{name.namespace}"


def bind_hosts(services: Iterable[ServiceName], external: Iterable[Document]) -> Mapping[str, HostBinding]:
    """The binding of every host; `external` are the documents of services outside the mesh."""
    bindings = {own_host(name): HostBinding(service=name) for name in services}
    for document in sorted(external, key=lambda each: each.age):
        for host in external_service.hosts(document):
            bindings.setdefault(host, HostBinding(service=service_of(document)))
    return bindings
