"""Either control plane is killed under traffic and edits: the other soon tells the truth about all."""

import time
from pathlib import Path

import pytest

from tests.support.faults.judge import Judge
from tests.support.faults.stand import SIDECARS, SYNCED, Stand
from tests.support.faults.traffic import PER_SECOND
from tests.support.faults.trial import trial
from tests.support.mesh import ControlPlane
from tests.support.readiness import Condition, until

TRUTH_SECONDS = 10
TOLERANCE = 0.2
POLICY = {"kind": "RateLimitPolicy", "namespace": "test", "name": "quota"}
STEADY = {"service": {"namespace": "test", "name": "steady"}}


@pytest.mark.fault("either control plane killed")
@pytest.mark.timeout(240)
async def test_the_other_soon_tells_the_truth(tmp_path: Path, judge: Judge) -> None:
    async with trial(tmp_path, judge) as running:
        stand = running.stand
        for number, killed in enumerate(stand.planes):
            [left] = (plane for plane in stand.planes if plane is not killed)
            requests = 10_001 + number
            await stand.quota(requests, plane=killed)
            await killed.process.kill()
            began, told = time.monotonic(), list[str]()
            await stand.quota(requests + 10, plane=left)
            await until(tells_the_truth(left, told), timeout_seconds=3 * TRUTH_SECONDS)
            took = time.monotonic() - began
            judge.note(f"number {number} killed, the other says", told[0])
            judge.at_most("which is the truth, after", took, TRUTH_SECONDS)
            await until(stand.enforces(requests + 10))
            await killed.process.start()
            await killed.ready()
            await running.traffic.more(5)
            await both_agree(judge, stand)


def tells_the_truth(plane: ControlPlane, told: list[str]) -> Condition:
    """Return the condition that sidecars, policy and rates are as they are; `told` gets what was said."""

    async def holds() -> bool:
        listed = (await plane.ask("ListSidecars"))["sidecars"]
        synced = sum(one["state"] == SYNCED for one in listed)
        policy = (await plane.ask("GetPolicy", POLICY))["policy"]
        counts = (policy["applied"], policy["targeted"], policy["rejected"])
        rate = await steady_rate(plane)
        told[:] = [f"{synced} of {len(listed)} synced, policy at {counts[0]} of {counts[1]}, {rate:.0f}/s"]
        is_known = synced == len(listed) == SIDECARS and counts[0] == counts[1] > 0 == counts[2]
        return is_known and abs(rate - PER_SECOND) <= TOLERANCE * PER_SECOND

    return holds


async def steady_rate(plane: ControlPlane) -> float:
    """Return the requests a second to the steady service, as a control plane has them."""
    found = (await plane.ask("ListTraffic", STEADY))["traffic"]
    return sum(float(one["requestsPerSecond"]) for one in found)


async def both_agree(judge: Judge, stand: Stand) -> None:
    """Judge that whichever control plane is asked says the same of every sidecar."""
    answers = [(await plane.ask("ListSidecars"))["sidecars"] for plane in stand.planes]
    states = [{one["instance"]: one["state"] for one in answer} for answer in answers]
    judge.expect("both say the same", f"{len(states[0])} sidecars", held=states[0] == states[1])
