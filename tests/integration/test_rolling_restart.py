"""Both control planes are restarted, one after the other, under traffic."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from tests.support.etcd import Member
from tests.support.load import getting, offering
from tests.support.mesh import ControlPlane, Sidecar
from tests.support.metrics import scrape
from tests.support.pair import CALLEE, CALLERS, Pair, running_pair
from tests.support.readiness import Condition, until

UNSERVED_SECONDS = 5
RATE = 20
AGE = "breakwater_config_age_seconds"


async def test_a_rolling_restart_fails_no_request_and_leaves_nobody_unserved(
    tmp_path: Path, etcd: Member
) -> None:
    async with running_pair(tmp_path, etcd.location) as pair:
        leases = await leases_of(pair.planes[0])
        async with (
            aiohttp.ClientSession() as session,
            AsyncExitStack() as traffic,
            watching(pair.sidecars) as ages,
        ):
            reports = [
                await traffic.enter_async_context(
                    offering(
                        getting(session, f"http://127.0.0.1:{caller.outbound}/", host="callee"),
                        rate_per_second=RATE,
                        seed=number,
                    )
                )
                for number, caller in enumerate(pair.callers)
            ]
            for plane in pair.planes:
                assert await plane.process.stop() == 0
                await until(all_synced(other(pair, plane)))
                await plane.process.start()
                await plane.ready()
        assert max(ages) < UNSERVED_SECONDS
        assert [report.failures for report in reports] == [{}] * len(reports)
        assert [report.succeeded for report in reports] == [report.offered for report in reports]
        assert await leases_of(pair.planes[0]) == leases


def other(pair: Pair, plane: ControlPlane) -> ControlPlane:
    """The control plane that is left."""
    one, two = pair.planes
    return two if plane is one else one


def all_synced(plane: ControlPlane) -> Condition:
    """The condition that every sidecar is connected to a control plane, and up to date."""

    async def holds() -> bool:
        status = await plane.ask("ListSidecars")
        states = {one["instance"]: one["state"] for one in status["sidecars"]}
        return states == dict.fromkeys((*CALLERS, CALLEE), "SIDECAR_STATE_SYNCED")

    return holds


async def leases_of(plane: ControlPlane) -> dict[str, str]:
    """The lease of every registration, by instance."""
    found: dict[str, str] = {}
    for name in ("caller", "callee"):
        request = {"service": {"namespace": "test", "name": name}}
        answer = await plane.ask("ListMeshEndpoints", request)
        found |= {one["instance"]: one["leaseId"] for one in answer["leases"]}
    return found


@asynccontextmanager
async def watching(sidecars: Iterable[Sidecar]) -> AsyncIterator[list[float]]:
    """How long each sidecar had been without a control plane, whenever it was asked."""
    ages = [0.0]

    async def watch(member: Sidecar) -> None:
        while True:
            ages.append((await scrape(member.http)).total(AGE))
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as tasks:
        watches = [tasks.create_task(watch(member)) for member in sidecars]
        yield ages
        for one in watches:
            one.cancel()
