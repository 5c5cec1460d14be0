"""A sidecar that calls external services; each test gives it services and policies of its own."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.documents import external, external_service, resilience
from tests.support.fleet import Fleet, fleet
from tests.support.framing import Message
from tests.support.mesh import SIDECAR, Sidecar
from tests.support.metrics import measured
from tests.support.rawclient import RawClient
from tests.support.readiness import until
from tests.support.upstream import ScriptedUpstream

ZONE = "topology.kubernetes.io/zone"
IN_FLIGHT = ("breakwater_inflight", "breakwater_bulkhead_inflight")


@dataclass(frozen=True, slots=True)
class Caller:
    """The sidecar of `test/caller`, and the fleet that it is in."""

    fleet: Fleet
    sidecar: Sidecar

    async def may_call(
        self,
        name: str,
        *ports: int,
        protocol: str = "HTTP",
        labels: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
        fields: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
        **spec: Any,
    ) -> None:
        """Add an external service, called by its name, and a ResiliencePolicy of that name for it.

        `labels` are those of the endpoint at a port, `fields` what is said of it beside them.
        """
        target = external(name)
        policy = [resilience(name, target, **spec)] if spec else []
        await self.fleet.put(
            name, external_service(name, *ports, protocol=protocol, labels=labels, fields=fields), *policy
        )

    async def get(self, host: str, path: str = "/", **headers: str) -> Message:
        """Return the response to one request, made on a connection of its own."""
        async with RawClient(self.sidecar.outbound) as client:
            await client.ask(path, host=host, **headers)
            return await client.response()

    async def rests(self, name: str) -> None:
        """Return once nothing is in flight to an external service: every permit is back."""
        for gauge in IN_FLIGHT:
            await until(measured(self.sidecar.http, gauge, 0, service=f"test/{name}"))


@asynccontextmanager
async def calling(scratch: Path, *, flags: Sequence[str] = ()) -> AsyncIterator[Caller]:
    """Run a control plane and the caller's sidecar, in zone `a`, before an application that answers 200."""
    async with ScriptedUpstream() as app, fleet(scratch, flags=flags) as running:
        program = (*SIDECAR, "--label", f"{ZONE}=a")
        yield Caller(running, await running.join("test/caller", app_port=app.port, program=program))
