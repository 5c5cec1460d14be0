"""Both control planes are restarted, one after the other, under traffic."""

from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from tests.support.etcd import Member
from tests.support.load import getting, offering
from tests.support.mesh import ControlPlane
from tests.support.pair import CALLEE, CALLERS, Pair, running_pair
from tests.support.readiness import Condition, until

RATE = 20


async def test_a_rolling_restart_fails_no_request_and_keeps_every_lease(tmp_path: Path, etcd: Member) -> None:
    async with running_pair(tmp_path, etcd.location) as pair:
        leases = await leases_of(pair.planes[0])
        async with aiohttp.ClientSession() as session, AsyncExitStack() as traffic:
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
