"""A sidecar that is called; each test gives its service a BackpressurePolicy of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.documents import backpressure, service
from tests.support.fleet import Fleet, fleet
from tests.support.framing import Message
from tests.support.mesh import Sidecar
from tests.support.metrics import Metrics, measured, scrape
from tests.support.rawclient import RawClient
from tests.support.readiness import until
from tests.support.upstream import ScriptedUpstream

NAME = "callee"
REST = ("breakwater_inflight", "breakwater_queue_depth")


@dataclass(frozen=True, slots=True)
class Callee:
    """The sidecar of `test/callee`, its application, and the fleet that it is in."""

    fleet: Fleet
    sidecar: Sidecar
    app: ScriptedUpstream

    async def admits(self, **spec: Any) -> None:
        """Put the service's BackpressurePolicy in force."""
        await self.fleet.put(NAME, backpressure(NAME, service(NAME), **spec))

    async def ask(self, calls: AsyncExitStack, path: str = "/", **headers: str) -> RawClient:
        """Send a request on a connection of its own, which is open until `calls` ends."""
        client = await calls.enter_async_context(RawClient(self.sidecar.inbound))
        await client.ask(path, host=NAME, **headers)
        return client

    async def get(self, path: str = "/", **headers: str) -> Message:
        """Return the response to one request, made on a connection of its own."""
        async with AsyncExitStack() as calls:
            return await (await self.ask(calls, path, **headers)).response()

    async def waiting(self, count: int) -> None:
        """Return once so many wait in the queue."""
        await until(measured(self.sidecar.http, "breakwater_queue_depth", count))

    async def measures(self) -> Metrics:
        """Return the sidecar's metrics."""
        return await scrape(self.sidecar.http)

    async def rests(self) -> None:
        """Return once nobody waits and nothing is in flight: every permit is back."""
        for gauge in REST:
            await until(measured(self.sidecar.http, gauge, 0), timeout_seconds=30)


@asynccontextmanager
async def called(scratch: Path) -> AsyncIterator[Callee]:
    """Run a control plane and the callee's sidecar, in front of an application that answers 200."""
    async with ScriptedUpstream() as app, fleet(scratch) as running:
        yield Callee(running, await running.join(f"test/{NAME}", app_port=app.port), app)
