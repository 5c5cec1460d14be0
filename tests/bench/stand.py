"""One running target on the stand: loaded, with what that cost and what others used meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.bench.figures import Run, cost
from tests.bench.load import WORKLOADS, saturate
from tests.bench.machine import Occupation, occupation, resident_kib, usage
from tests.bench.site import ORIGIN_PROGRAM, Site, pinned
from tests.bench.targets import Running
from tests.support.process import Process
from tests.support.readiness import answering

BODY_BYTES = 1024
LULL_SECONDS = 0.6

# Others' use of the machine, in cores, from which on a run counts as disturbed.
MAX_FOREIGN_CORES = 0.04


@asynccontextmanager
async def origin(site: Site) -> AsyncIterator[Process]:
    """Run the origin on the load core for as long as the context lasts."""
    argv = (*pinned(site.load_core), str(ORIGIN_PROGRAM), str(site.origin_port), str(BODY_BYTES))
    async with Process(argv, log=site.scratch / "origin.log") as process:
        await process.ready(answering(site.origin_port))
        yield process


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A running target, with everything that has to be told from other people's load."""

    target: str
    round: int
    running: Running
    origin: Process
    site: Site

    def resident_kib(self) -> int | None:
        """Return the proxy's resident memory, if there is a proxy."""
        proxy = self.running.proxy
        return None if proxy is None else resident_kib(proxy.pid)

    async def warm_up(self, seconds: int) -> None:
        """Load it without measuring, so that caches, pools and allocators are as they will stay."""
        await saturate(self.running.port, headers=(), seconds=seconds, core=self.site.load_core)

    async def lull(self, *, timeout_seconds: float) -> None:
        """Wait until others leave the machine alone, or until that has taken too long."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            before = self._occupation()
            await asyncio.sleep(LULL_SECONDS)
            if self._occupation().foreign_since(before) <= MAX_FOREIGN_CORES * LULL_SECONDS:
                return

    async def run(self, workload: str, *, seconds: int) -> Run | None:
        """Return one run of a workload, or `None` if any of its requests failed."""
        proxy = self.running.proxy
        occupied, began = self._occupation(), time.monotonic()
        used = None if proxy is None else usage(proxy.pid)
        headers = WORKLOADS[workload]
        load = await saturate(self.running.port, headers=headers, seconds=seconds, core=self.site.load_core)
        spent = None if proxy is None or used is None else usage(proxy.pid).since(used)
        wall = time.monotonic() - began
        if load.errors or not load.requests:
            return None
        return Run(
            target=self.target,
            workload=workload,
            round=self.round,
            load=load,
            cost=None if spent is None else cost(spent, requests=load.requests, seconds=wall),
            foreign_cores=self._occupation().foreign_since(occupied) / wall,
        )

    def _occupation(self) -> Occupation:
        return occupation((self.origin.pid, *self.running.pids))
