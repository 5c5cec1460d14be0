"""One of two control planes is paused and killed under traffic and edits; the other tells the truth soon."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.support.documents import resilience, service, text
from tests.support.etcd import Member
from tests.support.load import getting, offering
from tests.support.mesh import ControlPlane, Sidecar, controlplane, sidecar
from tests.support.readiness import Condition, until
from tests.support.upstream import ScriptedUpstream

TRUTH_SECONDS = 10
ANSWER_SECONDS = 5
RATE = 100
CALLERS = ("test-caller-0", "test-caller-1", "test-caller-2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Two control planes on one etcd, callers of `test/callee` and its sidecar, connected to either."""

    planes: tuple[ControlPlane, ControlPlane]
    callers: tuple[Sidecar, ...]

    async def crowded_first(self) -> tuple[ControlPlane, ControlPlane]:
        """The control plane with more sidecars, and the other."""
        status = await self.planes[0].ask("GetStatus")
        counts = {one["address"]: one["connectedSidecars"] for one in status["replicas"]}
        one, other = sorted(self.planes, key=lambda plane: -counts[f"127.0.0.1:{plane.discovery}"])
        return one, other


@pytest.fixture
async def site(tmp_path: Path, etcd: Member) -> AsyncIterator[Site]:
    policies = tmp_path / "policies"
    policies.mkdir()
    async with ScriptedUpstream() as upstream, AsyncExitStack() as block:
        one, other = [
            await block.enter_async_context(controlplane(tmp_path, policies, store=etcd.location, name=name))
            for name in ("one", "other")
        ]
        sidecars = [
            await block.enter_async_context(
                sidecar(
                    tmp_path,
                    name.rpartition("-")[0].replace("-", "/"),
                    name=name,
                    app_port=upstream.port,
                    discovery=(one.discovery, other.discovery),
                )
            )
            for name in (*CALLERS, "test-callee-0")
        ]
        for each in sidecars:
            await each.ready()
        yield Site(planes=(one, other), callers=tuple(sidecars[:-1]))


async def edit(plane: ControlPlane, limit: str) -> None:
    document = text(resilience("callee", service("callee"), timeouts={"request": limit}))
    answer = await plane.ask("ApplyPolicies", {"manifests": [{"file": "callee.yaml", "text": document}]})
    assert [one["outcome"] for one in answer["applied"]] in (["created"], ["configured"])


def _is_counted(plane: ControlPlane) -> Condition:
    async def holds() -> bool:
        return bool((await plane.ask("ListTraffic"))["traffic"])

    return holds


async def problems(plane: ControlPlane) -> list[str]:
    """What of the truth a control plane does not tell: all sidecars are synced, and callers send at RATE."""
    name = (await plane.ask("GetStatus"))["replicas"][0]["name"]
    sidecars = await plane.ask("ListSidecars")
    policy = await plane.ask("GetPolicy", {"kind": "resp", "namespace": "test", "name": "callee"})
    traffic = await plane.ask("ListTraffic", {"service": {"namespace": "test", "name": "callee"}})
    rates = [one["requestsPerSecond"] for one in traffic["traffic"]]
    where = {one["instance"]: (one["state"], one["controlPlane"]) for one in sidecars["sidecars"]}
    expected = dict.fromkeys((*CALLERS, "test-callee-0"), ("SIDECAR_STATE_SYNCED", name))
    counts = (policy["policy"]["targeted"], policy["policy"]["applied"])
    found = {
        f"unanswered: {sidecars['unanswered']}": bool(sidecars["unanswered"]),
        f"sidecars: {where}": where != expected,
        f"policy: {counts}": counts != (3, 3),
        f"rates: {rates}": len(rates) != 1 or abs(rates[0] - RATE) > RATE / 5,
    }
    return [problem for problem, is_wrong in found.items() if is_wrong]


async def test_other_control_plane_tells_the_truth_after_one_was_killed(site: Site) -> None:
    killed, left = await site.crowded_first()
    async with aiohttp.ClientSession() as session, AsyncExitStack() as traffic:
        reports = [
            await traffic.enter_async_context(
                offering(
                    getting(session, f"http://127.0.0.1:{caller.outbound}/", host="callee"),
                    rate_per_second=RATE / len(site.callers),
                    seed=number,
                )
            )
            for number, caller in enumerate(site.callers)
        ]
        await edit(killed, "2s")
        await until(_is_counted(killed))
        await killed.process.kill()
        killed_at = time.monotonic()
        await edit(left, "3s")
        found = ["nothing was asked yet"]
        while found:
            found = await problems(left)
            assert not found or time.monotonic() - killed_at < TRUTH_SECONDS, found
    assert [report.failures for report in reports] == [{}] * len(reports)
    assert [report.succeeded for report in reports] == [report.offered for report in reports]


async def test_control_plane_that_stands_still_is_named_until_it_goes_on(site: Site) -> None:
    paused, left = site.planes
    names = {one["address"]: one["name"] for one in (await left.ask("GetStatus"))["replicas"]}
    name = names[f"127.0.0.1:{paused.discovery}"]
    paused.process.send(signal.SIGSTOP)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            assert (await left.ask("ListSidecars"))["unanswered"] == [name]
    finally:
        paused.process.send(signal.SIGCONT)

    async def is_whole() -> bool:
        return not (await left.ask("ListSidecars"))["unanswered"]

    await until(is_whole)
