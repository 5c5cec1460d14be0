"""A control plane in the test's own process, over real sockets, and what edits its policies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio

from controlplane.config import read_settings
from controlplane.main import Bound, control_plane
from mesh.v1.admin_pb2_grpc import AdminServiceStub
from registry.client import RegistryClient

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
    policies = scratch / "policies"
    policies.mkdir(exist_ok=True)
    listen = (word for flag in ("listen", "admin", "http") for word in (f"--{flag}", "127.0.0.1:0"))
    settings = read_settings(["--store", store, "--policies", str(policies), *listen], {})
    async with (
        control_plane(settings) as bound,
        grpc.aio.insecure_channel(str(bound.listen)) as sidecars,
        grpc.aio.insecure_channel(str(bound.admin)) as admin,
    ):
        stub: AdminServiceAsyncStub = AdminServiceStub(admin)
        yield Plane(
            bound=bound,
            sidecars=sidecars,
            admin=stub,
            registry=RegistryClient(sidecars),
            policies=policies,
        )
