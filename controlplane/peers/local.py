"""The share of this replica: what it answers for the sidecars connected to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controlplane.model.replica import ConvergenceShare, Standing
from controlplane.model.sidecar import Attached, SidecarState

if TYPE_CHECKING:
    from collections.abc import Callable

    from controlplane.model.document import ObjectKey
    from controlplane.model.event import Event
    from controlplane.model.resource import ResourceName
    from controlplane.model.traffic import Question, TrafficShare
    from controlplane.peers.parts import Commands, Fleet, Readings
    from mesh.v1 import command_pb2
    from registry.model import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What else a replica says of itself; `lead_seconds` since it renewed the lead, if it leads."""

    is_complete: Callable[[], bool]
    is_store_ready: Callable[[], bool]
    lead_seconds: Callable[[], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A `Share` from the parts of this process."""

    fleet: Fleet
    readings: Readings
    commands: Commands
    health: Health

    async def standing(self) -> Standing:
        """Where this replica stands."""
        counts = self.fleet.count()
        return Standing(
            revision=self.fleet.snapshot.revision,
            is_complete=self.health.is_complete(),
            is_store_ready=self.health.is_store_ready(),
            connected=sum(count for state, count in counts.items() if state is not SidecarState.OFFLINE),
            converged=counts[SidecarState.SYNCED],
            lead_seconds=self.health.lead_seconds(),
        )

    async def sidecars(self, namespace: str, instance: str) -> tuple[Attached, ...]:
        """The sidecars of a namespace or of all; or one of them, with its resources."""
        one = self.fleet.find(instance) if instance else None
        found = self.fleet.sidecars() if not instance else (one,) if one else ()
        return tuple(
            Attached(status=status, resident_bytes=self.readings.resident_bytes(status.hello.instance))
            for status in found
            if status.is_in(namespace)
        )

    async def convergence(self, policy: ObjectKey | None) -> ConvergenceShare:
        """How far the connected sidecars are with one policy or with all."""
        return ConvergenceShare(
            revision=self.fleet.snapshot.revision, policies=self.fleet.convergence(policy)
        )

    async def readers(self, resources: tuple[ResourceName, ...]) -> tuple[str, ...]:
        """The connected sidecars that want any of the resources, or without any, all of them."""
        if resources:
            return tuple(sorted({name for resource in resources for name in self.fleet.readers(resource)}))
        found = (one for one in self.fleet.sidecars() if one.state is not SidecarState.OFFLINE)
        return tuple(status.hello.instance for status in found)

    async def traffic(self, question: Question) -> TrafficShare:
        """What was counted of the traffic asked for."""
        return self.readings.traffic(question)

    async def events(self, service: ServiceName | None, limit: int) -> tuple[Event, ...]:
        """At most `limit` of the newest events, oldest first."""
        return self.readings.recent_events(service, limit)

    async def relay(
        self, instances: tuple[str, ...], command: command_pb2.Command
    ) -> dict[str, command_pb2.CommandResult]:
        """What each of the sidecars answers."""
        return {result.instance: result async for result in self.commands.call_all(instances, command)}
