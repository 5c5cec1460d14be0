"""What AdminService needs of the other parts; `main` hands them in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from controlplane.model.document import ObjectKey
from controlplane.model.event import Event
from controlplane.model.replica import Answer, Placed, Replica, ReplicaId, Standing
from controlplane.model.resource import ResourceName
from controlplane.model.schema import Schema
from controlplane.model.sidecar import PolicyConvergence
from controlplane.model.traffic import Question, Traffic
from controlplane.snapshot.build import Snapshot
from registry.model import ServiceName

if TYPE_CHECKING:
    from mesh.v1 import command_pb2


class Fleet(Protocol):
    """The snapshot that sidecars should have."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        ...

    async def reached(self, revision: int) -> None:
        """Returns once sidecars are offered a snapshot of `revision` or a newer one."""
        ...


class Mesh(Protocol):
    """All replicas with their sidecars; each is asked, and whoever does not answer is named."""

    async def standings(self) -> Answer[tuple[tuple[Replica, Standing | None], ...]]:
        """Where each replica stands, sorted by name; nothing of one that does not answer."""
        ...

    async def sidecars(self, namespace: str = "", instance: str = "") -> Answer[tuple[Placed, ...]]:
        """The sidecars of a namespace or of all, each once, by instance; or one, with its resources."""
        ...

    async def convergence(
        self, revision_of: Callable[[ObjectKey], int], policy: ObjectKey | None = None
    ) -> Answer[Mapping[ObjectKey, PolicyConvergence]]:
        """How far all connected sidecars are with one policy or with all, each current at its revision."""
        ...

    async def readers(self, *resources: ResourceName) -> Answer[Mapping[str, ReplicaId]]:
        """Every connected sidecar that wants any of the resources, or without any all, and where it is."""
        ...

    async def traffic(self, question: Question) -> Answer[tuple[Traffic, ...]]:
        """The traffic asked for, sorted by service and peer."""
        ...

    async def events(self, service: ServiceName | None, limit: int) -> Answer[tuple[Event, ...]]:
        """At most `limit` of the newest events, oldest first."""
        ...

    async def command(
        self, where: Mapping[str, ReplicaId], command: "command_pb2.Command"
    ) -> "dict[str, command_pb2.CommandResult]":
        """What each sidecar answers, asked through the replica where it is; `error` says why one does not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a control plane says of itself; `sources` are the names of its sources of policies.

    `leader` tells the id of the replica that leads, as the store has it; empty while there is none.
    """

    version: str
    store: str
    is_store_ready: Callable[[], bool]
    leader: Callable[[], str]
    sources: tuple[str, ...]
    started_at: datetime
    schema: Schema
