"""Which routes govern a service, and what their rules come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from controlplane.model.resource import PolicyRef
from controlplane.model.route import RouteBackend, RouteRule
from controlplane.model.value import blocks
from controlplane.policy import route
from controlplane.policy.defaults import fill
from controlplane.policy.target import Target
from controlplane.snapshot.index import add, remove
from registry.model import ServiceName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from controlplane.model.document import Document
    from controlplane.model.schema import Schema
    from controlplane.model.value import Tree
    from controlplane.policy.reference_grant import Grants
    from controlplane.snapshot.services import KnownService

_Index: TypeAlias = "dict[Target, tuple[Document, ...]]"
_PARENTS: Final = ("Service", "ExternalService")


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Routes by the services that they govern, sorted by age, and these by where their requests may go.

    A route that names what it may not is not in force.
    """

    root_namespace: str
    by_parent: Mapping[Target, tuple[Document, ...]] = field(default_factory=dict)
    by_backend: Mapping[Target, tuple[Document, ...]] = field(default_factory=dict)

    def replace(self, removed: Iterable[Document], added: Iterable[Document]) -> Routes:
        """The index without some documents and with others; what is no route is passed over."""
        by_parent, by_backend = dict(self.by_parent), dict(self.by_backend)
        for document in removed:
            for key, index in _places(document, by_parent, by_backend):
                remove(index, key, document)
        for document in added:
            if not any(route.refusals(document, self.root_namespace)):
                for key, index in _places(document, by_parent, by_backend):
                    add(index, key, document)
        return Routes(root_namespace=self.root_namespace, by_parent=by_parent, by_backend=by_backend)

    def of(self, target: Target) -> tuple[Document, ...]:
        """The routes that govern a service, sorted by age.

        Those of gRPC calls go before others: a service has routes of one kind, at whatever port (GEP-1294).
        """
        found = self.by_parent.get(target, ())
        grpc = tuple(each for each in found if each.key.kind == route.GRPC)
        return grpc or found

    def parents_of(self, names: Iterable[ServiceName]) -> set[ServiceName]:
        """The services whose requests may go to services of these names by some route."""
        if not self.by_backend:
            return set()
        targets = (Target(kind, name.namespace, name.name) for name in names for kind in _PARENTS)
        found = (document for target in targets for document in self.by_backend.get(target, ()))
        parents = (parent.target for document in found for parent in route.parents(document))
        return {ServiceName(namespace=parent.namespace, name=parent.name) for parent in parents}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What references of routes lead to, and which of them may be followed."""

    find_service: Callable[[ServiceName], KnownService | None]
    root_namespace: str
    grants: Grants

    def finds(self, target: Target, port: int) -> bool:
        """Whether a service is there, and has a port; zero is any."""
        known = self.find_service(ServiceName(namespace=target.namespace, name=target.name))
        if known is None or target_of(known) != target:
            return False
        return not port or any(each.port == port for each in known.ports)

    def permits(self, document: Document, backend: Target) -> bool:
        """Whether a route may send requests to a service."""
        return route.may_follow(document, backend, self.root_namespace, self.grants)


def build_rules(service: KnownService, routes: Routes, reach: Reach, schema: Schema) -> tuple[RouteRule, ...]:
    """The rules for calls of `service`, sorted by route, those of one in their order."""
    target = target_of(service)
    found: list[RouteRule] = []
    for document in sorted(routes.of(target), key=lambda each: each.key):
        ports = [parent.port for parent in route.parents(document) if parent.target == target]
        spec = fill(document.spec, schema.kinds[document.key.kind].spec)
        for place, rule in enumerate(blocks(spec, "rules")):
            found.append(
                RouteRule(
                    route=PolicyRef(key=document.key, generation=document.generation),
                    name=route.rule_name(rule, place),
                    created_at=document.created_at,
                    ports=() if 0 in ports else tuple(sorted(ports)),
                    matches=blocks(rule, "matches"),
                    backends=_backends(document, rule, service, reach),
                )
            )
    return tuple(found)


def target_of(service: KnownService) -> Target:
    """The service as what routes and policies attach to."""
    kind = "ExternalService" if service.document else "Service"
    return Target(kind, service.name.namespace, service.name.name)


def _backends(document: Document, rule: Tree, called: KnownService, reach: Reach) -> tuple[RouteBackend, ...]:
    def backend(ref: route.Backend) -> RouteBackend:
        name = ServiceName(namespace=ref.target.namespace, name=ref.target.name)
        leads = reach.permits(document, ref.target) and reach.finds(ref.target, ref.port)
        return RouteBackend(service=name if leads else None, port=ref.port, weight=ref.weight)

    refs = route.backends(document, rule)
    if not refs:
        return (RouteBackend(service=called.name, port=0, weight=1),)
    return tuple(map(backend, refs))


def _places(document: Document, by_parent: _Index, by_backend: _Index) -> Iterator[tuple[Target, _Index]]:
    for target in {parent.target for parent in route.parents(document)}:
        yield target, by_parent
    for target in set(route.all_backends(document)):
        yield target, by_backend
