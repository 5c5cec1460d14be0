"""Sidecars and one control plane no longer hear each other, in one direction or both."""

import time
from pathlib import Path

import pytest

from tests.support.faults.judge import Judge
from tests.support.faults.outage import connected_to, went_over
from tests.support.faults.partition import unreachable
from tests.support.faults.trial import trial
from tests.support.mesh import ControlPlane
from tests.support.readiness import Condition, until

NOTICED_SECONDS = 30
LONGER_SECONDS = 15


@pytest.mark.fault("F16 partition from one control plane")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("towards", "back"), [(True, False), (False, True), (True, True)], ids=["towards", "back", "both"]
)
async def test_a_partition_is_noticed_at_both_ends(
    tmp_path: Path, judge: Judge, *, towards: bool, back: bool
) -> None:
    way = {(True, False): "towards it", (False, True): "from it"}.get((towards, back), "both ways")
    async with trial(tmp_path, judge) as running:
        stand, at, began = running.stand, time.time(), time.monotonic()
        cut, other = stand.planes
        lost = connected_to(cut)
        async with unreachable(cut.discovery, towards=towards, back=back):
            await until(went_over(other, lost, at), timeout_seconds=2 * NOTICED_SECONDS)
            judge.at_most(f"{way}: {len(lost)} sidecars go over", time.monotonic() - began, NOTICED_SECONDS)
            await until(deserted(cut), timeout_seconds=2 * NOTICED_SECONDS)
            judge.at_most(f"{way}: it notices that they are gone", time.monotonic() - began, NOTICED_SECONDS)
            await running.traffic.more(LONGER_SECONDS)
        await stand.converge()


def deserted(plane: ControlPlane) -> Condition:
    """Return the condition that nobody is connected to a control plane."""

    async def holds() -> bool:
        return not connected_to(plane)

    return holds
