"""A whole run: every trial at every size of the fleet, and then many policies with few sidecars."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.controlplane import trials
from tests.bench.controlplane.figures import Mass, Results, Size, share
from tests.bench.controlplane.goals import SIDECARS
from tests.bench.controlplane.lights import light_sidecars
from tests.bench.controlplane.plane import Registry, plane, registry
from tests.bench.controlplane.trials import Delivery, Stand
from tests.bench.controlplane.world import Sidecar, World, host
from tests.bench.machine import occupation
from tests.bench.tables import say

NOTHING: Final = World(services=0, endpoints=0, policies=0)
MASS: Final = World(policies=10_000)
MASS_SIDECARS: Final = 20
STORMS: Final = 3
NARROW: Final = 10
REPORT_SECONDS: Final = 6
_TIMEOUT_MS: Final = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run: the sizes, how often, how long, and the core that the control plane has for itself.

    `spinners` are processes that only keep the cores awake.

    `edits` are those of the size that the goals are about; a quarter of them shows how others compare.
    """

    sizes: tuple[int, ...]
    edits: int
    pushes: int
    seconds: int
    with_mass: bool
    core: int
    spinners: tuple[int, ...]

    def edits_of(self, sidecars: int) -> int:
        """Return how many edits are measured of one size of the fleet."""
        return self.edits if sidecars == SIDECARS else max(1, self.edits // 4)


async def run(plan: Plan, scratch: Path) -> Results:
    """Return everything, having said meanwhile how far it is."""
    empty_kib = await _empty_kib(plan, scratch / "empty")
    async with registry(scratch / "world", World()) as shared:
        sizes = [await _size(plan, scratch / f"{count}", shared, count) for count in plan.sizes]
    mass = await _mass(plan, scratch / "mass") if plan.with_mass else None
    return Results(empty_kib=empty_kib, sizes=tuple(sizes), mass=mass)


async def _empty_kib(plan: Plan, scratch: Path) -> int:
    """Return what a control plane takes that knows nothing and nobody."""
    async with registry(scratch, NOTHING) as empty, plane(scratch, empty, plan.core) as running:
        return await trials.memory_kib(running)


async def _size(plan: Plan, scratch: Path, shared: Registry, count: int) -> Size:
    say(f"{count:,} sidecars")
    sidecars = tuple(shared.world.sidecars(count))
    async with _stand(plan, scratch, shared, sidecars) as stand:
        base_kib = await trials.memory_kib(stand.plane)
        cold_ms = await trials.cold_start(stand)
        resident_kib = await trials.memory_kib(stand.plane)
        say(f"  cold start {cold_ms:,.0f} ms, {(resident_kib - base_kib) / count:.1f} KiB a sidecar")
        edits, foreign_cores = await _edits(plan, stand)
        pushes = [await trials.push(stand, position) for position in range(plan.pushes)]
        say(f"  20 KB in {share([each.received_ms for each in pushes], 0.5):,.0f} ms")
        narrow = [await _narrow(stand, sidecars, 1 + number) for number in range(NARROW)]
        churn = await trials.churn(stand, seconds=plan.seconds)
        say(f"  churn: lag p99 {churn.p99_ms:,.0f} ms, {churn.cores:.2f} cores")
        flaps = await trials.flap(stand, 1, seconds=plan.seconds, readers=_readers(stand, sidecars, 1))
        storms = [await trials.storm(stand) for _ in range(STORMS)]
        stormed_kib = await trials.memory_kib(stand.plane)
        say(f"  all back after {max(each.back_ms for each in storms):,.0f} ms")
        await trials.storm(stand, accompanied=True)
        reporting_cores = await _reporting_cores(stand)
        return Size(
            sidecars=count,
            base_kib=base_kib,
            resident_kib=resident_kib,
            cold_ms=cold_ms,
            edits=edits,
            narrow=narrow,
            pushes=pushes,
            churn=churn,
            flaps_per_second=flaps,
            storms=storms,
            stormed_kib=stormed_kib,
            accompanied_kib=await trials.memory_kib(stand.plane),
            reporting_cores=reporting_cores,
            foreign_cores=foreign_cores,
        )


@asynccontextmanager
async def _stand(
    plan: Plan, scratch: Path, shared: Registry, sidecars: Sequence[Sidecar]
) -> AsyncIterator[Stand]:
    async with plane(scratch, shared, plan.core) as running, light_sidecars(sidecars) as lights:
        yield Stand(registry=shared, plane=running, lights=lights, sidecars=len(sidecars))


async def _edits(plan: Plan, stand: Stand) -> tuple[list[Delivery], float]:
    """Return edits of the policy that concerns all, and how many cores others used meanwhile."""
    pids = (stand.plane.pid, stand.lights.pid, stand.registry.pid, *plan.spinners)
    began, occupied = time.monotonic(), occupation(pids)
    edits = [
        await trials.edit(stand, 0, timeout_ms=_TIMEOUT_MS + number, readers=stand.sidecars)
        for number in range(1, plan.edits_of(stand.sidecars) + 1)
    ]
    applied_ms = [each.applied_ms for each in edits]
    say(f"  edits: p50 {share(applied_ms, 0.5):,.0f} ms, p99 {share(applied_ms, 0.99):,.0f} ms")
    return edits, occupation(pids).foreign_since(occupied) / (time.monotonic() - began)


async def _narrow(stand: Stand, sidecars: Sequence[Sidecar], number: int) -> tuple[int, Delivery]:
    """Return an edit of a policy that few read, and how many do."""
    readers = _readers(stand, sidecars, number)
    timeout_ms = _TIMEOUT_MS + time.monotonic_ns() % 1_000
    return readers, await trials.edit(stand, number, timeout_ms=timeout_ms, readers=readers)


def _readers(stand: Stand, sidecars: Sequence[Sidecar], number: int) -> int:
    callee = host(stand.registry.world.service(number))
    return sum(callee in sidecar.hosts for sidecar in sidecars)


async def _reporting_cores(stand: Stand) -> float:
    """Return the CPU that reports take while nothing else happens."""
    before = stand.plane.usage()
    await asyncio.sleep(REPORT_SECONDS)
    return stand.plane.usage().since(before).cpu_ns / 1e9 / REPORT_SECONDS


async def _mass(plan: Plan, scratch: Path) -> Mass:
    """Return how many policies reach few sidecars that together call every service."""
    say(f"{MASS.policies:,} policies, {MASS_SIDECARS} sidecars")
    sidecars = tuple(MASS.sidecars(MASS_SIDECARS, called=MASS.services // MASS_SIDECARS))
    async with registry(scratch, MASS) as filled:
        began = time.monotonic()
        async with _stand(plan, scratch, filled, sidecars) as stand:
            await trials.cold_start(stand)
            return Mass(
                policies=MASS.policies,
                sidecars=MASS_SIDECARS,
                converged_seconds=time.monotonic() - began,
                resident_kib=await trials.memory_kib(stand.plane),
            )
