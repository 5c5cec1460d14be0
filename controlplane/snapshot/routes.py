"""Which routes govern a service, and what their rules come to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from controlplane.model.effective import CallerMatch, PolicyRef
from controlplane.model.route import RouteBackend, RouteMirror, RouteRule
from controlplane.model.value import blocks, find_text
from controlplane.policy import route, route_filter
from controlplane.policy.defaults import fill
from controlplane.policy.merge import Contribution, Strategy
from controlplane.policy.target import Level, Target
from controlplane.snapshot.index import add, remove
from controlplane.snapshot.variants import resilience_of, variants
from registry.model import ServiceName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controlplane.model.document import Document, ObjectKey
    from controlplane.model.effective import OutboundVariant
    from controlplane.model.schema import Schema
    from controlplane.model.value import Tree
    from controlplane.snapshot.attachments import Attached, Attachments
    from controlplane.snapshot.inputs import Inputs
    from controlplane.snapshot.services import KnownService

Variants: TypeAlias = "tuple[OutboundVariant, ...]"
_BREAKER_KEY: Final = "breaker.service.key"
_Index: TypeAlias = "dict[Target, tuple[Document, ...]]"
_PARENTS: Final = ("Service", "ExternalService")


class Governing(NamedTuple):
    """A route that governs calls of a service at some ports; none: at every port.

    `callers` is the only namespace whose calls it governs, or empty.
    """

    document: Document
    ports: tuple[int, ...]
    callers: str

    @property
    def is_consumers(self) -> bool:
        """Whether those wrote it whose calls it governs."""
        return self.callers == self.document.key.namespace

    def attached(self, attachments: Attachments, places: Iterable[Target]) -> Iterator[Attached]:
        """The policies of the route, or of rules of it; a consumer's word where it is of their own."""
        for each in attachments.at(places):
            is_own = self.is_consumers and each.document.key.namespace == self.callers
            yield replace(each, is_consumer=True) if is_own else each


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Routes by the services that they govern, sorted by age, and these by where their requests may go.

    A route of another namespace than the service is its consumers' own, unless it is of the root namespace.
    It governs calls from its namespace alone, in the place of the producer's routes (GEP-1294).
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
            for key, index in _places(document, by_parent, by_backend):
                add(index, key, document)
        return Routes(root_namespace=self.root_namespace, by_parent=by_parent, by_backend=by_backend)

    def of(self, service: KnownService) -> Iterator[Governing]:
        """The routes that govern calls of a service, each once, sorted by age."""
        target = target_of(service)
        for document in self.by_parent.get(target, ()):
            said = _ports_of(document, service)
            ports = None if said is None else self.left(document, service, said)
            if ports is not None:
                yield Governing(document, ports, self._callers(document, target))

    def beside(self, service: KnownService) -> Iterator[Governing]:
        """The producer's routes at the ports that consumers of some namespace leave to them."""
        found = list(self.of(service))
        for namespace in sorted({each.callers for each in found} - {""}):
            taken = [_ports_of(each.document, service) for each in found if each.callers == namespace]
            for each in found:
                ports = None if each.callers else _without(frozenset(each.ports), taken, service)
                if ports is not None:
                    yield each._replace(ports=ports, callers=namespace)

    def left(
        self, document: Document, service: KnownService, ports: frozenset[int]
    ) -> tuple[int, ...] | None:
        """Those of some ports of a service that a route governs, sorted; no ports are all, `None` is none.

        For the same callers a port has routes of one kind; those of gRPC calls go before others (GEP-1294).
        """
        if document.key.kind == route.GRPC:
            return tuple(sorted(ports))
        target = target_of(service)
        callers = self._callers(document, target)
        others = (each for each in self.by_parent.get(target, ()) if each.key.kind == route.GRPC)
        same = (each for each in others if self._callers(each, target) == callers)
        return _without(ports, [_ports_of(each, service) for each in same], service)

    def _callers(self, document: Document, target: Target) -> str:
        """The only namespace whose calls of a service a route governs, or empty."""
        return route.consumer(document, target, self.root_namespace)

    def backends_of(self, names: Iterable[ServiceName]) -> set[ServiceName]:
        """The services that requests to services of these names may go to by some route."""
        if not self.by_parent:
            return set()
        targets = (Target(kind, name.namespace, name.name) for name in names for kind in _PARENTS)
        found = (document for target in targets for document in self.by_parent.get(target, ()))
        backends = (ref.target for document in found for ref in route.references(document))
        return {ServiceName(namespace=target.namespace, name=target.name) for target in backends}

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
    """What references of routes lead to, which of them may be followed, and what policies say of that."""

    inputs: Inputs
    attachments: Attachments

    def find(self, target: Target, port: int) -> KnownService | None:
        """The service, if it is there and has a port; zero is any."""
        known = self.inputs.find_service(ServiceName(namespace=target.namespace, name=target.name))
        if known is None or target_of(known) != target:
            return None
        has_port = not port or any(each.port == port for each in known.ports)
        return known if has_port else None

    def permits(self, document: Document, backend: Target) -> bool:
        """Whether a route may send requests to a service."""
        index = self.attachments
        return route.may_follow(document, backend, index.root_namespace, index.grants)

    def twins(self, routes: Iterable[ObjectKey]) -> frozenset[ObjectKey]:
        """Those of these routes that give way to one of another kind of their name: gRPC's to HTTP's."""
        grpc = {key for key in routes if key.kind == route.GRPC}
        return frozenset(key for key in grpc if route.twin(key) in self.inputs.documents)

    def follow(self, document: Document, ref: route.Backend | route.Mirror) -> KnownService | None:
        """Where a reference of a route leads; `None`: nowhere."""
        return self.find(ref.target, ref.port) if self.permits(document, ref.target) else None

    def variants(self, governing: Governing, rule: Tree, service: KnownService, schema: Schema) -> Variants:
        """The settings of a rule's requests to a service; none where they are those of the service itself."""
        document = governing.document
        places = (route.target_of(document, rule), route.target_of(document))
        own = resilience_of(governing.attached(self.attachments, places))
        timeouts = route.timeouts(rule)
        others = resilience_of(self.attachments.of(service.name, is_external=service.document is not None))
        said = [_said(document, timeouts, is_consumer=governing.is_consumers)] if timeouts else []
        taken = {each.document.key for each in own}
        attached = [*own, *(each for each in others if each.document.key not in taken)]
        found = variants(attached, self.attachments, self.inputs.mesh, schema, said)
        has_own_breaker = any(find_text(each.resilience, _BREAKER_KEY) == "Route" for each in found)
        return found if own or said or has_own_breaker else ()


def _ports_of(document: Document, service: KnownService) -> frozenset[int] | None:
    """The ports of a service that a route says it governs; no ports are all, `None` is none."""
    return route.find_ports(document, target_of(service), numbers_of(service))


def numbers_of(service: KnownService) -> dict[str, int]:
    """The ports of a service by their names."""
    return {port.name: port.port for port in service.ports}


def _without(
    ports: frozenset[int], taken: Iterable[frozenset[int] | None], service: KnownService
) -> tuple[int, ...] | None:
    """The ports that are left where others are taken, sorted; no ports are all, `None` is none."""
    found = [each for each in taken if each is not None]
    if not all(found):
        return None
    hidden = frozenset[int]().union(*found)
    wanted = ports or frozenset(port.port for port in service.ports)
    if wanted.isdisjoint(hidden):
        return tuple(sorted(ports))
    return tuple(sorted(wanted - hidden)) or None


def _said(document: Document, timeouts: Tree, *, is_consumer: bool) -> Contribution:
    """What a rule itself says: the least that is said at its level."""
    return Contribution(
        policy=PolicyRef(key=document.key, generation=document.generation),
        level=Level.RULE.text,
        strategy=Strategy.PATCH_DEFAULTS,
        specificity=(is_consumer, Level.RULE, -1),
        age=document.age,
        settings=timeouts,
    )


def build_rules(service: KnownService, routes: Routes, reach: Reach, schema: Schema) -> tuple[RouteRule, ...]:
    """The rules for calls of `service`, sorted by route, those of one in their order.

    Where consumers have routes of their own, every rule for their calls says so, the producer's among them.
    """
    return tuple(
        replace(
            bare,
            backends=tuple(_backends(governing, rule, service, reach, schema)),
            request_headers=route_filter.request_headers(rule),
            response_headers=route_filter.response_headers(rule),
            mirrors=tuple(_mirrors(governing.document, rule, reach)),
        )
        for bare, governing, rule in _rules(chain(routes.of(service), routes.beside(service)), schema)
    )


def bare_rules(service: KnownService, routes: Routes, schema: Schema) -> tuple[RouteRule, ...]:
    """The producer's without what callers do: no backends, no filters."""
    producers = (each for each in routes.of(service) if not each.callers)
    return tuple(bare for bare, _, _ in _rules(producers, schema))


def _rules(governing: Iterable[Governing], schema: Schema) -> Iterator[tuple[RouteRule, Governing, Tree]]:
    """Which requests every rule is for, and where it is written."""
    for each in sorted(governing, key=lambda each: (each.document.key, each.callers)):
        document = each.document
        spec = fill(document.spec, schema.kinds[document.key.kind].spec)
        for place, rule in enumerate(blocks(spec, "rules")):
            bare = RouteRule(
                route=PolicyRef(key=document.key, generation=document.generation),
                name=route.rule_name(rule, place),
                created_at=document.created_at,
                ports=each.ports,
                caller=CallerMatch(namespace=each.callers) if each.callers else None,
                matches=route.matches(rule),
                backends=(),
            )
            yield bare, each, rule


def _backends(
    governing: Governing, rule: Tree, called: KnownService, reach: Reach, schema: Schema
) -> Iterator[RouteBackend]:
    document = governing.document
    refs = route.backends(document, rule) or (route.Backend(target_of(called), 0, 1),)
    for ref in refs:
        known = reach.follow(document, ref)
        yield RouteBackend(
            service=known.name if known else None,
            port=ref.port,
            weight=ref.weight,
            variants=reach.variants(governing, rule, known, schema) if known else (),
        )


def _mirrors(document: Document, rule: Tree, reach: Reach) -> Iterator[RouteMirror]:
    """Where copies go; a reference that leads nowhere, or may not be followed, is left out."""
    for mirror in route.mirrors(document, rule):
        if known := reach.follow(document, mirror):
            numerator, denominator = mirror.share
            yield RouteMirror(
                service=known.name, port=mirror.port, numerator=numerator, denominator=denominator
            )


def target_of(service: KnownService) -> Target:
    """The service as what routes and policies attach to."""
    kind = "ExternalService" if service.document else "Service"
    return Target(kind, service.name.namespace, service.name.name)


def _places(document: Document, by_parent: _Index, by_backend: _Index) -> Iterator[tuple[Target, _Index]]:
    for target in {parent.target for parent in route.parents(document)}:
        yield target, by_parent
    for target in {ref.target for ref in route.references(document)}:
        yield target, by_backend
