"""A control plane stands still with reports that it has not answered: each call is counted once."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.etcd import Member
from tests.support.faults.judge import Judge
from tests.support.mesh import ControlPlane
from tests.support.metrics import scrape
from tests.support.pair import CALLEE, CALLERS, Pair, running_pair
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, until

GOES_OVER_SECONDS = 30
QUIET_SECONDS = 6
"""Three intervals of reports, in which a total that is whole does not change."""


@dataclass(slots=True, kw_only=True)
class Calls:
    """Calls of every caller to the service, one after the other, and how many were made."""

    pair: Pair
    made: int = 0

    def until(self, condition: Condition) -> Condition:
        """Return a condition that calls go on until it holds."""

        async def holds() -> bool:
            for caller in self.pair.callers:
                assert (await fetch(caller.outbound, host="callee")).status == 200
                self.made += 1
            return await condition()

        return holds

    async def counted(self) -> float:
        """Return how many the control planes have counted together, once no more come."""
        total, since = -1.0, time.monotonic()

        async def is_quiet() -> bool:
            nonlocal total, since
            pages = [await scrape(plane.http) for plane in self.pair.planes]
            now = sum(
                page.total("breakwater_requests_total", direction="inbound", service="test/callee")
                for page in pages
            )
            if now != total:
                total, since = now, time.monotonic()
            return time.monotonic() - since > QUIET_SECONDS

        await until(is_quiet, timeout_seconds=10 * QUIET_SECONDS)
        return total


@pytest.mark.fault("F4 counts of a control plane that stands still")
async def test_what_was_not_answered_is_counted_once(tmp_path: Path, etcd: Member, judge: Judge) -> None:
    async with running_pair(tmp_path, etcd.location) as pair:
        calls = Calls(pair=pair)
        paused, other = await with_callee(pair)
        await until(calls.until(has_counted(paused)), timeout_seconds=GOES_OVER_SECONDS)
        paused.process.pause()
        await until(calls.until(has_everybody(other)), timeout_seconds=GOES_OVER_SECONDS)
        paused.process.resume()
        counted = await calls.counted()
        judge.expect(f"{calls.made} calls, of which are counted", counted, held=counted == calls.made)
    judge.verdict()


async def with_callee(pair: Pair) -> tuple[ControlPlane, ControlPlane]:
    """Return the control plane that the called sidecar is connected to, and the other."""
    status = await pair.planes[0].ask("GetStatus")
    ports = {one["name"]: int(one["address"].rpartition(":")[2]) for one in status["replicas"]}
    [callee] = (await pair.planes[0].ask("ListSidecars", {"instance": CALLEE}))["sidecars"]
    one, two = pair.planes
    return (one, two) if one.discovery == ports[callee["controlPlane"]] else (two, one)


def has_counted(plane: ControlPlane) -> Condition:
    """Return the condition that a control plane has counted calls."""

    async def holds() -> bool:
        return (await scrape(plane.http)).total("breakwater_requests_total", direction="inbound") > 0

    return holds


def has_everybody(plane: ControlPlane) -> Condition:
    """Return the condition that all sidecars are connected to a control plane."""

    async def holds() -> bool:
        status = await plane.ask("GetStatus")
        counts = [one["connectedSidecars"] for one in status["replicas"] if one["answers"]]
        return counts == [len(CALLERS) + 1]

    return holds
