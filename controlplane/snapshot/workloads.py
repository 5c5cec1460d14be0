"""Which services a workload stands behind, where a cluster says it rather than the workload's own sidecar."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from controlplane.model.resource import Member, ResourceName, ResourceType, Workload
from registry.model import ZONE_LABEL, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from controlplane.model.resource import Resource
    from registry.catalog import Service
    from registry.model import ServiceName


def workload_name(namespace: str, instance: str) -> ResourceName:
    """The name of the resource of a workload, such as a pod."""
    return ResourceName(ResourceType.WORKLOAD, f"{namespace}/{instance}")


def changed_workloads(
    resources: Mapping[ResourceName, Resource],
    services: tuple[Mapping[ServiceName, Service], Mapping[ServiceName, Service]],
    touched: Collection[ServiceName],
) -> dict[ResourceName, Workload]:
    """The workloads behind the services that are `touched`, as of now; without members, they are gone.

    `resources` are those built on the first of `services`; the second are the services now.
    """
    found: dict[ResourceName, set[Member]] = {}
    came: dict[ResourceName, set[Member]] = defaultdict(set)
    before, after = services
    for name in touched:
        for workload, _ in _members(before.get(name)):
            found.setdefault(workload, _others(resources.get(workload), touched))
        for workload, member in _members(after.get(name)):
            found.setdefault(workload, _others(resources.get(workload), touched))
            came[workload].add(member)
    return {
        workload: Workload(members=tuple(sorted(members | came[workload])))
        for workload, members in found.items()
    }


def _others(resource: Resource | None, touched: Collection[ServiceName]) -> set[Member]:
    """The members of a workload that belong to other services."""
    known = resource.body.members if resource and isinstance(resource.body, Workload) else ()
    return {member for member in known if member.service not in touched}


def _members(service: Service | None) -> Iterator[tuple[ResourceName, Member]]:
    """Every port of every workload with a sidecar behind a service that a cluster declares."""
    if service is None or not service.is_declared:
        return
    spoken = {port.name: port.protocol for port in service.ports}
    for endpoint in service.endpoints:
        if endpoint.has_sidecar:
            workload = workload_name(service.name.namespace, endpoint.instance)
            zone = endpoint.labels.get(ZONE_LABEL, "")
            for name, number in endpoint.ports.items():
                protocol = spoken.get(name, Protocol.DETECT).name
                yield workload, Member(port=number, service=service.name, zone=zone, protocol=protocol)
