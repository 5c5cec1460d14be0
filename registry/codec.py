"""The wire form of registrations and services; a stored registration is the request that made it.

What the instances of a service say alike is decoded to one object for all of them.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError as ProtobufDecodeError

from mesh.v1 import registry_pb2 as pb
from registry.catalog import Event, Registered, Removed, Service
from registry.config import LEASE_SECONDS
from registry.errors import DecodeError, InvalidRegistrationError
from registry.keys import parse_registration_key, registration_key
from registry.model import (
    Conflict,
    Contract,
    Endpoint,
    Health,
    InstanceId,
    LeaseId,
    Problem,
    Protocol,
    Registration,
    Revision,
    ServiceName,
    ServicePort,
    ServiceView,
)
from registry.store import Change, Delete, Entry

_T = TypeVar("_T", bound=Hashable)
_MAX_SHARED: Final = 4_096  # each a service's name, ports, contract or labels

_PROTOCOLS: Final = {
    pb.PROTOCOL_UNSPECIFIED: Protocol.HTTP,
    pb.PROTOCOL_HTTP: Protocol.HTTP,
    pb.PROTOCOL_HTTP2: Protocol.HTTP2,
    pb.PROTOCOL_GRPC: Protocol.GRPC,
    pb.PROTOCOL_TLS: Protocol.TLS,
    pb.PROTOCOL_TCP: Protocol.TCP,
    pb.PROTOCOL_DETECT: Protocol.DETECT,
}
_HEALTHS: Final = {
    pb.HEALTH_UNSPECIFIED: Health.HEALTHY,
    pb.HEALTH_HEALTHY: Health.HEALTHY,
    pb.HEALTH_UNHEALTHY: Health.UNHEALTHY,
}
# The last number of a value is the one that names it; the unspecified one comes first.
_PROTOCOL_NUMBERS: Final = {protocol: number for number, protocol in _PROTOCOLS.items()}
_HEALTH_NUMBERS: Final = {health: number for number, health in _HEALTHS.items()}


def encode_registration(
    registration: Registration,
    *,
    entered: Revision | None = None,
    ttl_seconds: int = 0,
    registered_at: datetime | None = None,
) -> bytes:
    """The stored form; equal registrations have equal bytes.

    `entered` is the revision at which the instance entered, when that is not the one that will write this.
    """
    request = encode_register_request(registration, ttl_seconds or None)
    request.entered_revision = entered or 0
    if registered_at:
        request.registered_at.FromDatetime(registered_at)
    return request.SerializeToString(deterministic=True)


def decode_event(change: Change) -> Event:
    """What a change in the store means for the catalogue.

    Raises:
        DecodeError: the key or the stored bytes are no registration's.
    """
    if isinstance(change, Delete):
        service, instance = parse_registration_key(change.key)
        return Removed(service=service, instance=instance, revision=change.revision)
    return decode_entry(change.entry)


def decode_entry(entry: Entry) -> Registered:
    """What an entry of the store registers.

    Raises:
        DecodeError: the stored bytes are no registration, or one that belongs under another key.
    """
    try:
        request = pb.RegisterRequest.FromString(entry.value)
        registration = decode_register_request(request)
    except (ProtobufDecodeError, InvalidRegistrationError) as error:
        raise DecodeError(f"expected a registration under {entry.key!r}, found: {error}") from error
    key = registration_key(registration.service, registration.endpoint.instance)
    if entry.key != key:
        raise DecodeError(f"expected this registration under {key!r}, found it under {entry.key!r}")
    is_dated = request.HasField("registered_at")
    return Registered(
        registration=registration,
        revision=entry.revision,
        entered=Revision(request.entered_revision or entry.revision),
        lease=entry.lease,
        ttl_seconds=request.ttl.seconds,
        registered_at=request.registered_at.ToDatetime(UTC) if is_dated else None,
    )


def encode_register_request(registration: Registration, ttl_seconds: int | None = None) -> pb.RegisterRequest:
    """The request that registers, for `ttl_seconds` or the default."""
    return pb.RegisterRequest(
        service=encode_name(registration.service),
        ports=_encode_ports(registration.ports),
        contract=_encode_contract(registration.contract),
        endpoint=encode_endpoint(registration.endpoint),
        ttl=None if ttl_seconds is None else Duration(seconds=ttl_seconds),
    )


def decode_register_request(request: pb.RegisterRequest) -> Registration:
    """What the request registers, not validated yet.

    Raises:
        InvalidRegistrationError: it has a protocol or a health that this release does not know.
    """
    if problems := tuple(_unknown_numbers(request)):
        raise InvalidRegistrationError(problems)
    return Registration(
        service=decode_name(request.service),
        ports=_decode_ports(request.ports),
        contract=_decode_contract(request.contract),
        endpoint=decode_endpoint(request.endpoint),
    )


def decode_ttl(request: pb.RegisterRequest) -> float:
    """Seconds that the registration is to outlive its owner; the default when the request names none."""
    return request.ttl.ToTimedelta().total_seconds() if request.HasField("ttl") else LEASE_SECONDS


def encode_health_request(
    service: ServiceName, instance: InstanceId, lease_id: LeaseId, health: Health
) -> pb.ReportHealthRequest:
    """The request that reports a verdict."""
    return pb.ReportHealthRequest(
        service=encode_name(service), instance=instance, lease_id=lease_id, health=_HEALTH_NUMBERS[health]
    )


def decode_health(number: pb.Health.ValueType) -> Health:
    """The verdict that a request reports.

    Raises:
        InvalidRegistrationError: this release does not know it.
    """
    if number not in _HEALTHS:
        message = f"expected HEALTHY or UNHEALTHY, found number {number}"
        raise InvalidRegistrationError([Problem(path="health", message=message)])
    return _HEALTHS[number]


def encode_name(name: ServiceName) -> pb.ServiceName:
    """The message for a name."""
    return pb.ServiceName(namespace=name.namespace, name=name.name)


def decode_name(message: pb.ServiceName) -> ServiceName:
    """The name in a message, not validated."""
    return _shared(ServiceName(namespace=message.namespace, name=message.name))


def encode_endpoint(endpoint: Endpoint) -> pb.Endpoint:
    """The message for an endpoint."""
    return pb.Endpoint(
        instance=endpoint.instance,
        address=endpoint.address,
        ports=endpoint.ports,
        labels=endpoint.labels,
        has_sidecar=endpoint.has_sidecar,
        health=_HEALTH_NUMBERS[endpoint.health],
    )


def decode_endpoint(message: pb.Endpoint) -> Endpoint:
    """The endpoint in a message, not validated; its health must be one we know."""
    return Endpoint(
        instance=InstanceId(message.instance),
        address=message.address,
        ports=_mapping(tuple(sorted(message.ports.items()))),
        labels=_mapping(tuple(sorted(message.labels.items()))),
        has_sidecar=message.has_sidecar,
        health=_HEALTHS[message.health],
    )


def encode_service(service: Service, *, with_endpoints: bool) -> pb.Service:
    """The message for a service, with its endpoints or only their number."""
    return pb.Service(
        name=encode_name(service.name),
        ports=_encode_ports(service.ports),
        contract=_encode_contract(service.contract),
        endpoints=[encode_endpoint(endpoint) for endpoint in service.endpoints] if with_endpoints else [],
        endpoint_count=len(service.endpoints),
        healthy_count=sum(endpoint.health is Health.HEALTHY for endpoint in service.endpoints),
        conflicts=map(_encode_conflict, service.conflicts),
    )


def decode_service(message: pb.Service) -> ServiceView:
    """The service in a message."""
    return ServiceView(
        name=decode_name(message.name),
        ports=_decode_ports(message.ports),
        contract=_decode_contract(message.contract),
        endpoints=tuple(decode_endpoint(endpoint) for endpoint in message.endpoints),
        endpoint_count=message.endpoint_count,
        healthy_count=message.healthy_count,
        conflicts=tuple(map(_decode_conflict, message.conflicts)),
    )


def _encode_conflict(conflict: Conflict) -> pb.Conflict:
    return pb.Conflict(field=conflict.field, winner=conflict.winner, losers=conflict.losers)


def _decode_conflict(message: pb.Conflict) -> Conflict:
    losers = tuple(InstanceId(instance) for instance in message.losers)
    return Conflict(field=message.field, winner=InstanceId(message.winner), losers=losers)


def _encode_ports(ports: Iterable[ServicePort]) -> list[pb.ServicePort]:
    return [
        pb.ServicePort(name=port.name, port=port.port, protocol=_PROTOCOL_NUMBERS[port.protocol])
        for port in ports
    ]


def _decode_ports(messages: Iterable[pb.ServicePort]) -> tuple[ServicePort, ...]:
    return _shared(
        tuple(
            ServicePort(name=message.name, port=message.port, protocol=_PROTOCOLS[message.protocol])
            for message in messages
        )
    )


def _encode_contract(contract: Contract) -> pb.Contract:
    return pb.Contract(
        owner=contract.owner,
        version=contract.version,
        idempotent_methods=contract.idempotent_methods,
        documentation=contract.documentation,
    )


def _decode_contract(message: pb.Contract) -> Contract:
    return _shared(
        Contract(
            owner=message.owner,
            version=message.version,
            idempotent_methods=tuple(sorted(set(message.idempotent_methods))),
            documentation=message.documentation,
        )
    )


def _shared(value: _T) -> _T:
    shared: _T = _first(value)
    return shared


@lru_cache(_MAX_SHARED)
def _first(value: Hashable) -> Any:
    """The first of equal values."""
    return value


@lru_cache(_MAX_SHARED)
def _mapping(items: tuple[tuple[str, _T], ...]) -> Mapping[str, _T]:
    return dict(items)


def _unknown_numbers(request: pb.RegisterRequest) -> Iterator[Problem]:
    for index, port in enumerate(request.ports):
        if port.protocol not in _PROTOCOLS:
            message = f"expected HTTP, HTTP2 or GRPC, found number {port.protocol}"
            yield Problem(path=f"ports[{index}].protocol", message=message)
    if request.endpoint.health not in _HEALTHS:
        message = f"expected HEALTHY or UNHEALTHY, found number {request.endpoint.health}"
        yield Problem(path="endpoint.health", message=message)
