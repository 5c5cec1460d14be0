"""References that lead nowhere, and policies that nobody enforces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.model.codes import Code
from controlplane.model.value import find_text
from controlplane.policy import route, target
from controlplane.snapshot.governed import (
    UNVERIFIED,
    exists,
    governed_services,
    has_caller,
    is_enforced_at,
    is_for_unverified,
)
from controlplane.snapshot.routes import numbers_of
from registry.model import ServiceName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.analysis.world import World
    from controlplane.model.document import Document, Problem


def find(world: World) -> Iterator[Problem]:
    """Targets, callers and backends that are not there, and policies without an enforcer."""
    for document in world.documents():
        yield from _refused(world, document)
        if world.has_catalogue:
            yield from _parents(world, document)
            yield from _backends(world, document)
    for document in world.policies():
        yield from _targets(world, document)
        if world.has_catalogue:
            yield from _callers(world, document)
            yield from _enforcers(world, document)
        else:
            yield from _unverified(document)


def _targets(world: World, document: Document) -> Iterator[Problem]:
    for index, place in enumerate(target.targets(document)):
        is_known = world.has_catalogue or place.kind != "Service"
        if is_known and not exists(world.snapshot.inputs, place):
            path = f"spec.targetRefs[{index}]"
            yield document.problem(path, f"{place} is not there", code=Code.TARGET_MISSING)


def _backends(world: World, document: Document) -> Iterator[Problem]:
    """Services that a route sends calls to, or that answer in place of others."""
    inputs, reach = world.snapshot.inputs, world.snapshot.reach
    for path, place, port in route.references(document):
        if reach.permits(document, place) and reach.find(place, port) is None:
            message = f"{place} is not there, or has no port {port}"
            yield document.problem(path, message, code=Code.BACKEND_MISSING)
    spare = find_text(document.spec, "fallback.service.name")
    if spare and inputs.find_service(ServiceName(namespace=document.key.namespace, name=spare)) is None:
        message = f"Service {document.key.namespace}/{spare} is not there"
        yield document.problem("spec.fallback.service.name", message, code=Code.BACKEND_MISSING)


def _refused(world: World, document: Document) -> Iterator[Problem]:
    """What a route names of other namespaces, and may not."""
    for path, place, _ in route.references(document):
        if not world.snapshot.reach.permits(document, place):
            message = f"{place} is of another namespace, and no ReferenceGrant there permits it"
            yield document.problem(path, message, code=Code.REFERENCE_REFUSED)


def _parents(world: World, document: Document) -> Iterator[Problem]:
    """Services whose calls a route governs."""
    for index, parent in enumerate(route.parents(document)):
        service = world.snapshot.reach.find(parent.target, parent.port)
        if service is None or parent.find_port(numbers_of(service)) is None:
            port = parent.port_name or parent.port
            message = f"{parent.target} is not there" + (f", or has no port {port}" if port else "")
            yield document.problem(f"spec.parentRefs[{index}]", message, code=Code.TARGET_MISSING)


def _callers(world: World, document: Document) -> Iterator[Problem]:
    for caller in target.callers(document):
        if not has_caller(world.snapshot.inputs, caller):
            message = f"{caller} is not there, so it calls nobody"
            yield document.problem("spec.from", message, code=Code.CALLER_MISSING)


def _enforcers(world: World, document: Document) -> Iterator[Problem]:
    for service in governed_services(world.snapshot.inputs, document):
        if not is_enforced_at(world.snapshot, document, service):
            if service.enforces and is_for_unverified(document):
                yield from _unverified(document)
            else:
                message = f"no sidecar enforces it for {service.name}"
                yield document.problem("spec.targetRefs", message, code=Code.UNENFORCED)
            return


def _unverified(document: Document) -> Iterator[Problem]:
    """Limits for some callers, where sidecars of the target would have to verify them."""
    has_sidecars = any(place.kind != "ExternalService" for place in target.targets(document))
    if is_for_unverified(document) and has_sidecars:
        yield document.problem("spec.from", UNVERIFIED, code=Code.UNENFORCED)
