"""One of two control planes is paused and killed under traffic and edits; the other tells the truth."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.support.documents import resilience, service, text
from tests.support.etcd import Member
from tests.support.load import getting, offering
from tests.support.mesh import ControlPlane
from tests.support.pair import CALLEE, CALLERS, Pair, running_pair
from tests.support.readiness import Condition, until

ANSWER_SECONDS = 5
RATE = 100


@pytest.fixture
async def pair(tmp_path: Path, etcd: Member) -> AsyncIterator[Pair]:
    async with running_pair(tmp_path, etcd.location) as pair:
        yield pair


async def edit(plane: ControlPlane, limit: str) -> None:
    document = text(resilience("callee", service("callee"), timeouts={"request": limit}))
    answer = await plane.ask("ApplyPolicies", {"manifests": [{"file": "callee.yaml", "text": document}]})
    assert [one["outcome"] for one in answer["applied"]] in (["created"], ["configured"])


def _is_counted(plane: ControlPlane) -> Condition:
    async def holds() -> bool:
        return bool((await plane.ask("ListTraffic"))["traffic"])

    return holds


def _tells_the_truth(plane: ControlPlane) -> Condition:
    async def holds() -> bool:
        return not await problems(plane)

    return holds


def _knows_its_peer(plane: ControlPlane) -> Condition:
    async def holds() -> bool:
        return [one["answers"] for one in (await plane.ask("GetStatus"))["replicas"]] == [True, True]

    return holds


async def rate(plane: ControlPlane, window: str) -> float:
    """Requests per second to the callee over the last 10 or 60 s, or as much of them as is known."""
    request = {"service": {"namespace": "test", "name": "callee"}, "window": window}
    traffic = (await plane.ask("ListTraffic", request))["traffic"]
    return float(sum(one["requestsPerSecond"] for one in traffic))


async def problems(plane: ControlPlane) -> list[str]:
    """What of the truth a control plane does not tell: all sidecars are synced, and callers send at RATE."""
    status = await plane.ask("GetStatus")
    address = f"127.0.0.1:{plane.discovery}"
    [name] = [one["name"] for one in status["replicas"] if one["address"] == address]
    sidecars = await plane.ask("ListSidecars")
    policy = await plane.ask("GetPolicy", {"kind": "resp", "namespace": "test", "name": "callee"})
    rates = [await rate(plane, window) for window in ("10s", "60s")]
    where = {one["instance"]: (one["state"], one["controlPlane"]) for one in sidecars["sidecars"]}
    expected = dict.fromkeys((*CALLERS, CALLEE), ("SIDECAR_STATE_SYNCED", name))
    counts = (policy["policy"]["targeted"], policy["policy"]["applied"])
    found = {
        f"unanswered: {sidecars['unanswered']}": bool(sidecars["unanswered"]),
        f"sidecars: {where}": where != expected,
        f"policy: {counts}": counts != (3, 3),
        f"rates: {rates}": any(abs(one - RATE) > RATE / 5 for one in rates),
    }
    return [problem for problem, is_wrong in found.items() if is_wrong]


async def kill_and_judge(killed: ControlPlane, left: ControlPlane, limit: str) -> None:
    """Kill one, edit a policy at the other, and have that one tell the truth."""
    await killed.process.kill()
    await edit(left, limit)
    await until(_tells_the_truth(left))


async def test_other_control_plane_tells_the_truth_after_either_was_killed(pair: Pair) -> None:
    one, other = await pair.crowded_first()
    async with aiohttp.ClientSession() as session, AsyncExitStack() as traffic:
        reports = [
            await traffic.enter_async_context(
                offering(
                    getting(session, f"http://127.0.0.1:{caller.outbound}/", host="callee"),
                    rate_per_second=RATE / len(pair.callers),
                    seed=number,
                )
            )
            for number, caller in enumerate(pair.callers)
        ]
        await edit(one, "2s")
        await until(_is_counted(one))
        await kill_and_judge(one, other, "3s")
        await one.process.start()
        await one.ready()
        await until(_knows_its_peer(one))
        await kill_and_judge(other, one, "4s")
    assert [report.failures for report in reports] == [{}] * len(reports)
    assert [report.succeeded for report in reports] == [report.offered for report in reports]


async def test_control_plane_that_stands_still_is_named_until_it_goes_on(pair: Pair) -> None:
    paused, left = pair.planes
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
