"""Which services a policy governs, and whether some sidecar enforces it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.document import ObjectKey
from controlplane.model.value import blocks, find_text
from controlplane.policy import backpressure, mesh, rate_limit, route, target
from registry.model import ServiceName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from controlplane.model.document import Document
    from controlplane.snapshot.build import Snapshot
    from controlplane.snapshot.inputs import Inputs
    from controlplane.snapshot.services import KnownService


UNVERIFIED: Final = (
    "sidecars of a target verify no caller in this release, so there from limits nobody; "
    "leave it out, or have callers limit themselves by at: Caller"
)
_OF_MEMBERS: Final = frozenset({rate_limit.KIND, backpressure.KIND})


def governed_services(inputs: Inputs, document: Document) -> Iterator[KnownService]:
    """The services that a policy is attached to, each once, sorted by name."""
    places = [each for place in target.targets(document) for each in _ends(inputs, document, place)]
    for name in sorted(inputs.names_at(places)):
        service = inputs.find_service(name)
        if service and any(_is_at(inputs, place, service) for place in places):
            yield service


def _ends(inputs: Inputs, document: Document, place: target.Target) -> Iterable[target.Target]:
    """A place, or where a route leads, for a policy that is enforced there.

    What is said of a route that consumers have for themselves they enforce, at the services that they call.
    """
    if not place.is_route or document.key.kind not in _OF_MEMBERS or _is_consumers(inputs, place):
        return (place,)
    found = inputs.documents.get(ObjectKey(place.kind, place.namespace, place.name))
    return route.destinations(found, place.section) if found else ()


def _is_consumers(inputs: Inputs, place: target.Target) -> bool:
    """Whether a place is a route that governs calls from its own namespace alone, or a rule of one."""
    found = inputs.documents.get(ObjectKey(place.kind, place.namespace, place.name))
    if found is None or not place.is_route:
        return False
    root_namespace = mesh.root_namespace(inputs.mesh)
    return all(route.consumer(found, parent.target, root_namespace) for parent in route.parents(found))


def exists(inputs: Inputs, place: target.Target) -> bool:
    """Whether the target is there; the Mesh always is."""
    if not place.namespace:
        return place.kind != "Namespace" or inputs.has_namespace(place.name)
    if place.is_route:
        return _has_rule(inputs, place)
    service = inputs.find_service(ServiceName(namespace=place.namespace, name=place.name))
    return service is not None and _is_at(inputs, place, service)


def has_caller(inputs: Inputs, caller: target.Caller) -> bool:
    """Whether callers that a policy speaks of are there, as far as somebody says."""
    match caller.kind:
        case "Service":
            name = ServiceName(namespace=caller.namespace, name=caller.name)
            return inputs.find_service(name) is not None
        case "ServiceAccount":
            return inputs.has_account(caller.namespace, caller.name)
        case _:
            return inputs.has_namespace(caller.namespace)


def is_enforced_at(snapshot: Snapshot, document: Document, service: KnownService) -> bool:
    """Whether some sidecar enforces what a policy says about a service."""
    is_for_members = not all(_is_consumers(snapshot.inputs, each) for each in target.targets(document))
    if document.key.kind == backpressure.KIND:
        return is_for_members and service.enforces
    if rate_limit.is_at_callee(document) and is_for_members and service.enforces:
        return not is_for_unverified(document)
    namespaces = _caller_namespaces(snapshot, document)
    enforcing = snapshot.sidecar_namespaces
    return bool(enforcing & namespaces if namespaces else enforcing)


def is_for_unverified(document: Document) -> bool:
    """Whether it is of limits for some callers, whom sidecars of the target would have to verify."""
    return rate_limit.is_at_callee(document) and bool(target.callers(document))


def _caller_namespaces(snapshot: Snapshot, document: Document) -> set[str]:
    """The namespaces whose callers a policy governs; none named means all."""
    named = {caller.namespace for caller in target.callers(document)}
    root_namespace = snapshot.attachments.root_namespace
    places = target.targets(document)
    if not named and all(target.is_consumer(document, place, root_namespace) for place in places):
        return {document.key.namespace}
    if not named and all(_is_consumers(snapshot.inputs, place) for place in places):
        return {place.namespace for place in places}
    return named


def _has_rule(inputs: Inputs, place: target.Target) -> bool:
    document = inputs.documents.get(ObjectKey(place.kind, place.namespace, place.name))
    if document is None:
        return False
    names = {find_text(rule, "name") for rule in blocks(document.spec, "rules")}
    return not place.section or place.section in names


def _is_at(inputs: Inputs, place: target.Target, service: KnownService) -> bool:
    name = service.name
    match place.kind:
        case target.HTTP_ROUTE | target.GRPC_ROUTE:
            return name in inputs.names_at([place])
        case "Mesh":
            return True
        case "Namespace":
            return place.name == name.namespace
        case _:
            kind = "ExternalService" if service.document else "Service"
            return place == target.Target(kind, name.namespace, name.name)
