"""Two control planes on one etcd, and sidecars that are connected to either."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.mesh import ControlPlane, Sidecar, controlplane, sidecar
from tests.support.readiness import Condition, until
from tests.support.upstream import ScriptedUpstream

CALLERS = ("test-caller-0", "test-caller-1", "test-caller-2")
CALLEE = "test-callee-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two control planes, the callers of `test/callee`, and its sidecar."""

    planes: tuple[ControlPlane, ControlPlane]
    callers: tuple[Sidecar, ...]
    callee: Sidecar

    @property
    def sidecars(self) -> tuple[Sidecar, ...]:
        """Everybody."""
        return (*self.callers, self.callee)

    async def crowded_first(self) -> tuple[ControlPlane, ControlPlane]:
        """Return the control plane with more sidecars, and the other."""
        status = await self.planes[0].ask("GetStatus")
        counts = {one["address"]: one["connectedSidecars"] for one in status["replicas"]}
        one, other = sorted(self.planes, key=lambda plane: -counts[f"127.0.0.1:{plane.discovery}"])
        return one, other


@asynccontextmanager
async def running_pair(scratch: Path, store: str) -> AsyncIterator[Pair]:
    """Run both without policies, and all sidecars in front of one application, until the block ends."""
    policies = scratch / "policies"
    policies.mkdir()
    async with ScriptedUpstream() as upstream, AsyncExitStack() as block:
        one, other = [
            await block.enter_async_context(controlplane(scratch, policies, store=store, name=name))
            for name in ("one", "other")
        ]
        *callers, callee = [
            await block.enter_async_context(
                sidecar(
                    scratch,
                    name.rpartition("-")[0].replace("-", "/"),
                    name=name,
                    app_port=upstream.port,
                    discovery=(one.discovery, other.discovery),
                )
            )
            for name in (*CALLERS, CALLEE)
        ]
        pair = Pair(planes=(one, other), callers=tuple(callers), callee=callee)
        for each in pair.sidecars:
            await each.ready()
        for plane in pair.planes:
            await until(_knows_everybody(plane))
        yield pair


def _knows_everybody(plane: ControlPlane) -> Condition:
    """The condition that a control plane has read the registration of every sidecar."""

    async def holds() -> bool:
        answer = await plane.ask("ListMeshServices")
        counts = {one["name"]["name"]: one["endpointCount"] for one in answer["services"]}
        return counts == {"caller": len(CALLERS), "callee": 1}

    return holds
