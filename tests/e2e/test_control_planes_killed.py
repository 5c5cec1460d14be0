"""Control planes are killed: traffic goes on, and sidecars restart from disk."""

import time
from pathlib import Path

import pytest

from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.outage import all_stale, config_age, kill_planes, restart, return_planes
from tests.support.faults.traffic import ROUTES
from tests.support.faults.trial import trial
from tests.support.readiness import until

STALE_SECONDS = 15
BACKOFF_CAP_SECONDS = 4
START_SECONDS = 1
SERVES_SECONDS = 1


@pytest.mark.timeout(1200)
@pytest.mark.fault("F1 control planes killed")
async def test_traffic_goes_on_without_control_planes(tmp_path: Path, judge: Judge, lengths: Lengths) -> None:
    async with trial(tmp_path, judge) as running:
        stand = running.stand
        await kill_planes(stand)
        began = time.monotonic()
        await until(all_stale(stand), timeout_seconds=2 * STALE_SECONDS)
        judge.at_most("every sidecar says that it is stale", time.monotonic() - began, STALE_SECONDS)
        await running.traffic.more(lengths.outage)
        age, gone = min([await config_age(one) for one in stand.sidecars]), time.monotonic() - began
        judge.expect("and for how long", f"{age:.1f} s after {gone:.1f} s", held=age >= gone - 1)
        waited = await return_planes(stand)
        judge.at_most("reconnected, rests capped at 4 s", waited, BACKOFF_CAP_SECONDS + START_SECONDS)


@pytest.mark.fault("F2 sidecars restarted meanwhile")
async def test_sidecars_restart_without_a_control_plane(tmp_path: Path, judge: Judge) -> None:
    async with trial(tmp_path, judge) as running:
        stand, running.judges_counts = running.stand, False
        await kill_planes(stand)
        for route in ROUTES:
            member = stand.of(route)[0].sidecar
            took = await restart(member, member.inbound, route)
            judge.at_most(f"an instance of {route} serves its last good configuration", took, SERVES_SECONDS)
            await running.traffic.more(2)
