"""A sidecar that is told its pod alone: the control plane knows the services, which come and go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.app import App
from tests.support.kube import ADMIN_TOKEN, ApiServer
from tests.support.kube.objects import Document, endpoint_slice, injected_pod, policy, service
from tests.support.mesh import ControlPlane, Sidecar, cluster_controlplane, workload_sidecar
from tests.support.ports import free_port
from tests.support.readiness import Condition, until

NAMESPACE = "workloads"
APP_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod that the cluster knows, its sidecar and its control plane."""

    plane: ControlPlane
    sidecar: Sidecar

    async def services(self) -> list[str]:
        """The services that its sidecar belongs to, as the control plane sees it."""
        found = (await self.plane.ask("ListSidecars")).get("sidecars", [])
        return [name["name"] for each in found for name in each.get("services", [])]

    def stands_behind(self, *names: str) -> Condition:
        async def holds() -> bool:
            return await self.services() == list(names)

        return holds

    async def statuses(self, count: int) -> list[int]:
        """What callers get who connect to where the sidecar listens."""
        found = []
        async with aiohttp.ClientSession() as session:
            for _ in range(count):
                async with session.get(f"http://127.0.0.1:{self.sidecar.inbound}/") as answer:
                    found.append(answer.status)
        return found

    def admits(self, *statuses: int) -> Condition:
        async def holds() -> bool:
            return await self.statuses(len(statuses)) == list(statuses)

        return holds


@asynccontextmanager
async def pod(server: ApiServer, scratch: Path) -> AsyncIterator[Pod]:
    await server.create_namespace(NAMESPACE)
    inbound = free_port()
    await server.apply(injected_pod(NAMESPACE, "cart-a", app_port=APP_PORT, inbound=inbound))
    kubeconfig = server.kubeconfig_with(ADMIN_TOKEN, name=NAMESPACE, namespace=NAMESPACE)
    async with (
        App() as app,
        cluster_controlplane(scratch, kubeconfig) as plane,
        workload_sidecar(
            scratch,
            f"{NAMESPACE}/cart-a",
            app_port=app.port,
            discovery=plane.discovery,
            inbound=inbound,
        ) as sidecar,
    ):
        await sidecar.ready()
        yield Pod(plane=plane, sidecar=sidecar)


def behind(name: str) -> tuple[Document, Document]:
    """A Service that selects the pod."""
    return service(NAMESPACE, name), endpoint_slice(
        NAMESPACE, name, "10.1.2.3", port=APP_PORT, pods=["cart-a"]
    )


def limit(name: str, requests: int) -> Document:
    """A limit that lets so many requests through in an hour."""
    limits: list[dict[str, Any]] = [{"name": "few", "requests": requests, "per": "1h", "burst": requests}]
    return policy(NAMESPACE, name, kind="RateLimitPolicy", limits=limits)


async def test_a_pod_enforces_the_rules_of_every_service_that_it_stands_behind(
    kinds: ApiServer, tmp_path: Path
) -> None:
    async with pod(kinds, tmp_path) as here:
        assert await here.services() == []
        assert await here.statuses(2) == [200, 200]

        await kinds.apply(*behind("cart"), limit("cart", 2))
        await until(here.stands_behind("cart"))
        await until(here.admits(200, 200, 429))

        await kinds.apply(*behind("till"), limit("till", 1))
        await until(here.stands_behind("cart", "till"))

        await kinds.kubectl("delete", "service,endpointslice", "cart", "-n", NAMESPACE)
        await until(here.stands_behind("till"))
        await until(here.admits(200, 429))

        await until(lambda: synced(kinds, "till"))


async def synced(server: ApiServer, name: str) -> bool:
    found = await server.get("ratelimitpolicy", name, "-n", NAMESPACE)
    return bool(found.get("status", {}).get("synced") == "1/1")
