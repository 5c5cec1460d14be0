"""Addresses: which service is meant by one that a workload calls, where its connections are captured.

A service with addresses of its own, as the cluster gives them, is meant by these; one without is meant by
those of its endpoints, each for that endpoint alone.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from controlplane.model.resource import HostBinding
from registry.validate import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from registry.catalog import Service
    from registry.model import Endpoint, ServiceName, ServicePort


def addresses_of(service: Service | None) -> Mapping[str, HostBinding]:
    """What the addresses of a declared service mean, `10.0.0.1:80` or `[fd00::1]:80`.

    A registered one has none: its endpoints are sidecars, which are called by the name of the service.
    """
    if service is None or not service.is_declared:
        return {}
    if not service.addresses:
        return endpoint_addresses(service.name, service.ports, service.endpoints)
    return {
        _place(address, port.port): HostBinding(service=service.name, port=port.port)
        for address in service.addresses
        for port in service.ports
    }


def endpoint_addresses(
    service: ServiceName, ports: Iterable[ServicePort], endpoints: Iterable[Endpoint]
) -> Mapping[str, HostBinding]:
    """What the addresses of endpoints mean; one behind several ports of the service, its first."""
    numbers = {port.name: port.port for port in ports}
    found: dict[str, HostBinding] = {}
    for place, name in _places(endpoints):
        binding = HostBinding(service=service, port=numbers[name], is_endpoint=True)
        known = found.setdefault(place, binding)
        if binding.port < known.port:
            found[place] = binding
    return found


def _places(endpoints: Iterable[Endpoint]) -> Iterator[tuple[str, str]]:
    for endpoint in endpoints:
        if is_address(endpoint.address):
            for name, number in endpoint.ports.items():
                yield _place(endpoint.address, number), name


def _place(address: str, port: int) -> str:
    return f"[{ipaddress.ip_address(address)}]:{port}" if ":" in address else f"{address}:{port}"
