"""The stand of every fault test: two clients, two services of three instances, and those who steer them."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, Unpack

from controlplane.cli.errors import CommandError, RefusedError
from tests.support.app import App
from tests.support.documents import Document, rate_limit, resilience, service, text
from tests.support.etcd import Cluster, Place, three_members
from tests.support.etcd import Options as EtcdOptions
from tests.support.faults.traffic import ROUTES
from tests.support.fleet import named
from tests.support.framing import Message
from tests.support.mesh import ControlPlane, Sidecar, controlplane, sidecar
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, until

PLANES = 2
CLIENTS = ("web", "mobile")
INSTANCES = 3
SIDECARS = len(CLIENTS) + INSTANCES * len(ROUTES)
CONVERGE_TIMEOUT_SECONDS = 60
SYNCED, OFFLINE = "SIDECAR_STATE_SYNCED", "SIDECAR_STATE_OFFLINE"
PATIENCE = {"timeouts": {"request": "5s"}, "retry": {"attempts": 2, "budget": {"percent": 100}}}
"""The policy of both services: an instance that is killed costs an attempt, never a request."""
QUOTA = re.compile(r";q=(\d+)")

Door = Callable[[ControlPlane], AbstractAsyncContextManager[int]]
"""Stands between the sidecars and a control plane; yields the port that they dial."""

StoreDoor = Callable[[Cluster], AbstractAsyncContextManager[str]]
"""Stands between the control planes and etcd; yields what they take for the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """An application and the sidecar beside it."""

    service: str
    app: App
    sidecar: Sidecar


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Everything that runs; `scratch` holds logs and state directories, `probed` how often we called whom."""

    scratch: Path
    etcd: Cluster
    planes: tuple[ControlPlane, ...]
    dialled: tuple[int, ...]
    clients: list[Sidecar] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    probed: Counter[str] = field(default_factory=Counter)

    @property
    def plane(self) -> ControlPlane:
        """The first control plane."""
        return self.planes[0]

    @property
    def sidecars(self) -> list[Sidecar]:
        """Every sidecar, the clients' first."""
        return [*self.clients, *(workload.sidecar for workload in self.workloads)]

    def of(self, route: str) -> list[Workload]:
        """Return the workloads of a service."""
        return [workload for workload in self.workloads if workload.service == route]

    async def apply(self, *documents: Document, plane: ControlPlane | None = None) -> dict[str, Any]:
        """Apply policies through a control plane, the first if not told; returns what it answered."""
        manifests = [{"file": "test.yaml", "text": text(*documents)}]
        return await (plane or self.plane).ask("ApplyPolicies", {"manifests": manifests})

    async def revision(self) -> int:
        """Return the newest revision of the policy set."""
        return int((await self.plane.ask("GetStatus"))["revision"])

    def converged(self, *, count: int = SIDECARS) -> Condition:
        """Return the condition that all sidecars apply the newest of all, each at some control plane."""

        async def holds() -> bool:
            try:
                answers = [await one.ask("ListSidecars") for one in self.planes if one.process.is_running]
            except CommandError:
                return False  # one that has just started, or is busy
            listed = [one for answer in answers for one in answer["sidecars"] if one["state"] != OFFLINE]
            states = {one["instance"]: one["state"] for one in listed}
            return len(states) == count and set(states.values()) == {SYNCED}

        return holds

    async def converge(self, *, count: int = SIDECARS) -> None:
        """Return once all sidecars apply the newest of all."""
        await until(self.converged(count=count), timeout_seconds=CONVERGE_TIMEOUT_SECONDS)

    async def quota(self, requests: int, *, plane: ControlPlane | None = None) -> None:
        """Limit `shaken` to so many requests a second, far more than there are; each answer states it."""
        limits = [{"name": "all", "requests": requests, "per": "1s"}]
        await self.apply(rate_limit("quota", service("shaken"), limits=limits), plane=plane)

    def enforces(self, requests: int) -> Condition:
        """Return the condition that every instance of `shaken` states this quota on live traffic."""

        async def holds() -> bool:
            return await self.quotas() == {requests}

        return holds

    async def quotas(self) -> set[int]:
        """Return the quotas that the instances of `shaken` state; 0 for one that states none."""
        asked = [fetch(workload.sidecar.inbound, host="shaken") for workload in self.of("shaken")]
        self.probed["shaken"] += len(asked)
        return {stated_quota(answer) for answer in await asyncio.gather(*asked)}

    def has_endpoint(self, name: str) -> Condition:
        """Return the condition that the catalogue has an endpoint of a service."""

        async def holds() -> bool:
            return bool(await self.endpoints(name))

        return holds

    async def endpoints(self, name: str) -> list[dict[str, Any]]:
        """Return the endpoints of a service as the first control plane knows them."""
        try:
            answer = await self.plane.ask("ListMeshEndpoints", {"service": named(f"test/{name}")})
        except RefusedError:
            return []  # nobody has registered it yet
        found: list[dict[str, Any]] = answer["endpoints"]
        return found

    async def join(
        self, stack: AsyncExitStack, name: str, instance: str, port: int, *, prefix: Sequence[str] = ()
    ) -> Sidecar:
        """Start one more sidecar of a service, in front of the application on a port."""
        starting = sidecar(
            self.scratch,
            f"test/{name}",
            app_port=port,
            discovery=self.dialled,
            name=instance,
            prefix=prefix,
        )
        return await stack.enter_async_context(starting)


def stated_quota(answer: Message) -> int:
    """Return the limit that an answer states; 0 for one that states none."""
    found = QUOTA.search(answer.text("ratelimit-policy") or "")
    return int(found[1]) if found else 0


class StandOptions(TypedDict, total=False):
    """What a test may have otherwise: two control planes, etcd on loopback, and nothing between them."""

    planes: int
    etcd: EtcdOptions
    where: Sequence[Place]
    door: Door
    store_door: StoreDoor


@asynccontextmanager
async def standing(scratch: Path, **options: Unpack[StandOptions]) -> AsyncIterator[Stand]:
    """Run the stand until the block ends; it has converged on the policy of each service."""
    policies = scratch / "policies"
    policies.mkdir()
    async with AsyncExitStack() as stack:
        members = three_members(scratch / "etcd", options.get("etcd"), where=options.get("where"))
        etcd = await stack.enter_async_context(members)
        location = await stack.enter_async_context(options.get("store_door", _location)(etcd))
        planes, dialled = [], []
        for number in range(options.get("planes", PLANES)):
            starting = controlplane(scratch, policies, store=location, name=f"controlplane-{number}")
            planes.append(await stack.enter_async_context(starting))
            dialled.append(await stack.enter_async_context(options.get("door", _port)(planes[-1])))
        stand = Stand(scratch=scratch, etcd=etcd, planes=tuple(planes), dialled=tuple(dialled))
        await _populate(stand, stack)
        await stand.converge()
        yield stand


@asynccontextmanager
async def _location(etcd: Cluster) -> AsyncIterator[str]:
    yield etcd.location


@asynccontextmanager
async def _port(plane: ControlPlane) -> AsyncIterator[int]:
    yield plane.discovery


async def _populate(stand: Stand, stack: AsyncExitStack) -> None:
    for route in ROUTES:
        for number in range(INSTANCES):
            app = await stack.enter_async_context(App())
            member = await stand.join(stack, route, f"{route}-{number}", app.port)
            stand.workloads.append(Workload(service=route, app=app, sidecar=member))
    app = await stack.enter_async_context(App())
    for name in CLIENTS:
        stand.clients.append(await stand.join(stack, name, name, app.port))
    await asyncio.gather(*(member.ready() for member in stand.sidecars))
    await stand.apply(*(resilience(name, service(name), **PATIENCE) for name in ROUTES))
