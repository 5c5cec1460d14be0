"""A fleet that lost its control planes comes back spread out, and soon."""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.faults.census import cpu_seconds
from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.outage import all_stale, arrivals, kill_planes
from tests.support.faults.stand import SIDECARS, standing
from tests.support.readiness import until

CONVERGES_SECONDS = 10
SLICE_SECONDS = 0.25
SLICE_PERCENT = 25
CORES = 1.5
GROWN_SECONDS = 12  # until rests are as long as they get
PATIENCE_SECONDS = 240


@pytest.mark.fault("F3 control plane returns")
@pytest.mark.timeout(600)
async def test_a_fleet_returns_spread_out(tmp_path: Path, judge: Judge, lengths: Lengths) -> None:
    async with standing(tmp_path, planes=1) as stand, AsyncExitStack() as stack:
        for number in range(lengths.returning - SIDECARS):
            await stand.join(stack, "crowd", f"crowd-{number}", stand.workloads[0].app.port)
        await until(stand.converged(count=lengths.returning), timeout_seconds=PATIENCE_SECONDS)
        await kill_planes(stand)
        await until(all_stale(stand))
        await asyncio.sleep(GROWN_SECONDS)
        at, process = time.time(), stand.plane.process
        await process.start()
        await stand.plane.ready()
        ready, busy = time.time(), cpu_seconds(process.pid)
        await stand.converge(count=lengths.returning)
        took = time.time() - ready
        judge.at_most(f"{lengths.returning} sidecars converge", took, CONVERGES_SECONDS)
        judge.at_most("of them in the fullest 250 ms", fullest(arrivals(stand, at)), SLICE_PERCENT, "%")
        judge.at_most("the control plane works", (cpu_seconds(process.pid) - busy) / took, CORES, "cores")
    judge.verdict()


def fullest(instants: list[float]) -> float:
    """Return the percentage of instants in the quarter of a second that holds most of them."""
    slices = Counter(int((one - instants[0]) / SLICE_SECONDS) for one in instants)
    return 100 * max(slices.values()) / len(instants)
