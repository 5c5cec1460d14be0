"""What AdminService needs of the other parts; `main` hands them in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controlplane.model.document import ObjectKey
from controlplane.model.event import Event
from controlplane.model.resource import ResourceName
from controlplane.model.schema import Schema
from controlplane.model.sidecar import PolicyConvergence, SidecarState, SidecarStatus
from controlplane.model.traffic import Traffic
from controlplane.snapshot.build import Snapshot
from registry.model import ServiceName


class Fleet(Protocol):
    """The sidecars, and the snapshot they should have."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        ...

    def sidecars(self) -> tuple[SidecarStatus, ...]:
        """Every sidecar that is connected or was of late, sorted by instance."""
        ...

    def count(self) -> Mapping[SidecarState, int]:
        """How many sidecars stand where."""
        ...

    def readers(self, resource: ResourceName) -> tuple[str, ...]:
        """The connected sidecars that want a resource, sorted."""
        ...

    def convergence(self, policy: ObjectKey) -> PolicyConvergence:
        """How far the connected sidecars are with a policy."""
        ...

    async def reached(self, revision: int) -> None:
        """Returns once sidecars are offered a snapshot of `revision` or a newer one."""
        ...


class Readings(Protocol):
    """What sidecars reported."""

    def traffic(
        self, service: ServiceName | None, *, outbound: bool, window_seconds: int
    ) -> tuple[Traffic, ...]:
        """Traffic of one service or of all, sorted by service and peer."""
        ...

    def recent_events(self, service: ServiceName | None, limit: int) -> tuple[Event, ...]:
        """At most `limit` of the newest events, oldest first."""
        ...

    def resident_bytes(self, instance: str) -> int:
        """Resident memory of a sidecar as last reported; zero when nothing was."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a control plane says of itself; `sources` are the names of its sources of policies."""

    name: str
    version: str
    store: str
    is_store_ready: Callable[[], bool]
    sources: tuple[str, ...]
    started_at: datetime
    schema: Schema
