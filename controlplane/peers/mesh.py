"""What the whole mesh answers: every replica is asked at once, and what they say is added up.

A replica that does not answer is named beside the answer, since its part is missing there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import structlog

from controlplane.errors import PeerError
from controlplane.model.replica import Answer, Placed
from controlplane.peers import totals
from controlplane.peers.client import not_asked
from controlplane.peers.traffic import add_up, covered_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from controlplane.model.document import ObjectKey
    from controlplane.model.event import Event
    from controlplane.model.replica import Replica, ReplicaId, Standing
    from controlplane.model.resource import ResourceName
    from controlplane.model.sidecar import PolicyConvergence
    from controlplane.model.traffic import Question, Traffic
    from controlplane.peers.circle import Circle
    from controlplane.peers.local import Local
    from controlplane.peers.parts import Share
    from mesh.v1 import command_pb2
    from registry.model import ServiceName

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """This replica, which is `own`, and its peers."""

    own: Replica
    local: Local
    circle: Circle

    async def standings(self) -> Answer[tuple[tuple[Replica, Standing | None], ...]]:
        """Where each replica stands, sorted by name; nothing of one that does not answer."""
        answer = await self._ask(lambda share: share.standing())
        standing = {replica.id: standing for replica, standing in answer.value}
        replicas = sorted(
            [self.own, *(peer.replica for peer in self.circle.peers)], key=lambda one: (one.name, one.id)
        )
        return Answer(
            value=tuple((one, standing.get(one.id)) for one in replicas), unanswered=answer.unanswered
        )

    async def sidecars(self, namespace: str = "", instance: str = "") -> Answer[tuple[Placed, ...]]:
        """The sidecars of a namespace or of all, each once, by instance; or one, with its resources."""
        answer = await self._ask(lambda share: share.sidecars(namespace, instance))
        placed = (
            Placed(attached=attached, replica=replica)
            for replica, found in answer.value
            for attached in found
        )
        return Answer(value=totals.distinct(placed), unanswered=answer.unanswered)

    async def convergence(
        self, revision_of: Callable[[ObjectKey], int], policy: ObjectKey | None = None
    ) -> Answer[Mapping[ObjectKey, PolicyConvergence]]:
        """How far all connected sidecars are with one policy or with all; those not in it concern nobody.

        `revision_of` tells the revision at which a policy came to be as it is.
        """
        answer = await self._ask(lambda share: share.convergence(policy))
        shares = [share for _, share in answer.value]
        return Answer(value=totals.convergence(shares, revision_of), unanswered=answer.unanswered)

    async def readers(self, *resources: ResourceName) -> Answer[Mapping[str, ReplicaId]]:
        """Every connected sidecar that wants any of the resources, or without any all, and where it is."""
        answer = await self._ask(lambda share: share.readers(resources))
        where = {instance: replica.id for replica, found in answer.value for instance in found}
        return Answer(value=dict(sorted(where.items())), unanswered=answer.unanswered)

    async def traffic(self, question: Question) -> Answer[tuple[Traffic, ...]]:
        """The traffic asked for; after a replica was lost, over as much of the window as is known."""
        answer = await self._ask(lambda share: share.traffic(question))
        shares = [share for _, share in answer.value]
        known = covered_seconds(shares, question)
        if known < question.window_seconds:
            return await self.traffic(replace(question, window_seconds=known))
        return Answer(value=add_up(shares, question), unanswered=answer.unanswered)

    async def events(self, service: ServiceName | None, limit: int) -> Answer[tuple[Event, ...]]:
        """At most `limit` of the newest events, oldest first."""
        answer = await self._ask(lambda share: share.events(service, limit))
        found = chain.from_iterable(events for _, events in answer.value)
        return Answer(value=totals.newest(found, limit), unanswered=answer.unanswered)

    async def command(
        self, where: Mapping[str, ReplicaId], command: command_pb2.Command
    ) -> dict[str, command_pb2.CommandResult]:
        """What each sidecar answers, asked through the replica where it is; `error` says why one does not."""
        asked: dict[ReplicaId, list[str]] = {}
        for instance, replica_id in where.items():
            asked.setdefault(replica_id, []).append(instance)
        async with asyncio.TaskGroup() as tasks:
            relayed = [
                tasks.create_task(share.relay(tuple(asked[replica.id]), command))
                for replica, share in self._shares()
                if replica.id in asked
            ]
        results = {name: result for task in relayed for name, result in task.result().items()}
        return {name: not_asked(name, "its replica") for name in where} | results

    async def _ask(self, question: Callable[[Share], Awaitable[T]]) -> Answer[tuple[tuple[Replica, T], ...]]:
        """What each replica that answers says."""

        async def ask(replica: Replica, share: Share) -> T | PeerError:
            try:
                return await question(share)
            except PeerError as error:
                log.warning("replica does not answer", name=replica.name, reason=str(error))
                return error

        async with asyncio.TaskGroup() as tasks:
            asked = [(replica, tasks.create_task(ask(replica, share))) for replica, share in self._shares()]
        answers = [(replica, task.result()) for replica, task in asked]
        return Answer(
            value=tuple((replica, one) for replica, one in answers if not isinstance(one, PeerError)),
            unanswered=tuple(replica.name for replica, one in answers if isinstance(one, PeerError)),
        )

    def _shares(self) -> list[tuple[Replica, Share]]:
        return [(self.own, self.local), *((peer.replica, peer) for peer in self.circle.peers)]
