"""The newest snapshot as the streams see it, with each resource framed once for all of them."""

from collections.abc import Callable, Iterable

from controlplane.model.resource import HostBinding, Resource, ResourceName, ResourceType, Version
from controlplane.snapshot.build import Snapshot


class Published:
    """A snapshot that is offered to sidecars; `is_settled` when what is absent is gone for good."""

    def __init__(self, snapshot: Snapshot, *, is_settled: bool, frame: Callable[[Resource], bytes]) -> None:
        self.snapshot = snapshot
        self.is_settled = is_settled
        self._frame = frame
        self._frames: dict[ResourceName, tuple[Resource, bytes]] = {}

    @property
    def revision(self) -> int:
        """Revision of the policy set."""
        return self.snapshot.revision

    def find(self, resource: ResourceName) -> Version | None:
        """The version that every reader should have, or `None` when there is no such resource."""
        found = self.snapshot.resources.get(resource)
        return found.version if found else None

    def behind(self, resource: ResourceName) -> Iterable[ResourceName]:
        """The outbound and endpoints of the service behind a host."""
        found = self.snapshot.resources.get(resource)
        if found is None or not isinstance(found.body, HostBinding):
            return ()
        service = str(found.body.service)
        return ResourceName(ResourceType.OUTBOUND, service), ResourceName(ResourceType.ENDPOINTS, service)

    def size_bytes(self, resource: ResourceName) -> int:
        """The size of the encoding of a resource that exists."""
        return len(self.snapshot.resources[resource].encoded)

    def frame(self, resource: ResourceName) -> bytes:
        """A resource that exists as part of a response: the same object for every reader of one version."""
        found = self.snapshot.resources[resource]
        known, framed = self._frames.get(resource, (None, b""))
        if known is not found:
            framed = self._frame(found)
            self._frames[resource] = (found, framed)
        return framed

    def successor(self, snapshot: Snapshot, *, is_settled: bool) -> "Published":
        """What offers `snapshot` next, with the frames of all that stays the same."""
        after = Published(snapshot, is_settled=is_settled, frame=self._frame)
        after._frames = {
            name: known for name, known in self._frames.items() if snapshot.resources.get(name) is known[0]
        }
        return after
