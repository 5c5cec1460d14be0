"""Connects what watches a cluster, and what writes to it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from controlplane.kubernetes.annotator import Annotator
from controlplane.kubernetes.api import reaching
from controlplane.kubernetes.cluster import gather_namespaces, gather_services
from controlplane.kubernetes.controller import Controller, Mesh, Writer
from controlplane.kubernetes.events import Recorder
from controlplane.kubernetes.index import Index
from controlplane.kubernetes.leader import Leader, standing
from controlplane.kubernetes.source import KubernetesSource
from controlplane.kubernetes.territory import Territory
from controlplane.kubernetes.watched import Watched
from registry import background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from controlplane.config import Cluster
    from controlplane.model.schema import Schema
    from registry.catalog import Service
    from registry.clock import Clock
    from registry.model import ServiceName


@asynccontextmanager
async def watching(
    cluster: Cluster, schema: Schema, show: Callable[[Mapping[ServiceName, Service]], None], clock: Clock
) -> AsyncIterator[Watched]:
    """Watches until the block ends; `show` gets all services before it begins, and whenever one changes.

    Raises:
        KubernetesError: nothing says where the cluster is.
    """
    async with reaching(cluster) as api, asyncio.TaskGroup() as tasks:
        index, territory = Index(), Territory(api.revision)
        source, services = KubernetesSource(api, schema, territory, clock), gather_services(api, clock, index)
        namespaces = gather_namespaces(api, clock, territory)
        running = [tasks.create_task(each.run()) for each in (source, services, namespaces)]
        try:
            await services.synced()
            await namespaces.synced()
            show(services.newest.value)
            running.append(tasks.create_task(services.show(show)))
            yield Watched(
                api=api,
                index=index,
                territory=territory,
                annotates=cluster.annotates,
                source=source,
                namespaces=namespaces.newest,
                schema=schema,
                clock=clock,
            )
        finally:
            for task in running:
                task.cancel()


@asynccontextmanager
async def controlling(watched: Watched, mesh: Mesh, name: str) -> AsyncIterator[None]:
    """Writes what became of the policies to the cluster until the block ends, whenever `name` leads."""
    writer = Writer(watched.api, watched.schema, Recorder(watched.api, name))
    async with standing(watched.api, name, watched.clock) as leader:
        controller = Controller(watched.source, mesh, leader, writer, watched.clock)
        async with background.running(controller.run()), _annotating(watched, mesh, leader):
            yield


@asynccontextmanager
async def _annotating(watched: Watched, mesh: Mesh, leader: Leader) -> AsyncIterator[None]:
    if not watched.annotates:
        yield
        return
    annotator = Annotator(watched, mesh, leader)
    async with background.running(annotator.run()):
        yield
