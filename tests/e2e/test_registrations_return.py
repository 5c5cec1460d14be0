"""Leases of etcd run out while no control plane renews them, and nobody alive is taken away for it."""

from pathlib import Path

import aiohttp

from tests.support.etcd import one_member
from tests.support.fleet import fleet
from tests.support.load import getting, offering
from tests.support.rawclient import fetch
from tests.support.readiness import that, until
from tests.support.upstream import ScriptedUpstream

RATE_PER_SECOND = 50
EXPIRED_SECONDS = 30
GRACE_SECONDS = 30


async def test_owners_that_live_are_back_before_anybody_misses_them(tmp_path: Path) -> None:
    async with (
        one_member(tmp_path / "etcd") as etcd,
        ScriptedUpstream() as upstream,
        fleet(tmp_path, store=etcd.location) as mesh,
        aiohttp.ClientSession() as session,
    ):
        caller = await mesh.join("test/caller", app_port=upstream.port)
        await mesh.join("test/alive", app_port=upstream.port)
        dead = await mesh.join("test/dead", app_port=upstream.port)
        assert (await fetch(caller.outbound, host="alive")).status == 200

        call = getting(session, f"http://127.0.0.1:{caller.outbound}/", host="alive")
        async with offering(call, rate_per_second=RATE_PER_SECOND) as report:
            await mesh.plane.process.kill()
            await dead.process.kill()

            async def all_leases_ran_out() -> bool:
                return await etcd.leases() == ()

            await until(all_leases_ran_out, timeout_seconds=EXPIRED_SECONDS)
            await mesh.plane.process.start()
            await mesh.plane.ready()
            await until(mesh.has_endpoint("test/alive"), timeout_seconds=GRACE_SECONDS)
            assert not await mesh.has_endpoint("test/dead")()
            enough = report.offered + GRACE_SECONDS * RATE_PER_SECOND
            await until(that(lambda: report.offered > enough), timeout_seconds=3 * GRACE_SECONDS)
    assert (report.statuses, report.failures) == ({200: report.offered}, {})
