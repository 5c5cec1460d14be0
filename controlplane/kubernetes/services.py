"""Services, slices and pods to the services of the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from controlplane.kubernetes.ports import protocol_of
from registry import catalog
from registry.model import ZONE_LABEL, Contract, Endpoint, Health, InstanceId, ServiceName, ServicePort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controlplane.kubernetes.objects import EndpointSlice, Object, Service, SliceEndpoint

SERVICE_LABEL: Final = "kubernetes.io/service-name"
"""Where a slice names its Service."""

STATUS_ANNOTATION: Final = "breakwater.dev/status"
"""Where a pod that has a sidecar says where that listens for each port of the application."""

_HEADLESS: Final = "None"
"""The address of a Service that has none."""

_PREFIX: Final = "breakwater.dev/"
_NAMELESS: Final = "port-{}"


class _Injected(Struct, frozen=True):
    """What injection left in a pod; a port that is not listed is reached where the application has it."""

    listeners: dict[str, int] = {}


def service_of(
    service: Service, slices: Iterable[EndpointSlice], pods: Mapping[str, Object]
) -> catalog.Service | None:
    """The service as the catalogue has it; `None` if nothing in the mesh can call it.

    `slices` are those of the service, `pods` those of its namespace by name.
    """
    ports = tuple(_ports(service))
    if service.spec.type == "ExternalName" or not ports:
        return None
    names = {port.name or "": _name(port.name, port.port) for port in service.spec.ports}
    return catalog.Service(
        name=ServiceName(namespace=service.metadata.namespace, name=service.metadata.name),
        ports=ports,
        contract=contract_of(service.metadata.annotations),
        endpoints=tuple(_endpoints(service, slices, pods, names)),
        conflicts=(),
        registered={},
        is_declared=True,
        addresses=tuple(address for address in service.spec.cluster_ips if address != _HEADLESS),
    )


def contract_of(annotations: Mapping[str, str]) -> Contract:
    """What a Service promises in its annotations."""
    methods = annotations.get(f"{_PREFIX}idempotent-methods", "").split(",")
    return Contract(
        owner=annotations.get(f"{_PREFIX}owner", ""),
        version=annotations.get(f"{_PREFIX}version", ""),
        idempotent_methods=tuple(sorted({method.strip() for method in methods} - {""})),
        documentation=annotations.get(f"{_PREFIX}documentation", ""),
    )


def _ports(service: Service) -> Iterator[ServicePort]:
    for port in sorted(service.spec.ports, key=lambda each: each.port):
        protocol = protocol_of(port)
        if protocol is not None:
            yield ServicePort(name=_name(port.name, port.port), port=port.port, protocol=protocol)


def _name(name: str, number: int) -> str:
    """What a port is called; the only port of a Service needs no name there."""
    return name or _NAMELESS.format(number)


def _endpoints(
    service: Service,
    slices: Iterable[EndpointSlice],
    pods: Mapping[str, Object],
    names: Mapping[str, str],
) -> Iterator[Endpoint]:
    """Each once, sorted by instance; of a pod with addresses of two families, that of the first."""
    families = service.spec.ip_families
    in_order = sorted(slices, key=lambda each: (_rank(each.address_type, families), each.metadata.name))
    found: dict[str, Endpoint] = {}
    for each in in_order:
        if each.address_type in {"IPv4", "IPv6"}:
            numbers = {names.get(port.name or ""): port.port for port in each.ports or ()}
            ports = {name: number for name, number in numbers.items() if name and number}
            for endpoint in each.endpoints or ():
                one = _endpoint(endpoint, ports, pods)
                if one is not None:
                    found.setdefault(one.instance, one)
    yield from (endpoint for _, endpoint in sorted(found.items()))


def _rank(address_type: str, families: tuple[str, ...]) -> int:
    return families.index(address_type) if address_type in families else len(families)


def _endpoint(
    endpoint: SliceEndpoint, ports: Mapping[str, int], pods: Mapping[str, Object]
) -> Endpoint | None:
    """The endpoint, unless it is leaving."""
    if endpoint.conditions.terminating or not endpoint.addresses:
        return None
    reference = endpoint.target_ref
    pod = pods.get(reference.name) if reference and reference.kind == "Pod" else None
    annotations = pod.metadata.annotations if pod else {}
    zone = {ZONE_LABEL: endpoint.zone} if endpoint.zone else {}
    listeners = _injected(annotations).listeners
    address = endpoint.addresses[0]
    return Endpoint(
        instance=InstanceId(pod.metadata.name if pod else address),
        address=address,
        ports={name: listeners.get(str(number), number) for name, number in sorted(ports.items())},
        labels=dict(sorted({**(pod.metadata.labels if pod else {}), **zone}.items())),
        has_sidecar=STATUS_ANNOTATION in annotations,
        health=Health.UNHEALTHY if endpoint.conditions.ready is False else Health.HEALTHY,
    )


def _injected(annotations: Mapping[str, str]) -> _Injected:
    """What injection left in a pod; nothing, if what is there cannot be read."""
    try:
        return msgspec.json.decode(annotations.get(STATUS_ANNOTATION, "{}"), type=_Injected)
    except msgspec.MsgspecError:
        return _Injected()
