"""A snapshot made by hand: versions by name, and the services behind hosts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.model.resource import ResourceName, ResourceType, Version


def host(name: str) -> ResourceName:
    return ResourceName(ResourceType.HOST, name)


def outbound(name: str) -> ResourceName:
    return ResourceName(ResourceType.OUTBOUND, name)


def endpoints(name: str) -> ResourceName:
    return ResourceName(ResourceType.ENDPOINTS, name)


def inbound(name: str) -> ResourceName:
    return ResourceName(ResourceType.INBOUND, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeDesired:
    """What every reader should have.

    `services` maps a host to the service behind it; `listed` are endpoints that no restart takes away.
    """

    revision: int = 1
    is_settled: bool = True
    versions: Mapping[ResourceName, Version] = field(default_factory=dict)
    services: Mapping[ResourceName, str] = field(default_factory=dict)
    listed: frozenset[ResourceName] = frozenset()

    def find(self, resource: ResourceName) -> Version | None:
        return self.versions.get(resource)

    def is_awaited(self, resource: ResourceName) -> bool:
        if self.is_settled:
            return False
        is_registered = resource.type is ResourceType.ENDPOINTS and resource not in self.listed
        return is_registered or resource not in self.versions

    def behind(self, resource: ResourceName) -> frozenset[ResourceName]:
        service = self.services.get(resource)
        return frozenset({outbound(service), endpoints(service)} if service else ())

    def size_bytes(self, resource: ResourceName) -> int:
        return len(self.versions[resource])
