"""What instances say of their health: whose application has ended is not called while another is there."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.support.fleet import Fleet, fleet, named
from tests.support.load import getting, offering
from tests.support.mesh import Sidecar, sidecar
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, that, until
from tests.support.upstream import ScriptedUpstream

CALLS = 20
RATE_PER_SECOND = 200
VERDICT_SECONDS = 15  # an application is looked at every 5 s, and what it says twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """`test/web` calls `test/cart`, which has two instances, each beside an application of its own."""

    mesh: Fleet
    web: Sidecar
    carts: tuple[Sidecar, Sidecar]
    apps: tuple[ScriptedUpstream, ScriptedUpstream]

    def healthy(self, count: int) -> Condition:
        """Return the condition that `count` instances of the cart say that they are healthy."""

        async def holds() -> bool:
            services = (await self.mesh.ask("ListMeshServices"))["services"]
            found = {one["name"]["name"]: one["healthyCount"] for one in services}
            return found.get("cart") == count

        return holds

    async def call(self) -> set[int]:
        """Call the cart many times at once, so that nobody is spared; return the statuses."""
        calls = (fetch(self.web.outbound, host="cart") for _ in range(CALLS))
        return {answer.status for answer in await asyncio.gather(*calls)}

    async def is_whole(self) -> bool:
        """Return whether nobody is called whose application has ended."""
        return await self.call() == {200}

    def called(self, app: ScriptedUpstream) -> Condition:
        """Return the condition that calls reach an application."""

        async def holds() -> bool:
            app.forget()
            return await self.call() == {200} and bool(app.requests)

        return holds


@asynccontextmanager
async def shop(scratch: Path) -> AsyncIterator[Shop]:
    async with AsyncExitStack() as stack:
        apps = tuple([await stack.enter_async_context(ScriptedUpstream()) for _ in range(2)])
        mesh = await stack.enter_async_context(fleet(scratch))
        carts = []
        for number, app in enumerate(apps):
            cart = sidecar(
                scratch,
                "test/cart",
                app_port=app.port,
                discovery=mesh.plane.discovery,
                name=f"cart-{number}",
            )
            carts.append(await stack.enter_async_context(cart))
        web = await mesh.join("test/web", app_port=apps[0].port)
        here = Shop(mesh=mesh, web=web, carts=(carts[0], carts[1]), apps=(apps[0], apps[1]))
        await until(here.healthy(2))
        yield here


async def test_an_application_that_ends_is_left_out_and_comes_back(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        await until(here.called(here.apps[1]))
        await here.apps[1].end()
        await until(here.healthy(1), timeout_seconds=VERDICT_SECONDS)
        endpoints = (await here.mesh.ask("ListMeshEndpoints", {"service": named("test/cart")}))["endpoints"]
        assert [one["health"] for one in endpoints] == ["HEALTH_HEALTHY", "HEALTH_UNHEALTHY"]
        await until(here.is_whole)

        async with ScriptedUpstream(port=here.apps[1].port) as again:
            await until(here.healthy(2), timeout_seconds=VERDICT_SECONDS)
            await until(here.called(again))


async def test_an_instance_that_leaves_fails_no_request(tmp_path: Path) -> None:
    async with shop(tmp_path) as here, aiohttp.ClientSession() as session:
        await until(here.called(here.apps[1]))
        call = getting(session, f"http://127.0.0.1:{here.web.outbound}/", host="cart")
        async with offering(call, rate_per_second=RATE_PER_SECOND) as report:
            await until(that(lambda: report.succeeded > CALLS))
            here.carts[1].process.send(signal.SIGTERM)
            assert await here.carts[1].process.wait() == 0
            before = report.succeeded
            await until(that(lambda: report.succeeded > before + CALLS))
    assert (report.statuses, report.failures) == ({200: report.offered}, {})
