"""One interleaved run of the bench: every target in every round, the order reversed in every other one.

Interleaving is what makes ratios mean something on a shared machine: a slow minute hits all targets alike.
A run that others disturbed is tried again and the quietest kept; one in which a request failed is thrown
away.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from tests.bench.figures import Memory, Results, Run
from tests.bench.load import WORKLOADS
from tests.bench.site import Site
from tests.bench.stand import LULL_SECONDS, MAX_FOREIGN_CORES, Stand, origin
from tests.bench.targets import TARGETS

START_SECONDS = 1
SETTLE_SECONDS = 0.5
WARM_UP_SECONDS = 2


class InvalidRunError(Exception):
    """Requests failed in every try of a run, so that nothing can be said about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run: targets in their order, rounds, seconds a run, and how long to look for a quiet moment."""

    targets: tuple[str, ...]
    rounds: int = 5
    seconds: int = 3
    tries: int = 8
    lull_timeout_seconds: float = 30

    @property
    def least_minutes(self) -> float:
        """How long the run takes on a machine that nobody else uses."""
        run_seconds = len(WORKLOADS) * (self.seconds + LULL_SECONDS)
        visit_seconds = START_SECONDS + SETTLE_SECONDS + WARM_UP_SECONDS + run_seconds
        return self.rounds * len(self.targets) * visit_seconds / 60

    def steps(self) -> Iterator[tuple[int, str]]:
        """Yield each round with each target, in the order of measuring."""
        for number in range(self.rounds):
            for target in self.targets if number % 2 == 0 else reversed(self.targets):
                yield number, target


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What one target gave in one round."""

    runs: tuple[Run, ...]
    memory: Memory | None


async def measure(plan: Plan, site: Site) -> AsyncIterator[Visit]:
    """Yield each visit as it ends.

    Raises:
        InvalidRunError: A target failed requests in every try.
        ProcessFailedError: A target did not start.
    """
    async with origin(site) as origin_process:
        for number, target in plan.steps():
            async with TARGETS[target](site) as running:
                yield await visit(
                    plan,
                    Stand(target=target, round=number, running=running, origin=origin_process, site=site),
                )


def collect(visits: Iterable[Visit]) -> Results:
    """Return what all visits measured."""
    kept = tuple(visits)
    return Results(
        runs=tuple(run for visit in kept for run in visit.runs),
        memory=tuple(visit.memory for visit in kept if visit.memory is not None),
    )


async def visit(plan: Plan, stand: Stand) -> Visit:
    """Return all workloads of a target in one round, and its memory around them."""
    await asyncio.sleep(SETTLE_SECONDS)
    idle_kib = stand.resident_kib()
    await stand.warm_up(WARM_UP_SECONDS)
    runs = [await quietest(plan, stand, workload) for workload in WORKLOADS]
    loaded_kib = stand.resident_kib()
    memory = None
    if idle_kib is not None and loaded_kib is not None:
        memory = Memory(target=stand.target, round=stand.round, idle_kib=idle_kib, loaded_kib=loaded_kib)
    return Visit(runs=tuple(runs), memory=memory)


async def quietest(plan: Plan, stand: Stand, workload: str) -> Run:
    """Return the first undisturbed run of a workload, or the least disturbed of all tries.

    Raises:
        InvalidRunError: Requests failed in every try.
    """
    best: Run | None = None
    for _ in range(plan.tries):
        await stand.lull(timeout_seconds=plan.lull_timeout_seconds)
        run = await stand.run(workload, seconds=plan.seconds)
        if run is not None and (best is None or run.foreign_cores < best.foreign_cores):
            best = run
        if best is not None and best.foreign_cores <= MAX_FOREIGN_CORES:
            break
    if best is None:
        raise InvalidRunError(
            f"{stand.target}: requests failed in every one of {plan.tries} tries of {workload}"
        )
    return best
