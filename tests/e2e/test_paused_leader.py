"""The control plane that leads stands still: another one leads, and the first is heard no more."""

import time
from pathlib import Path

import pytest

from registry.config import parse_location
from registry.election import Leadership
from registry.errors import NotLeaderError
from registry.keys import LEADER
from registry.opening import open_store
from registry.store import Write
from tests.support.faults.journal import events
from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.stand import Stand
from tests.support.faults.trial import trial
from tests.support.mesh import ControlPlane
from tests.support.readiness import Condition, that, until

ELECTED_SECONDS = 20


@pytest.mark.fault("F15 leading control plane stands still")
async def test_a_paused_leader_is_succeeded_and_fenced(
    tmp_path: Path, judge: Judge, lengths: Lengths
) -> None:
    async with trial(tmp_path, judge) as running:
        stand, at = running.stand, time.time()
        first, second = await by_lead(stand)
        async with open_store(parse_location(stand.etcd.location)) as store:
            former = Leadership(store=store, key=LEADER, fence=(await store.get(LEADER)).revision)
            first.process.pause()
            paused = time.monotonic()
            await until(leads(second), timeout_seconds=2 * ELECTED_SECONDS)
            judge.at_most("another one leads", time.monotonic() - paused, ELECTED_SECONDS)
            try:
                await former.commit([Write(key="/faults/written", value=b"late")])
                told = "taken"
            except NotLeaderError:
                told = "refused"
            judge.expect("a write of the former is refused", told, held=told == "refused")
        await running.traffic.more(max(1, lengths.pause - (time.time() - at)))
        first.process.resume()
        await until(that(lambda: bool(events(first.process, "lead lost", since=at))))
        await until(agreed(stand))
        judge.expect("both say who leads", await leader(first), held=True)


async def leader(plane: ControlPlane) -> str:
    """Return who leads, as a control plane says; empty while it knows of nobody."""
    status = await plane.ask("GetStatus")
    return str(status["leader"]["name"]) if "leader" in status else ""


def agreed(stand: Stand) -> Condition:
    """Return the condition that all control planes say that the same one leads."""

    async def holds() -> bool:
        names = {await leader(plane) for plane in stand.planes}
        return len(names) == 1 and "" not in names

    return holds


async def by_lead(stand: Stand) -> tuple[ControlPlane, ControlPlane]:
    """Return the control plane that leads, and the other."""
    status = await stand.plane.ask("GetStatus")
    leads = {one["address"]: one["name"] == status["leader"]["name"] for one in status["replicas"]}
    one, other = sorted(stand.planes, key=lambda plane: not leads[f"127.0.0.1:{plane.discovery}"])
    return one, other


def leads(plane: ControlPlane) -> Condition:
    """Return the condition that a control plane has taken the lead."""
    return that(lambda: bool(events(plane.process, "lead taken")))
