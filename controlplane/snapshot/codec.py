"""Bodies of resources, and documents, to messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from controlplane.model.resource import (
    Endpoints,
    HostBinding,
    Inbound,
    MeshSettings,
    Outbound,
    Resolution,
    Workload,
)
from controlplane.model.route import name_beside
from controlplane.model.schema import word
from controlplane.model.value import Duration, Tree, Value
from controlplane.policy import route
from mesh.v1 import external_service_pb2, policy_pb2, registry_pb2, resource_pb2, schema_pb2

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
    from google.protobuf.message import Message

    from controlplane.model.document import Document, ObjectKey
    from controlplane.model.effective import CallerMatch, FieldOrigin, OutboundVariant, PolicyRef
    from controlplane.model.resource import (
        Body,
        FaultRules,
        InboundRoutes,
        Member,
        RateLimitRules,
        RouteBackpressure,
        RouteScope,
    )
    from controlplane.model.route import RouteBackend, RouteMirror, RouteRule
    from registry.model import Endpoint, ServiceName, ServicePort

    _Scoped: TypeAlias = (
        resource_pb2.RateLimitRules | resource_pb2.FaultRules | resource_pb2.RouteBackpressure
    )


def encode(body: Body) -> bytes:
    """The bytes of a body; equal bodies have equal bytes."""
    match body:
        case MeshSettings():
            message: Message = _mesh(body)
        case HostBinding():
            message = _host(body)
        case Outbound():
            message = _outbound(body)
        case Endpoints():
            message = _endpoints(body)
        case Inbound():
            message = _inbound(body)
        case Workload():
            message = resource_pb2.Workload(members=map(_member, body.members))
    return message.SerializeToString(deterministic=True)


def encode_policy(document: Document) -> policy_pb2.Policy:
    """A document as a message, with no defaults filled in."""
    message = policy_pb2.Policy(
        metadata=policy_pb2.ObjectMeta(
            name=document.key.name,
            namespace=document.key.namespace,
            generation=document.generation,
            labels=document.labels,
        ),
        source=f"{document.file}:{document.line}" if document.line else document.file,
    )
    if document.created_at is not None:
        message.metadata.created_at.FromDatetime(document.created_at)
    spec = getattr(message, _spec_field(document.key.kind))
    spec.SetInParent()
    fill_message(spec, document.spec)
    return message


def encode_service_name(name: ServiceName) -> registry_pb2.ServiceName:
    """A service's name as a message."""
    return registry_pb2.ServiceName(namespace=name.namespace, name=name.name)


def _member(member: Member) -> resource_pb2.WorkloadMember:
    return resource_pb2.WorkloadMember(
        port=member.port,
        service=encode_service_name(member.service),
        zone=member.zone,
        protocol=registry_pb2.Protocol.Value(f"PROTOCOL_{member.protocol}"),
    )


def encode_port(port: ServicePort) -> registry_pb2.ServicePort:
    """A service's port as a message."""
    protocol = registry_pb2.Protocol.Value(f"PROTOCOL_{port.protocol.name}")
    return registry_pb2.ServicePort(name=port.name, port=port.port, protocol=protocol)


def encode_endpoint(endpoint: Endpoint) -> registry_pb2.Endpoint:
    """An endpoint as a message."""
    return registry_pb2.Endpoint(
        instance=endpoint.instance,
        address=endpoint.address,
        ports=endpoint.ports,
        labels=endpoint.labels,
        has_sidecar=endpoint.has_sidecar,
        health=registry_pb2.Health.Value(f"HEALTH_{endpoint.health.name}"),
        weight=endpoint.weight if endpoint.weight > 1 else 0,
    )


def encode_policy_ref(ref: PolicyRef) -> resource_pb2.PolicyRef:
    """A reference to a policy as a message."""
    return resource_pb2.PolicyRef(
        kind=ref.key.kind, namespace=ref.key.namespace, name=ref.key.name, generation=ref.generation
    )


def encode_origin(origin: FieldOrigin) -> resource_pb2.FieldOrigin:
    """The origin of a field as a message."""
    return resource_pb2.FieldOrigin(
        path=origin.path,
        policy=encode_policy_ref(origin.policy) if origin.policy else None,
        level=origin.level,
    )


def fill_message(message: Message, tree: Tree) -> None:
    """Sets the fields of `message` that `tree` names, by their names in JSON."""
    fields = _fields(message.DESCRIPTOR)
    for name, value in tree.items():
        _set(message, fields[name], value)


def _set(message: Any, field: FieldDescriptor, value: Value) -> None:
    member = getattr(message, field.name)
    if isinstance(value, Duration):
        member.FromNanoseconds(value.nanoseconds)
    elif isinstance(value, Mapping):
        _set_block(member, field, value)
    elif isinstance(value, tuple) and field.message_type is not None:
        for item in value:
            assert isinstance(item, Mapping)  # noqa: S101  # lists of messages hold blocks
            fill_message(member.add(), item)
    elif isinstance(value, tuple):
        member.extend(value)
    elif field.enum_type is not None:
        setattr(message, field.name, _words(field.enum_type)[str(value)])
    else:
        setattr(message, field.name, value)


def _set_block(member: Any, field: FieldDescriptor, value: Tree) -> None:
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        member.SetInParent()
        fill_message(member, value)
    elif entry.fields_by_name["value"].message_type is None:
        member.update(value)
    else:
        for name, item in value.items():
            assert isinstance(item, Mapping)  # noqa: S101  # maps of messages hold blocks
            fill_message(member[name], item)


@cache
def _fields(message: Descriptor) -> Mapping[str, FieldDescriptor]:
    return {field.json_name: field for field in message.fields}


@cache
def _words(enum: EnumDescriptor) -> Mapping[str, int]:
    return {word(enum.name, value.name): value.number for value in enum.values}


@cache
def _spec_field(kind: str) -> str:
    for field in policy_pb2.Policy.DESCRIPTOR.oneofs_by_name["spec"].fields:
        if (
            field.message_type
            and field.message_type.GetOptions().Extensions[schema_pb2.kind_rules].kind == kind
        ):
            return field.name
    raise KeyError(kind)


def _mesh(settings: MeshSettings) -> resource_pb2.MeshSettings:
    named = map(encode_service_name, settings.named_services)
    message = resource_pb2.MeshSettings(trust_domain=settings.trust_domain, named_services=named)
    message.access_log.SetInParent()
    fill_message(message.access_log, settings.access_log)
    if settings.tracing is not None:
        message.tracing.SetInParent()
        fill_message(message.tracing, settings.tracing)
    fill_message(message, {"unknownDestinations": settings.unknown_destinations})
    return message


def _host(body: HostBinding) -> resource_pb2.HostBinding:
    return resource_pb2.HostBinding(
        service=encode_service_name(body.service), port=body.port, is_endpoint=body.is_endpoint
    )


def _outbound(body: Outbound) -> resource_pb2.Outbound:
    message = resource_pb2.Outbound(
        service=encode_service_name(body.service),
        ports=map(encode_port, body.ports),
        idempotent_methods=body.idempotent_methods,
        variants=map(_variant, body.variants),
        rate_limits=map(_rules, body.rate_limits),
        faults=_faults(body.faults),
        routes=map(_route_rule, body.routes),
    )
    _tell_apart(_named_routes(message.routes, message.rate_limits, message.faults), body.twins)
    return message


def _named_routes(
    rules: Iterable[resource_pb2.RouteRule], *scoped: Iterable[_Scoped]
) -> Iterator[resource_pb2.PolicyRef | resource_pb2.RouteScope]:
    """Every place of a message that names a route."""
    yield from (rule.route for rule in rules)
    yield from (each.scope for each in chain(*scoped) if each.HasField("scope"))


def _tell_apart(
    named: Iterable[resource_pb2.PolicyRef | resource_pb2.RouteScope], twins: Container[ObjectKey]
) -> None:
    """Names routes otherwise of which a route of another kind has the name: sidecars name no kinds."""
    for found in named:
        if (found.kind, found.namespace, found.name) in twins:
            found.name = name_beside(found.kind, found.name)


def _route_rule(rule: RouteRule) -> resource_pb2.RouteRule:
    message = resource_pb2.RouteRule(
        route=encode_policy_ref(rule.route),
        caller=_caller(rule.caller) if rule.caller else None,
        name=rule.name,
        ports=rule.ports,
        backends=map(_route_backend, rule.backends),
        mirrors=map(_route_mirror, rule.mirrors),
    )
    if rule.created_at is not None:
        message.created_at.FromDatetime(rule.created_at)
    matches = message.grpc_matches if rule.route.key.kind == route.GRPC else message.http_matches
    for match in rule.matches:
        fill_message(matches.add(), match)
    for filled, changes in (
        (message.request_headers, rule.request_headers),
        (message.response_headers, rule.response_headers),
    ):
        if changes:
            fill_message(filled, changes)
    return message


def _route_backend(backend: RouteBackend) -> resource_pb2.RouteBackend:
    service = encode_service_name(backend.service) if backend.service else None
    return resource_pb2.RouteBackend(
        service=service, port=backend.port, weight=backend.weight, variants=map(_variant, backend.variants)
    )


def _route_mirror(mirror: RouteMirror) -> resource_pb2.RouteMirror:
    return resource_pb2.RouteMirror(
        service=encode_service_name(mirror.service),
        port=mirror.port,
        numerator=mirror.numerator,
        denominator=mirror.denominator,
    )


def _endpoints(body: Endpoints) -> resource_pb2.Endpoints:
    message = resource_pb2.Endpoints(
        service=encode_service_name(body.service), endpoints=map(encode_endpoint, body.endpoints)
    )
    if body.resolution is Resolution.DNS:
        message.resolution = external_service_pb2.RESOLUTION_DNS
    return message


def _inbound(body: Inbound) -> resource_pb2.Inbound:
    message = resource_pb2.Inbound(
        service=encode_service_name(body.service),
        rate_limits=map(_rules, body.rate_limits),
        routes=map(_inbound_routes, body.routes),
        route_backpressure=map(_route_backpressure, body.route_backpressure),
    )
    _fill_fronts(message, body)
    rules = (rule for routes in message.routes for rule in routes.rules)
    _tell_apart(_named_routes(rules, message.rate_limits, message.route_backpressure), body.twins)
    return message


def _route_backpressure(front: RouteBackpressure) -> resource_pb2.RouteBackpressure:
    message = resource_pb2.RouteBackpressure(scope=encode_scope(front.scope))
    _fill_fronts(message, front)
    return message


def _fill_fronts(
    message: resource_pb2.Inbound | resource_pb2.RouteBackpressure, fronts: Inbound | RouteBackpressure
) -> None:
    """Sets what stands in front of an application, and what would."""
    for filled, front in (
        (message.backpressure, fronts.backpressure),
        (message.shadow_backpressure, fronts.shadow_backpressure),
    ):
        if front is not None:
            filled.origins.extend(map(encode_origin, front.origins))
            fill_message(filled.settings, front.settings)


def _inbound_routes(routes: InboundRoutes) -> resource_pb2.InboundRoutes:
    return resource_pb2.InboundRoutes(
        service=encode_service_name(routes.service),
        hosts=routes.hosts,
        ports=routes.ports,
        rules=map(_route_rule, routes.rules),
    )


def _variant(variant: OutboundVariant) -> resource_pb2.OutboundVariant:
    message = resource_pb2.OutboundVariant(
        caller=_caller(variant.caller) if variant.caller else None,
        origins=map(encode_origin, variant.origins),
    )
    message.resilience.SetInParent()
    fill_message(message.resilience, variant.resilience)
    if variant.shadow is not None:
        message.shadow.SetInParent()
        fill_message(message.shadow, variant.shadow)
        message.shadow_origins.extend(map(encode_origin, variant.shadow_origins))
    return message


def _caller(match: CallerMatch) -> resource_pb2.CallerMatch:
    return resource_pb2.CallerMatch(
        namespace=match.namespace, service=match.service, service_account=match.service_account
    )


def _rules(rules: RateLimitRules) -> resource_pb2.RateLimitRules:
    from_field: dict[str, Any] = {"from": map(_caller, rules.callers)}  # a keyword of Python
    message = resource_pb2.RateLimitRules(
        policy=encode_policy_ref(rules.policy),
        is_shadow=rules.is_shadow,
        scope=encode_scope(rules.scope) if rules.scope else None,
        trusted_hops=rules.trusted_hops,
        **from_field,
    )
    for limit in rules.limits:
        fill_message(message.limits.add(), limit)
    for exemption in rules.exempt:
        fill_message(message.exempt.add(), exemption)
    fill_message(message.response, rules.response)
    return message


def encode_scope(scope: RouteScope) -> resource_pb2.RouteScope:
    """The requests of a route or rule as a message."""
    route = scope.route
    return resource_pb2.RouteScope(
        kind=route.kind, namespace=route.namespace, name=route.name, rule=scope.rule
    )


def _faults(found: Sequence[FaultRules]) -> Iterator[resource_pb2.FaultRules]:
    """Rehearsals as messages, each with its place by age."""
    ages = sorted({rules.age for rules in found})
    for rules in found:
        message = _fault(rules)
        message.specificity, message.age = rules.specificity, ages.index(rules.age)
        yield message


def _fault(rules: FaultRules) -> resource_pb2.FaultRules:
    from_field: dict[str, Any] = {"from": map(_caller, rules.callers)}  # a keyword of Python
    message = resource_pb2.FaultRules(
        policy=encode_policy_ref(rules.policy),
        is_shadow=rules.is_shadow,
        scope=encode_scope(rules.scope) if rules.scope else None,
        **from_field,
    )
    message.until.FromDatetime(rules.until)
    fill_message(message, rules.settings)
    return message
