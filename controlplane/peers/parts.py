"""What a replica needs of its other parts to answer for its sidecars; `main` hands them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from controlplane.model.document import ObjectKey
    from controlplane.model.event import Event
    from controlplane.model.health import HealthShare
    from controlplane.model.replica import ConvergenceShare, Standing
    from controlplane.model.resource import ResourceName
    from controlplane.model.sidecar import Attached, PolicyConvergence, SidecarState, SidecarStatus
    from controlplane.model.traffic import Question, TrafficShare
    from controlplane.snapshot.build import Snapshot
    from mesh.v1 import command_pb2
    from registry.model import ServiceName


class Fleet(Protocol):
    """The sidecars connected here, and the snapshot they should have."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        ...

    def sidecars(self) -> tuple[SidecarStatus, ...]:
        """Every sidecar that is connected or was of late, sorted by instance."""
        ...

    def find(self, instance: str) -> SidecarStatus | None:
        """One sidecar, with its resources."""
        ...

    def count(self) -> Mapping[SidecarState, int]:
        """How many sidecars stand where."""
        ...

    def readers(self, resource: ResourceName) -> tuple[str, ...]:
        """The connected sidecars that want a resource."""
        ...

    def convergence(self, policy: ObjectKey | None = None) -> Mapping[ObjectKey, PolicyConvergence]:
        """How far the connected sidecars are with one policy, or with each that concerns any of them."""
        ...

    def arrivals(self, within_seconds: float) -> Mapping[str, float]:
        """The sidecars that connected within a time, with the seconds since."""
        ...

    def supersede(self, arrivals: Mapping[str, float]) -> None:
        """Ends the streams of sidecars that connected elsewhere since."""
        ...


class Readings(Protocol):
    """What the sidecars that report here said."""

    def traffic(self, question: Question) -> TrafficShare:
        """What was counted of the traffic asked for."""
        ...

    def recent_events(self, service: ServiceName | None, limit: int) -> tuple[Event, ...]:
        """At most `limit` of the newest events, oldest first."""
        ...

    def resident_bytes(self, instance: str) -> int:
        """Resident memory of a sidecar as last reported; zero when nothing was."""
        ...

    def live_callers(self) -> Mapping[ServiceName, int]:
        """The services that were called of late, each with how many sidecars called it."""
        ...

    def checked(self) -> Mapping[ServiceName, int]:
        """The services that are checked, each with a number that grows when its health changes."""
        ...

    def health(self, service: ServiceName) -> HealthShare:
        """What the sidecars that report here know of the health of a service."""
        ...


class Commands(Protocol):
    """Carries commands to the sidecars connected here."""

    def call_all(
        self, instances: Iterable[str], command: command_pb2.Command
    ) -> AsyncIterator[command_pb2.CommandResult]:
        """What each sidecar answers, as it comes; `error` also says why one could not be asked."""
        ...


class Share(Protocol):
    """What one replica, ours or another, answers for the sidecars connected to it.

    Another may raise `PeerError` instead.
    """

    async def standing(self) -> Standing:
        """Where the replica stands."""
        ...

    async def sidecars(self, namespace: str, instance: str) -> tuple[Attached, ...]:
        """Its sidecars of a namespace or of all; or one of them, with its resources."""
        ...

    async def convergence(self, policy: ObjectKey | None) -> ConvergenceShare:
        """How far its connected sidecars are with one policy or with all."""
        ...

    async def readers(self, resources: tuple[ResourceName, ...]) -> tuple[str, ...]:
        """Its connected sidecars that want any of the resources, or without any, all of them."""
        ...

    async def traffic(self, question: Question) -> TrafficShare:
        """What its sidecars counted of the traffic asked for."""
        ...

    async def events(self, service: ServiceName | None, limit: int) -> tuple[Event, ...]:
        """At most `limit` of its newest events, oldest first."""
        ...

    async def relay(
        self, instances: tuple[str, ...], command: command_pb2.Command
    ) -> dict[str, command_pb2.CommandResult]:
        """What each of the sidecars answers; `error` also says why one could not be asked."""
        ...
