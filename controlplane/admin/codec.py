"""Messages of AdminService to and from the values inside."""

from collections.abc import Iterable

from controlplane.admin.policies import Kept
from controlplane.admin.views import Effective, Front, PolicyView, Ruled
from controlplane.errors import InvalidRequestError
from controlplane.model.document import Problem
from controlplane.model.effective import CallerMatch, PolicyRef
from controlplane.model.replica import Placed, Replica, Standing
from controlplane.model.schema import Schema
from controlplane.model.sidecar import SidecarState
from controlplane.model.text import document_text
from controlplane.model.traffic import Traffic
from controlplane.snapshot.codec import (
    encode_origin,
    encode_policy,
    encode_policy_ref,
    encode_port,
    encode_scope,
    encode_service_name,
)
from controlplane.snapshot.services import KnownService
from controlplane.snapshot.status import Condition
from controlplane.wire.codec import decode_service_name, encode_seconds, encode_sidecar
from mesh.v1 import admin_pb2, registry_pb2, resource_pb2, sidecar_admin_pb2
from registry.catalog import Registered
from registry.model import ServiceName


def decode_service(message: registry_pb2.ServiceName) -> ServiceName:
    """The service that a request must name.

    Raises:
        InvalidRequestError: it names none.
    """
    if not (message.namespace and message.name):
        raise InvalidRequestError({"service": "expected a namespace and a name, found none"})
    return decode_service_name(message)


def find_service(message: registry_pb2.ServiceName) -> ServiceName | None:
    """The service that a request may name."""
    return decode_service(message) if message.namespace or message.name else None


def decode_caller(message: resource_pb2.CallerMatch) -> CallerMatch:
    """The caller that a request names; nobody in particular when it names none."""
    return CallerMatch(
        namespace=message.namespace, service=message.service, service_account=message.service_account
    )


def decode_manifests(messages: Iterable[admin_pb2.Manifest]) -> list[tuple[str, str]]:
    """Files, each a name and a text."""
    return [(message.file, message.text) for message in messages]


def encode_problem(problem: Problem) -> admin_pb2.Problem:
    """A problem of a document."""
    return admin_pb2.Problem(
        file=problem.file,
        line=problem.line,
        object=problem.object,
        path=problem.path,
        message=problem.message,
        warning=problem.warning,
        code=problem.code.number,
        level=problem.code.level.value,
        hint=problem.code.hint,
    )


def encode_external(service: KnownService) -> registry_pb2.Service:
    """A service that a document describes; it has no contract."""
    return registry_pb2.Service(
        name=encode_service_name(service.name),
        ports=map(encode_port, service.ports),
        endpoint_count=len(service.endpoints),
        healthy_count=len(service.endpoints),
    )


def encode_lease(registered: Registered) -> admin_pb2.EndpointLease:
    """What an endpoint is there by."""
    message = admin_pb2.EndpointLease(
        instance=registered.registration.endpoint.instance, lease_id=registered.lease or 0
    )
    if registered.ttl_seconds:
        message.ttl.CopyFrom(encode_seconds(registered.ttl_seconds))
    if registered.registered_at:
        message.registered_at.FromDatetime(registered.registered_at)
    return message


def encode_policy_status(view: PolicyView, schema: Schema, revision: int) -> admin_pb2.PolicyStatus:
    """A document in force, with its state."""
    return admin_pb2.PolicyStatus(
        policy=encode_policy(view.document),
        yaml=document_text(view.document, schema),
        conditions=map(_condition, view.conditions),
        targeted=view.convergence.targeted,
        applied=view.convergence.applied,
        rejected=view.convergence.rejected,
        revision=revision,
    )


def encode_effective(effective: Effective) -> admin_pb2.GetEffectivePolicyResponse:
    """Effective settings with their origins; what was encoded for sidecars is not encoded anew."""
    outbound = resource_pb2.Outbound.FromString(effective.outbound.encoded)
    inbound = resource_pb2.Inbound.FromString(effective.inbound.encoded if effective.inbound else b"")
    return admin_pb2.GetEffectivePolicyResponse(
        resilience=outbound.variants[effective.variant].resilience,
        origins=[encode_origin(row.origin) for row in effective.rows],
        values=[row.value for row in effective.rows],
        inbound_limits=inbound.rate_limits,
        outbound_limits=outbound.rate_limits,
        faults=outbound.faults,
        backpressure=inbound.backpressure.settings if inbound.HasField("backpressure") else None,
        warnings=map(encode_problem, effective.warnings),
        backends=map(_encode_ruled, effective.ruled),
        shadow_origins=[encode_origin(row.origin) for row in effective.shadow],
        shadow_values=[row.value for row in effective.shadow],
        fronts=map(_encode_front, effective.fronts),
    )


def _encode_front(front: Front) -> admin_pb2.EffectiveFront:
    return admin_pb2.EffectiveFront(
        scope=encode_scope(front.scope),
        origins=[encode_origin(row.origin) for row in front.rows],
        values=[row.value for row in front.rows],
        shadow_origins=[encode_origin(row.origin) for row in front.shadow],
        shadow_values=[row.value for row in front.shadow],
    )


def _encode_ruled(ruled: Ruled) -> admin_pb2.EffectiveBackend:
    backend = ruled.backend
    return admin_pb2.EffectiveBackend(
        route=encode_policy_ref(ruled.rule.route),
        rule=ruled.rule.name,
        service=encode_service_name(backend.service) if backend.service else None,
        port=backend.port,
        weight=backend.weight,
        origins=[encode_origin(row.origin) for row in ruled.rows],
        values=[row.value for row in ruled.rows],
        shadow_origins=[encode_origin(row.origin) for row in ruled.shadow],
        shadow_values=[row.value for row in ruled.shadow],
        warnings=map(encode_problem, ruled.warnings),
    )


def encode_question(
    request: admin_pb2.ExplainRequest, direction: sidecar_admin_pb2.Direction.ValueType
) -> sidecar_admin_pb2.ExplainRequestRequest:
    """The question to one half of a sidecar."""
    return sidecar_admin_pb2.ExplainRequestRequest(
        direction=direction,
        service=request.to,
        method=request.method or "GET",
        path=request.path or "/",
        headers=request.headers,
    )


def encode_kept(kept: Kept, problems: Iterable[Problem]) -> admin_pb2.ApplyPoliciesResponse:
    """What became of documents that were applied."""
    return admin_pb2.ApplyPoliciesResponse(
        problems=map(encode_problem, problems),
        applied=[
            admin_pb2.AppliedPolicy(
                policy=encode_policy_ref(PolicyRef(key=document.key, generation=document.generation)),
                outcome=outcome.value,
            )
            for document, outcome in kept.outcomes
        ],
        revision=kept.revision,
    )


def encode_placed(placed: Placed, *, with_resources: bool) -> admin_pb2.SidecarStatus:
    """Where a sidecar stands, and to which control plane it is connected, if it is."""
    message = encode_sidecar(placed.attached, with_resources=with_resources)
    if placed.attached.status.state is not SidecarState.OFFLINE:
        message.control_plane = placed.replica.name
    return message


def encode_replica(replica: Replica, standing: Standing | None) -> admin_pb2.ReplicaStatus:
    """A replica, and where it stands when it answered."""
    message = admin_pb2.ReplicaStatus(name=replica.name, address=replica.address, version=replica.version)
    message.started_at.FromDatetime(replica.started_at)
    if standing:
        message.answers, message.store_ready = True, standing.is_store_ready
        message.revision, message.connected_sidecars = standing.revision, standing.connected
    return message


def encode_leader(
    leader: str, standings: Iterable[tuple[Replica, Standing | None]]
) -> admin_pb2.Leader | None:
    """The replica with the id `leader`, if it is one, and when it renewed its lead if it answered."""
    for replica, standing in standings:
        if replica.id == leader:
            message = admin_pb2.Leader(name=replica.name)
            if standing and standing.lead_seconds is not None:
                message.renewed_age.CopyFrom(encode_seconds(standing.lead_seconds))
            return message
    return None


def encode_traffic(traffic: Traffic) -> admin_pb2.Traffic:
    """Traffic of one service, or of one caller to it, or of one rule."""
    return admin_pb2.Traffic(
        service=_service(traffic.service),
        peer=traffic.peer,
        route=traffic.route,
        requests_per_second=traffic.requests,
        success_ratio=traffic.success_ratio,
        attempts_per_second=traffic.attempts,
        attempt_success_ratio=traffic.attempt_success_ratio,
        p50=encode_seconds(traffic.latency.p50),
        p95=encode_seconds(traffic.latency.p95),
        p99=encode_seconds(traffic.latency.p99),
        in_flight=traffic.in_flight,
        refused_per_second=traffic.refused,
        sidecars=traffic.sidecars,
    )


def _condition(condition: Condition) -> admin_pb2.Condition:
    return admin_pb2.Condition(
        type=condition.type, status=condition.status, reason=condition.reason, message=condition.message
    )


def _service(label: str) -> registry_pb2.ServiceName:
    """The service in a label of metrics, which names none when series overflowed."""
    namespace, _, name = label.rpartition("/")
    return registry_pb2.ServiceName(namespace=namespace, name=name)
