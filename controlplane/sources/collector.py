"""All sources together: follows each, and holds the one set of documents that is in force."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from controlplane.newest import Newest
from controlplane.sources.desired import Desired, Unit, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from controlplane.sources.source import Reading, Source

log = structlog.get_logger()


class Collector:
    """Follows `sources`, the weightiest first.

    Nothing is in force before each has been read once: a set without one of them would take away what is in
    force in the sidecars.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self._first: dict[str, list[Reading]] = {}
        self._newest: Newest[Desired | None] = Newest(None)

    @property
    def desired(self) -> Desired | None:
        """The newest set, or `None` before there is one."""
        return self._newest.value

    async def run(self) -> None:
        """Follows the sources until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for source in self._sources:
                tasks.create_task(self._follow(source), name=f"source {source.name}")

    async def watch(self) -> AsyncIterator[Desired]:
        """The newest set, and again whenever it is another; what a slow reader misses is skipped."""
        async for desired in self._newest.watch():
            if desired is not None:
                yield desired

    async def _follow(self, source: Source) -> None:
        async for reading in source.watch():
            self._take(reading)

    def _take(self, reading: Reading) -> None:
        if self.desired is not None:
            self._settle(self.desired, [reading])
            return
        self._first.setdefault(reading.source, []).append(reading)
        if len(self._first) == len(self._sources):
            names = [source.name for source in self._sources]
            self._settle(Desired(), [each for name in names for each in self._first.pop(name)])

    def _settle(self, desired: Desired, readings: Sequence[Reading]) -> None:
        settled = settle(desired, readings)
        self._newest.set(settled)
        for reading in readings:
            for name in reading.units:
                for problem in settled.problems.get(Unit(reading.source, name), ()):
                    log.warning("policy problem", source=reading.source, problem=problem.coded)
