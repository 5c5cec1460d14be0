"""Messages of AdminService to and from the values inside."""

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

from controlplane.admin.policies import Kept
from controlplane.admin.views import Effective, PolicyView
from controlplane.errors import InvalidRequestError
from controlplane.model.document import Problem
from controlplane.model.event import Event
from controlplane.model.resource import CallerMatch, PolicyRef, ResourceName
from controlplane.model.schema import Schema
from controlplane.model.sidecar import Rejection, ResourceConvergence, SidecarStatus
from controlplane.model.text import document_text
from controlplane.model.traffic import Traffic
from controlplane.snapshot.codec import (
    encode_origin,
    encode_policy,
    encode_policy_ref,
    encode_port,
    encode_service_name,
)
from controlplane.snapshot.services import KnownService
from controlplane.snapshot.status import Condition
from mesh.v1 import (
    admin_pb2,
    discovery_pb2,
    registry_pb2,
    resource_pb2,
    sidecar_admin_pb2,
    telemetry_pb2,
)
from registry.model import ServiceName


def seconds(value: float) -> Duration:
    """A length of time, to the nanosecond."""
    return Duration(seconds=int(value), nanos=round((value - int(value)) * 1e9))


def decode_service(message: registry_pb2.ServiceName) -> ServiceName:
    """The service that a request must name.

    Raises:
        InvalidRequestError: it names none.
    """
    if not (message.namespace and message.name):
        raise InvalidRequestError({"service": "expected a namespace and a name, found none"})
    return ServiceName(namespace=message.namespace, name=message.name)


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
    )


def encode_external(service: KnownService) -> registry_pb2.Service:
    """A service that a document describes; it has no contract."""
    return registry_pb2.Service(
        name=encode_service_name(service.name),
        ports=map(encode_port, service.ports),
        endpoint_count=len(service.endpoints),
        healthy_count=len(service.endpoints),
    )


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
        warnings=map(encode_problem, effective.warnings),
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


def encode_sidecar(
    status: SidecarStatus, resident_bytes: int, control_plane: str, *, with_resources: bool
) -> admin_pb2.SidecarStatus:
    """Where a sidecar stands; `control_plane` is whom it is connected to, if it is."""
    message = admin_pb2.SidecarStatus(
        instance=status.hello.instance,
        services=map(encode_service_name, status.hello.services),
        version=status.hello.version,
        state=admin_pb2.SidecarState.Value(f"SIDECAR_STATE_{status.state.value}"),
        revision=status.revision,
        lag=status.lag,
        rejections=map(_rejection, status.rejections),
        resources=sum(one.applied is not None for one in status.convergence),
        pushes=status.pushes,
        resident_bytes=resident_bytes,
        control_plane=control_plane,
        convergence=map(_convergence, status.convergence if with_resources else ()),
    )
    if status.last_ack_age_seconds is not None:
        message.last_ack_age.CopyFrom(seconds(status.last_ack_age_seconds))
    return message


def encode_traffic(traffic: Traffic) -> admin_pb2.Traffic:
    """Traffic of one service, or of one caller to it."""
    return admin_pb2.Traffic(
        service=_service(traffic.service),
        peer=traffic.peer,
        requests_per_second=traffic.requests,
        success_ratio=traffic.success_ratio,
        attempts_per_second=traffic.attempts,
        p50=seconds(traffic.latency.p50),
        p95=seconds(traffic.latency.p95),
        p99=seconds(traffic.latency.p99),
        in_flight=traffic.in_flight,
        refused_per_second=traffic.refused,
        sidecars=traffic.sidecars,
    )


def encode_event(event: Event) -> admin_pb2.SidecarEvent:
    """Something that happened in a sidecar."""
    message = telemetry_pb2.Event(
        kind=event.kind,
        service=encode_service_name(event.service),
        endpoint=event.endpoint,
        to=telemetry_pb2.BreakerState.Value(f"BREAKER_STATE_{event.after.value}"),
        reason=event.reason,
        calls=event.calls,
        failures=event.failures,
    )
    # A keyword of Python, so that it cannot be an argument.
    setattr(message, "from", telemetry_pb2.BreakerState.Value(f"BREAKER_STATE_{event.before.value}"))
    message.at.FromDatetime(event.at)
    return admin_pb2.SidecarEvent(instance=event.instance, event=message)


def _condition(condition: Condition) -> admin_pb2.Condition:
    return admin_pb2.Condition(
        type=condition.type, status=condition.status, reason=condition.reason, message=condition.message
    )


def _rejection(rejection: Rejection) -> discovery_pb2.Rejection:
    return discovery_pb2.Rejection(
        id=_name(rejection.resource),
        version=rejection.version,
        field=rejection.field_path,
        reason=rejection.reason,
    )


def _convergence(one: ResourceConvergence) -> admin_pb2.ResourceConvergence:
    return admin_pb2.ResourceConvergence(
        id=_name(one.resource), applied=one.applied or "", desired=one.desired or ""
    )


def _name(name: ResourceName) -> resource_pb2.ResourceName:
    return resource_pb2.ResourceName(type=resource_pb2.ResourceType.ValueType(name.type), name=name.name)


def _service(label: str) -> registry_pb2.ServiceName:
    """The service in a label of metrics, which names none when series overflowed."""
    namespace, _, name = label.rpartition("/")
    return registry_pb2.ServiceName(namespace=namespace, name=name)
