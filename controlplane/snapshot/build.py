"""Desired state to a snapshot: everything any sidecar may be sent, each resource compiled and encoded once.

A snapshot built on an earlier one compiles anew only the services that a changed document governs or that
changed themselves; everything else is carried over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from controlplane.model.resource import (
    Body,
    Endpoints,
    Inbound,
    MeshSettings,
    Outbound,
    Resource,
    ResourceName,
    ResourceType,
    Version,
)
from controlplane.policy import mesh, route, target
from controlplane.snapshot.affected import affected, hosts_change
from controlplane.snapshot.attachments import Attachments
from controlplane.snapshot.changes import changes
from controlplane.snapshot.hosts import bind_hosts, named_services
from controlplane.snapshot.inbound import build_inbound
from controlplane.snapshot.inputs import Inputs
from controlplane.snapshot.outbound import build_outbound
from controlplane.snapshot.routes import Reach, Routes, build_rules
from controlplane.snapshot.scopes import Scopes
from controlplane.snapshot.services import KnownService, external_key
from controlplane.snapshot.workloads import changed_workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from controlplane.model.document import Document, ObjectKey
    from controlplane.model.schema import Schema
    from controlplane.snapshot.affected import Affected
    from registry.model import ServiceName

_NO_POLICIES: Final[frozenset[ObjectKey]] = frozenset()  # one for all; each that is made takes 200 bytes
_PER_SERVICE: Final = (ResourceType.OUTBOUND, ResourceType.ENDPOINTS, ResourceType.INBOUND)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All resources at one revision, and what they were built from; without slots, for what is kept of it."""

    inputs: Inputs
    attachments: Attachments
    routes: Routes
    resources: Mapping[ResourceName, Resource]
    schema: Schema

    @property
    def revision(self) -> int:
        """The revision of the policy set."""
        return self.inputs.revision

    @property
    def reach(self) -> Reach:
        """What references of routes lead to."""
        return Reach(inputs=self.inputs, attachments=self.attachments)

    @cached_property
    def sidecar_namespaces(self) -> frozenset[str]:
        """The namespaces in which some endpoint has a sidecar."""
        return frozenset(
            name.namespace
            for name, service in self.inputs.services.items()
            if any(endpoint.has_sidecar for endpoint in service.endpoints)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """What compiling needs beside its inputs: the schema, and how a body is encoded."""

    schema: Schema
    encode: Callable[[Body], bytes]


def build(inputs: Inputs, compiler: Compiler, previous: Snapshot | None = None) -> Snapshot:
    """The snapshot of `inputs`; `previous` makes it cheap, and changes nothing in the result."""
    before = previous if previous and _shares_mesh(previous.inputs, inputs) else _empty(inputs, compiler)
    removed, added = changes(before.inputs.documents, inputs.documents)
    _add_regranted(before, inputs, removed, added)
    documents = [*removed.values(), *added.values()]
    attachments = before.attachments.replace(removed.values(), added.values())
    routes = before.routes.replace(removed.values(), added.values())
    resources = dict(before.resources)
    indexes = (before.attachments, attachments), (before.routes, routes)
    touched = affected(before.inputs, inputs, documents, *indexes)
    for name in touched.rules:
        _replace_service(resources, name, inputs, (attachments, routes), compiler)
    for name in touched.endpoints:
        _replace_endpoints(resources, name, inputs, compiler)
    _replace_workloads(resources, before.inputs, inputs, touched, compiler)
    if previous is not before or hosts_change(before.inputs, inputs, documents, touched):
        _replace_hosts(resources, inputs, compiler)
        _replace_mesh(resources, inputs, compiler)
    return Snapshot(
        inputs=inputs, attachments=attachments, routes=routes, resources=resources, schema=compiler.schema
    )


def _add_regranted(
    before: Snapshot, inputs: Inputs, removed: dict[ObjectKey, Document], added: dict[ObjectKey, Document]
) -> None:
    """Counts as changed what reaches across namespaces, when what may do so changes."""
    index = before.attachments
    if index.grants.replace(removed.values(), added.values()) is index.grants:
        return
    for key, document in inputs.documents.items():
        crosses = target.crosses(document, index.root_namespace) or route.crosses(document)
        if key not in added and crosses:
            removed[key] = added[key] = document


def _shares_mesh(before: Inputs, after: Inputs) -> bool:
    """Whether what concerns every service is the same."""
    return before.mesh == after.mesh and before.trust_domain == after.trust_domain


def _empty(inputs: Inputs, compiler: Compiler) -> Snapshot:
    root_namespace = mesh.root_namespace(inputs.mesh)
    return Snapshot(
        inputs=Inputs(),
        attachments=Attachments(root_namespace=root_namespace),
        routes=Routes(root_namespace=root_namespace),
        resources={},
        schema=compiler.schema,
    )


def _replace_service(
    resources: dict[ResourceName, Resource],
    name: ServiceName,
    inputs: Inputs,
    indexes: tuple[Attachments, Routes],
    compiler: Compiler,
) -> None:
    service = inputs.find_service(name)
    bodies: dict[ResourceType, Body] = {}
    if service is not None:
        bodies = _bodies(service, inputs, indexes, compiler.schema)
    for kind in _PER_SERVICE:
        resource_name = ResourceName(kind, str(name))
        if kind not in bodies or service is None:
            resources.pop(resource_name, None)
        else:
            _put(resources, resource_name, bodies[kind], compiler, _policies(bodies[kind], service))


def _replace_endpoints(
    resources: dict[ResourceName, Resource], name: ServiceName, inputs: Inputs, compiler: Compiler
) -> None:
    if service := inputs.find_service(name):
        body = _endpoints(service)
        _put(
            resources,
            ResourceName(ResourceType.ENDPOINTS, str(name)),
            body,
            compiler,
            _policies(body, service),
        )


def _endpoints(service: KnownService) -> Endpoints:
    return Endpoints(service=service.name, endpoints=service.endpoints, resolution=service.resolution)


def _bodies(
    service: KnownService, inputs: Inputs, indexes: tuple[Attachments, Routes], schema: Schema
) -> dict[ResourceType, Body]:
    attachments, routes = indexes
    reach = Reach(inputs=inputs, attachments=attachments)
    scopes = Scopes(routes=routes, reach=reach, schema=schema)
    rules = build_rules(service, routes, reach, schema)
    bodies: dict[ResourceType, Body] = {
        ResourceType.OUTBOUND: build_outbound(service, rules, scopes),
        ResourceType.ENDPOINTS: _endpoints(service),
    }
    if service.document is None:
        bodies[ResourceType.INBOUND] = build_inbound(service, scopes)
    return bodies


def _policies(body: Body, service: KnownService) -> Iterator[ObjectKey]:
    """The objects that a resource of a service is made of."""
    if service.document is not None:
        yield service.document.key
    if isinstance(body, Outbound):
        yield from (rules.policy.key for rules in body.faults)
        yield from (rule.route.key for rule in body.routes)
    if isinstance(body, Inbound):
        yield from (rule.route.key for routes in body.routes for rule in routes.rules)
    if isinstance(body, Outbound | Inbound):
        yield from (origin.policy.key for origin in (*body.origins, *body.shadow_origins) if origin.policy)
        yield from (rules.policy.key for rules in body.rate_limits)


def _replace_workloads(
    resources: dict[ResourceName, Resource],
    before: Inputs,
    after: Inputs,
    touched: Affected,
    compiler: Compiler,
) -> None:
    names = touched.rules | touched.endpoints
    for name, workload in changed_workloads(resources, (before.services, after.services), names).items():
        if workload.members:
            _put(resources, name, workload, compiler, ())
        else:
            resources.pop(name, None)


def _replace_hosts(resources: dict[ResourceName, Resource], inputs: Inputs, compiler: Compiler) -> None:
    bindings = bind_hosts(inputs.services, inputs.external())
    for name in [name for name in resources if name.type is ResourceType.HOST and name.name not in bindings]:
        del resources[name]
    for host, binding in bindings.items():
        key = external_key(binding.service)
        policies = [key] if key in inputs.documents and binding.service not in inputs.services else []
        _put(resources, ResourceName(ResourceType.HOST, host), binding, compiler, policies)


def _replace_mesh(resources: dict[ResourceName, Resource], inputs: Inputs, compiler: Compiler) -> None:
    settings = MeshSettings(
        trust_domain=inputs.trust_domain,
        access_log=mesh.access_log(inputs.mesh, compiler.schema),
        tracing=mesh.tracing(inputs.mesh, compiler.schema),
        unknown_destinations=mesh.unknown_destinations(inputs.mesh, compiler.schema),
        named_services=named_services(inputs.services, inputs.external()),
    )
    policies = [mesh.KEY] if inputs.mesh else []
    _put(resources, ResourceName(ResourceType.MESH, "default"), settings, compiler, policies)


def _put(
    resources: dict[ResourceName, Resource],
    name: ResourceName,
    body: Body,
    compiler: Compiler,
    policies: Iterable[ObjectKey],
) -> None:
    """Enters a body, and keeps the resource that is there if it says the same."""
    known = resources.get(name)
    made_of = frozenset(policies) or _NO_POLICIES
    if known is None or known.body != body or known.policies != made_of:
        encoded = compiler.encode(body)
        resources[name] = Resource(
            name=name, version=_version(encoded), encoded=encoded, body=body, policies=made_of
        )


def _version(encoded: bytes) -> Version:
    return Version(hashlib.sha256(encoded).digest()[:16].hex())
