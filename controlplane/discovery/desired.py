"""The newest snapshot as the streams see it; what they share is made once for all of them."""

from collections.abc import Iterable, Mapping

from controlplane.model.resource import Endpoints, HostBinding, Resource, ResourceName, ResourceType, Version
from controlplane.snapshot.build import Snapshot


class Published:
    """A snapshot that is offered to sidecars; `is_settled` when what is absent is gone for good."""

    def __init__(self, snapshot: Snapshot, *, is_settled: bool) -> None:
        self.snapshot = snapshot
        self.is_settled = is_settled
        self._resources: Mapping[ResourceName, Resource] = snapshot.resources
        self._behind: dict[ResourceName, tuple[Resource, frozenset[ResourceName]]] = {}

    @property
    def revision(self) -> int:
        """Revision of the policy set."""
        return self.snapshot.revision

    def find(self, resource: ResourceName) -> Version | None:
        """The version that every reader should have, or `None` when there is no such resource."""
        found = self._resources.get(resource)
        return found.version if found else None

    def is_awaited(self, resource: ResourceName) -> bool:
        """Whether more of it than there is may be on the way back: who registered, not who is listed."""
        if self.is_settled:
            return False
        found = self._resources.get(resource)
        return found is None or (isinstance(found.body, Endpoints) and not found.policies)

    def shared_name(self, resource: ResourceName) -> ResourceName:
        """The same name, if possible as the one object that a thousand streams can share."""
        found = self._resources.get(resource)
        return found.name if found else resource

    def shared_versions(self, held: Mapping[ResourceName, Version]) -> dict[ResourceName, Version]:
        """The same names and versions, if possible as the objects that a thousand streams can share."""
        return {
            self.shared_name(name): found if (found := self.find(name)) == version else version
            for name, version in held.items()
        }

    def behind(self, resource: ResourceName) -> frozenset[ResourceName]:
        """The outbound and endpoints of the service behind a host: the same object for every reader."""
        found = self._resources.get(resource)
        if found is None or not isinstance(found.body, HostBinding):
            return frozenset()
        known, behind = self._behind.get(resource, (None, frozenset[ResourceName]()))
        if known is not found:
            service = str(found.body.service)
            names = (ResourceName(kind, service) for kind in (ResourceType.OUTBOUND, ResourceType.ENDPOINTS))
            behind = frozenset(map(self.shared_name, names))
            self._behind[found.name] = (found, behind)
        return behind

    def size_bytes(self, resource: ResourceName) -> int:
        """The size of the encoding of a resource that exists."""
        return len(self._resources[resource].encoded)

    def get(self, resource: ResourceName) -> Resource:
        """A resource that exists."""
        return self._resources[resource]

    def successor(
        self, snapshot: Snapshot, removed: Iterable[ResourceName], *, is_settled: bool
    ) -> "Published":
        """What offers `snapshot` next, in which `removed` are gone; this one is not used any more.

        It takes over what was made for the streams: each part is looked at again when its resource is
        another one, so that a change of one costs nothing for the others.
        """
        after = Published(snapshot, is_settled=is_settled)
        after._behind = self._behind
        for resource in removed:
            after._behind.pop(resource, None)
        return after
