"""Values that several edges speak of, to and from messages of the contract."""

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Final

from google.protobuf.duration_pb2 import Duration

from controlplane.model.document import ObjectKey
from controlplane.model.effective import PolicyRef
from controlplane.model.event import BreakerState, Event
from controlplane.model.health import EndpointPort, Votes
from controlplane.model.resource import ResourceName, ResourceType, Version
from controlplane.model.sidecar import (
    Attached,
    Hello,
    Rejection,
    ResourceConvergence,
    SidecarState,
    SidecarStatus,
)
from controlplane.snapshot.codec import encode_policy_ref, encode_service_name
from mesh.v1 import admin_pb2, discovery_pb2, registry_pb2, resource_pb2, telemetry_pb2
from registry.model import ServiceName

TEXT_MAX: Final = 1_024
"""Characters of what a sidecar has to say in words."""

_TYPES = {kind.value: kind for kind in ResourceType}
_BREAKER_STATES = {
    telemetry_pb2.BreakerState.Value(f"BREAKER_STATE_{state.name}"): state for state in BreakerState
}
_SIDECAR_STATES = {
    admin_pb2.SidecarState.Value(f"SIDECAR_STATE_{state.name}"): state for state in SidecarState
}


def encode_seconds(value: float) -> Duration:
    """A length of time, to the nanosecond."""
    return Duration(seconds=int(value), nanos=round((value - int(value)) * 1e9))


def decode_seconds(message: Duration) -> float:
    """A length of time in seconds."""
    return message.ToNanoseconds() / 1e9


def decode_service_name(message: registry_pb2.ServiceName) -> ServiceName:
    """A service's name."""
    return ServiceName(namespace=message.namespace, name=message.name)


def encode_key(key: ObjectKey) -> resource_pb2.PolicyRef:
    """A policy's name as a message, whatever its generation."""
    return encode_policy_ref(PolicyRef(key=key, generation=0))


def decode_key(message: resource_pb2.PolicyRef) -> ObjectKey:
    """The policy that a message names."""
    return ObjectKey(kind=message.kind, namespace=message.namespace, name=message.name)


def encode_resource_name(name: ResourceName) -> resource_pb2.ResourceName:
    """A resource's name as a message."""
    return resource_pb2.ResourceName(type=resource_pb2.ResourceType.ValueType(name.type), name=name.name)


def decode_resource_names(messages: Iterable[resource_pb2.ResourceName]) -> Iterable[ResourceName]:
    """The names of resources, but for those of types that we do not know."""
    return (ResourceName(_TYPES[one.type], one.name) for one in messages if one.type in _TYPES)


def decode_held(messages: Iterable[discovery_pb2.HeldResource]) -> dict[ResourceName, Version]:
    """The versions that a sidecar holds, but for resources of types that we do not know."""
    return {
        ResourceName(_TYPES[name.type], name.name): Version(one.version)
        for one in messages
        if (name := one.id).type in _TYPES
    }


def encode_rejection(rejection: Rejection) -> discovery_pb2.Rejection:
    """What a sidecar refused, as a message."""
    return discovery_pb2.Rejection(
        id=encode_resource_name(rejection.resource),
        version=rejection.version,
        field=rejection.field_path,
        reason=rejection.reason,
    )


def decode_rejections(messages: Iterable[discovery_pb2.Rejection]) -> tuple[Rejection, ...]:
    """What a sidecar refused, at no great length, but for resources of types that we do not know."""
    return tuple(
        Rejection(
            resource=ResourceName(_TYPES[one.id.type], one.id.name),
            version=Version(one.version),
            field_path=one.field[:TEXT_MAX],
            reason=one.reason[:TEXT_MAX],
        )
        for one in messages
        if one.id.type in _TYPES
    )


def encode_sidecar(attached: Attached, *, with_resources: bool) -> admin_pb2.SidecarStatus:
    """Where a sidecar stands, as a message that names no control plane."""
    status = attached.status
    message = admin_pb2.SidecarStatus(
        instance=status.hello.instance,
        services=map(encode_service_name, status.hello.services),
        version=status.hello.version,
        state=admin_pb2.SidecarState.Value(f"SIDECAR_STATE_{status.state.name}"),
        age=encode_seconds(status.age_seconds),
        revision=status.revision,
        lag=status.lag,
        rejections=map(encode_rejection, status.rejections),
        resources=status.resources,
        pushes=status.pushes,
        resident_bytes=attached.resident_bytes,
        convergence=map(_encode_convergence, status.convergence if with_resources else ()),
    )
    if status.last_ack_age_seconds is not None:
        message.last_ack_age.CopyFrom(encode_seconds(status.last_ack_age_seconds))
    return message


def decode_sidecar(message: admin_pb2.SidecarStatus) -> Attached:
    """Where a sidecar stands, as the control plane says that it is connected to."""
    status = SidecarStatus(
        hello=Hello(
            instance=message.instance,
            services=tuple(map(decode_service_name, message.services)),
            version=message.version,
        ),
        state=_SIDECAR_STATES.get(message.state, SidecarState.OFFLINE),
        age_seconds=decode_seconds(message.age),
        revision=message.revision,
        lag=message.lag,
        last_ack_age_seconds=(
            decode_seconds(message.last_ack_age) if message.HasField("last_ack_age") else None
        ),
        rejections=decode_rejections(message.rejections),
        pushes=message.pushes,
        resources=message.resources,
        convergence=tuple(_decode_convergence(message.convergence)),
    )
    return Attached(status=status, resident_bytes=message.resident_bytes)


def encode_event(event: Event) -> admin_pb2.SidecarEvent:
    """Something that happened in a sidecar, as a message."""
    message = telemetry_pb2.Event(
        kind=event.kind,
        service=encode_service_name(event.service),
        endpoint=event.endpoint,
        route=event.route,
        to=telemetry_pb2.BreakerState.Value(f"BREAKER_STATE_{event.after.value}"),
        reason=event.reason,
        calls=event.calls,
        failures=event.failures,
        slow=event.slow,
        consecutive_failures=event.consecutive_failures,
    )
    # A keyword of Python, so that it cannot be an argument.
    setattr(message, "from", telemetry_pb2.BreakerState.Value(f"BREAKER_STATE_{event.before.value}"))
    message.at.FromDatetime(event.at)
    return admin_pb2.SidecarEvent(instance=event.instance, event=message)


def decode_event(instance: str, message: telemetry_pb2.Event) -> Event:
    """Something that happened in the sidecar `instance`."""
    return Event(
        instance=instance,
        at=message.at.ToDatetime(UTC),
        kind=message.kind,
        service=decode_service_name(message.service),
        endpoint=message.endpoint,
        route=message.route,
        before=decode_breaker_state(getattr(message, "from")),
        after=decode_breaker_state(message.to),
        reason=message.reason,
        calls=message.calls,
        failures=message.failures,
        slow=message.slow,
        consecutive_failures=message.consecutive_failures,
    )


def decode_breaker_state(number: telemetry_pb2.BreakerState.ValueType) -> BreakerState:
    """State of a breaker; UNSPECIFIED when we do not know it."""
    return _BREAKER_STATES.get(number, BreakerState.UNSPECIFIED)


def _encode_convergence(one: ResourceConvergence) -> admin_pb2.ResourceConvergence:
    return admin_pb2.ResourceConvergence(
        id=encode_resource_name(one.resource), applied=one.applied or "", desired=one.desired or ""
    )


def _decode_convergence(messages: Iterable[admin_pb2.ResourceConvergence]) -> Iterable[ResourceConvergence]:
    return (
        ResourceConvergence(
            resource=ResourceName(_TYPES[one.id.type], one.id.name),
            applied=Version(one.applied) if one.applied else None,
            desired=Version(one.desired) if one.desired else None,
        )
        for one in messages
        if one.id.type in _TYPES
    )


def encode_votes(votes: Mapping[EndpointPort, Votes]) -> list[telemetry_pb2.EndpointVotes]:
    """What sidecars found of endpoints, sorted."""
    return [
        telemetry_pb2.EndpointVotes(
            endpoint=endpoint.instance, port=endpoint.port, healthy=each.healthy, unhealthy=each.unhealthy
        )
        for endpoint, each in sorted(votes.items())
    ]
