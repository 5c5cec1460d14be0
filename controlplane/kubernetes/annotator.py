"""Writes into Services which policies target them, while this replica leads and people asked for it.

One policy may target many Services, so it is done at leisure: ten a second, and never ahead of a status.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.errors import KubernetesError
from controlplane.kubernetes.affected import differing
from controlplane.kubernetes.call import APPLY, Call
from controlplane.kubernetes.resources import SERVICES
from controlplane.kubernetes.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controlplane.kubernetes.controller import Mesh
    from controlplane.kubernetes.leader import Leader
    from controlplane.kubernetes.objects import Service
    from controlplane.kubernetes.watched import Watched

PERIOD_SECONDS: Final = 1.0
WRITES_PER_PERIOD: Final = 10

_MANAGER: Final = "breakwater-affected"  # its own, so that what it no longer says goes away
_GONE: Final = frozenset({404, 409})  # deleted, or deleted and made anew

log = structlog.get_logger()


class Annotator:
    """Looks once a second whether a Service says something else than it should."""

    def __init__(self, watched: Watched, mesh: Mesh, leader: Leader) -> None:
        self._watched = watched
        self._mesh = mesh
        self._leader = leader
        self._seen = Seen()

    async def run(self) -> None:
        """Writes annotations until cancelled, whenever the lead is ours."""
        while True:
            await self._watched.clock.sleep(PERIOD_SECONDS)
            inputs = self._mesh.snapshot, self._watched.index.taken, self._watched.territory.taken
            if not self._leader.is_leading:
                self._seen = Seen()
            elif not self._seen.has(*inputs) and await self._is_all_written():
                self._seen.note(*inputs)

    async def _is_all_written(self) -> bool:
        """Writes some; whether there are no more."""
        services = {  # as they are now: more come in meanwhile
            key: service
            for key, service in self._watched.index.services.items()
            if self._watched.territory.holds(service.metadata)
        }
        asked = differing(self._mesh.snapshot, services)
        found = await asyncio.to_thread(lambda: list(islice(asked, WRITES_PER_PERIOD)))
        for key, wanted in found:
            try:
                await self._watched.api.call(_call(services[key], wanted))
            except KubernetesError as error:
                if error.status not in _GONE:
                    log.warning("service not annotated", service="/".join(key), reason=str(error))
                    return False
        return len(found) < WRITES_PER_PERIOD


def _call(service: Service, wanted: Mapping[str, str]) -> Call:
    key, uid = service.key, service.metadata.uid
    metadata = {"namespace": key.namespace, "name": key.name, "uid": uid, "annotations": wanted}
    return Call(
        method="PATCH",
        path=SERVICES.path_of(key.namespace, key.name),
        query={"fieldManager": _MANAGER, "force": "true"},
        form=APPLY,
        body={"apiVersion": "v1", "kind": "Service", "metadata": metadata},
    )
