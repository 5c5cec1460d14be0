"""A control plane in the test's own process, over real sockets, and what edits its policies."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio

from controlplane.config import Settings, read_settings
from controlplane.listen import DEFAULT_LIFETIMES, Lifetimes
from controlplane.main import Bound, control_plane, replica
from mesh.v1 import admin_pb2
from mesh.v1.admin_pb2_grpc import AdminServiceStub
from registry.client import RegistryClient
from registry.store import Store
from tests.support.readiness import Condition, until

if TYPE_CHECKING:
    from mesh.v1.admin_pb2_grpc import AdminServiceAsyncStub

POLICY = """\
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  targetRefs: [{{kind: Service, name: {target}}}]
  timeouts: {{request: {timeout}}}
"""


def policy(timeout: str, *, name: str = "cart", target: str = "cart") -> str:
    return POLICY.format(name=name, target=target, timeout=timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A running control plane: its addresses, channels to it, and its directory of policies."""

    bound: Bound
    sidecars: grpc.aio.Channel
    admin: "AdminServiceAsyncStub"
    registry: RegistryClient
    policies: Path


@asynccontextmanager
async def running_plane(scratch: Path, *, store: str = "sqlite::memory:") -> AsyncIterator[Plane]:
    """A control plane on the policies of `scratch / "policies"`, on ports of its own."""
    settings = _settings(scratch, store)
    async with control_plane(settings) as bound, _asked(bound, settings) as plane:
        yield plane


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Control planes that share a store, each in a block of its own, so that a test may end one."""

    stores: tuple[Store, ...]
    planes: tuple[Plane, ...]
    blocks: tuple[AsyncExitStack, ...]


@asynccontextmanager
async def running_replicas(
    scratch: Path, stores: Sequence[Store], lifetimes: Lifetimes = DEFAULT_LIFETIMES
) -> AsyncIterator[Replicas]:
    """Replicas of a control plane, one on each way to the same store, once all of them know each other."""
    settings = _settings(scratch, "sqlite::memory:")
    async with AsyncExitStack() as whole:
        blocks = [await whole.enter_async_context(AsyncExitStack()) for _ in stores]
        planes = []
        for block, store in zip(blocks, stores, strict=True):
            bound = await block.enter_async_context(replica(settings, store, lifetimes))
            planes.append(await block.enter_async_context(_asked(bound, settings)))
        for plane in planes:
            await until(_knows(plane, len(stores)))
        yield Replicas(stores=tuple(stores), planes=tuple(planes), blocks=tuple(blocks))


def _settings(scratch: Path, store: str) -> Settings:
    policies = scratch / "policies"
    policies.mkdir(exist_ok=True)
    listen = (word for flag in ("listen", "admin", "http") for word in (f"--{flag}", "127.0.0.1:0"))
    return read_settings(["--store", store, "--policies", str(policies), *listen], {})


@asynccontextmanager
async def _asked(bound: Bound, settings: Settings) -> AsyncIterator[Plane]:
    async with (
        grpc.aio.insecure_channel(str(bound.listen)) as sidecars,
        grpc.aio.insecure_channel(str(bound.admin)) as admin,
    ):
        stub: AdminServiceAsyncStub = AdminServiceStub(admin)
        yield Plane(
            bound=bound,
            sidecars=sidecars,
            admin=stub,
            registry=RegistryClient(sidecars),
            policies=settings.policies or Path(),
        )


def _knows(plane: Plane, count: int) -> Condition:
    async def holds() -> bool:
        status = await plane.admin.GetStatus(admin_pb2.GetStatusRequest())
        return sum(one.answers for one in status.replicas) == count

    return holds
