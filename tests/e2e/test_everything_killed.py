"""Control planes and etcd are all gone, and sidecars restart meanwhile: nobody who calls notices."""

import time
from pathlib import Path

import pytest

from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.outage import kill_planes, restart
from tests.support.faults.traffic import ROUTES
from tests.support.faults.trial import trial

CONVERGES_SECONDS = 10
SERVES_SECONDS = 1


@pytest.mark.fault("everything but sidecars killed")
@pytest.mark.timeout(600)
async def test_traffic_outlives_all_that_steers_it(tmp_path: Path, judge: Judge, lengths: Lengths) -> None:
    async with trial(tmp_path, judge) as running:
        stand, running.judges_counts = running.stand, False
        await kill_planes(stand)
        for member in stand.etcd.members:
            await member.process.kill()
        await running.traffic.more(lengths.store_outage / 2)
        for route in ROUTES:
            victim = stand.of(route)[0].sidecar
            took = await restart(victim, victim.inbound, route)
            judge.at_most(f"an instance of {route} serves from disk", took, SERVES_SECONDS)
        await running.traffic.more(lengths.store_outage / 2)
        for member in stand.etcd.members:
            await member.process.start()
        await stand.etcd.ready()
        for plane in stand.planes:
            await plane.process.start()
        for plane in stand.planes:
            await plane.ready()
        began = time.monotonic()
        await stand.converge()
        judge.at_most("all converge", time.monotonic() - began, CONVERGES_SECONDS)
        await running.traffic.more(20)
