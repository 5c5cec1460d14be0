"""A service whose last instance is gone is short of capacity, not unknown."""

from pathlib import Path

from tests.support.fleet import fleet
from tests.support.rawclient import fetch
from tests.support.readiness import until
from tests.support.refusal import reason
from tests.support.upstream import ScriptedUpstream


async def test_callers_of_a_deserted_service_learn_that_nobody_is_there(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, fleet(tmp_path) as mesh:
        caller = await mesh.join("test/caller", app_port=upstream.port)
        called = await mesh.join("test/called", app_port=upstream.port)
        assert (await fetch(caller.outbound, host="called")).status == 200

        await called.process.stop()  # it drains, and leaves the catalogue by itself

        async def nobody_is_there() -> bool:
            response = await fetch(caller.outbound, host="called")
            return (response.status, reason(response)) == (503, "upstream.no_endpoints")

        await until(nobody_is_there)
        assert reason(await fetch(caller.outbound, host="never-there")) == "route.none"

        await called.process.start()
        await called.ready()

        async def serves() -> bool:
            return (await fetch(caller.outbound, host="called")).status == 200

        await until(serves)
