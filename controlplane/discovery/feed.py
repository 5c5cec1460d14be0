"""Keeps a fleet at the newest snapshot: documents and services in, compiled off the event loop, published.

Compiling runs in one thread of its own, so that no stream waits for it; what changes while it runs is
compiled together next. The interpreter is told to hand its lock over every `SWITCH_SECONDS`, which bounds
what the loop waits.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from controlplane.discovery.desired import Published
from controlplane.discovery.fleet import Fleet
from controlplane.metrics import Metrics
from controlplane.model.document import Document, ObjectKey
from controlplane.model.namespaces import Namespaces
from controlplane.newest import Newest
from controlplane.snapshot.build import Compiler, Snapshot, build
from controlplane.snapshot.diff import Difference, diff
from controlplane.snapshot.inputs import Inputs
from controlplane.snapshot.services import remember
from registry.catalog import Catalog, Changes

SWITCH_SECONDS = 0.001


class Documents(Protocol):
    """The documents in force at one revision."""

    @property
    def documents(self) -> Mapping[ObjectKey, Document]:
        """Each by its key."""

    @property
    def revision(self) -> int:
        """Counts their changes."""


class Catalogue(Protocol):
    """The live services."""

    @property
    def catalog(self) -> Catalog:
        """What is registered now."""

    @property
    def is_settled(self) -> bool:
        """Whether who is missing is gone, rather than on the way back."""

    def watch(self) -> AbstractContextManager[AsyncIterator[Changes]]:
        """What changes from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where the mesh is; the newest of `namespaces` is `None` where no cluster says which there are.

    `keeps_traces` says whether there is a collector of spans.
    """

    trust_domain: str
    namespaces: Newest[Namespaces | None]
    keeps_traces: bool = True


class Feed:
    """Compiles whenever documents or services have changed; begins with `documents`."""

    def __init__(
        self,
        documents: Documents,
        catalogue: Catalogue,
        compiler: Compiler,
        ground: Ground,
        metrics: Metrics,
    ) -> None:
        self._documents = documents
        self._catalogue = catalogue
        self._compiler = compiler
        self._ground = ground
        self._metrics = metrics
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile")

    async def first(self) -> Published:
        """What there is to begin with, before anybody needs it."""
        is_settled = self._catalogue.is_settled
        snapshot, _ = await self._compile(None)
        return Published(snapshot, is_settled=is_settled)

    async def run(self, fleet: Fleet, documents: AsyncIterator[Documents]) -> None:
        """Publishes to `fleet` until cancelled; `documents` yields the newest whenever they changed."""
        with self._catalogue.watch() as services:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_documents(documents))
                tasks.create_task(self._follow_services(services))
                tasks.create_task(self._follow_namespaces())
                tasks.create_task(self._publish(fleet))

    async def _follow_documents(self, documents: AsyncIterator[Documents]) -> None:
        async for self._documents in documents:
            self._changed.set()

    async def _follow_services(self, services: AsyncIterator[Changes]) -> None:
        async for _ in services:
            self._changed.set()

    async def _follow_namespaces(self) -> None:
        async for _ in self._ground.namespaces.watch():
            self._changed.set()

    async def _publish(self, fleet: Fleet) -> None:
        self._changed.set()  # something may have changed since the first snapshot
        while True:
            await self._changed.wait()
            self._changed.clear()
            is_settled = self._catalogue.is_settled
            snapshot, difference = await self._compile(fleet.desired.snapshot)
            await fleet.publish(snapshot, difference, is_settled=is_settled)

    async def _compile(self, previous: Snapshot | None) -> tuple[Snapshot, Difference]:
        documents = self._documents.documents
        known = previous.inputs.services if previous else {}
        inputs = Inputs(
            documents=documents,
            services=remember(known, self._catalogue.catalog.services, documents),
            revision=self._documents.revision,
            trust_domain=self._ground.trust_domain,
            namespaces=self._ground.namespaces.value,
            keeps_traces=self._ground.keeps_traces,
        )

        def compile_all() -> tuple[Snapshot, Difference]:
            snapshot = build(inputs, self._compiler, previous)
            return snapshot, diff(previous, snapshot)

        start = time.perf_counter()
        compiled = await asyncio.get_running_loop().run_in_executor(self._thread, compile_all)
        self._metrics.compile_seconds.observe(time.perf_counter() - start)
        return compiled
