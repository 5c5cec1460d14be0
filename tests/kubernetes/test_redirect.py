"""Captured pods of a cluster: its Services are called at the addresses that it gave them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.capture.mesh import DISCOVERY, Mesh, captured, get
from tests.support.capture.net import NODE, Pod, net
from tests.support.capture.programs import NFTABLES, place
from tests.support.capture.servers import loopback, relaying
from tests.support.framing import Message
from tests.support.kube import ADMIN_TOKEN, ApiServer
from tests.support.kube.objects import Document, endpoint_slice, injected_pod, policy, service
from tests.support.mesh import cluster_controlplane
from tests.support.readiness import until
from tests.support.upstream import OK, ScriptedUpstream, slow

NAMESPACE = "redirected"
APP_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A captured pod that calls, one that is called, and the application in that."""

    web: Pod
    cart: Pod
    app: ScriptedUpstream

    async def call(self, address: str, port: int) -> Message:
        """What the application of the first gets from there."""
        return await get(self.web.namespace, address, port)


@asynccontextmanager
async def shop(server: ApiServer, scratch: Path) -> AsyncIterator[Shop]:
    """Run the pods and their sidecars, beside a control plane that watches the cluster."""
    await server.create_namespace(NAMESPACE)
    for name in ("web", "cart"):
        await server.apply(injected_pod(NAMESPACE, name, app_port=APP_PORT, inbound=APP_PORT))
    kubeconfig = server.kubeconfig_with(ADMIN_TOKEN, name=NAMESPACE, namespace=NAMESPACE)
    programs = scratch / "programs"
    programs.mkdir()
    with net(2) as on:
        web, cart = on.pods
        within = Mesh(on, scratch, scratch, place(programs, NFTABLES))
        listener = cart.namespace.listen(cart.address, APP_PORT)
        async with (
            cluster_controlplane(scratch, kubeconfig) as plane,
            relaying(on.node.listen(NODE, DISCOVERY), lambda: loopback(plane.discovery)),
            captured(within, web, f"{NAMESPACE}/web", of_cluster=True),
            captured(within, cart, f"{NAMESPACE}/cart", of_cluster=True),
            ScriptedUpstream(listener=listener) as app,
        ):
            yield Shop(web=web, cart=cart, app=app)


def headless(found: Document) -> Document:
    """A Service without an address of its own."""
    return {**found, "spec": {**found["spec"], "clusterIP": "None"}}


def few(requests: int) -> Document:
    """A limit of the pod that is called."""
    limits: list[dict[str, Any]] = [{"name": "few", "requests": requests, "per": "1h", "burst": requests}]
    return policy(NAMESPACE, "cart", kind="RateLimitPolicy", limits=limits)


async def test_services_are_called_at_their_addresses_and_endpoints_of_headless_ones_at_theirs(
    kinds: ApiServer, tmp_path: Path
) -> None:
    async with shop(kinds, tmp_path) as here:
        for found in (service(NAMESPACE, "cart"), headless(service(NAMESPACE, "each"))):
            name = found["metadata"]["name"]
            slices = endpoint_slice(NAMESPACE, name, here.cart.address, port=APP_PORT, pods=["cart"])
            await kinds.apply(found, slices, policy(NAMESPACE, name, timeouts={"request": "500ms"}))
        await kinds.apply(few(4))
        await until(lambda: synced(kinds), timeout_seconds=30)
        address = (await kinds.get("service", "cart", "-n", NAMESPACE))["spec"]["clusterIP"]
        for place_of, port in ((address, 80), (here.cart.address, APP_PORT)):
            here.app.answer = lambda _: OK
            assert (await here.call(place_of, port)).status == 200
            here.app.answer = lambda _: slow(5)
            late = await here.call(place_of, port)
            assert (late.status, b"timeout.request" in late.body) == (504, True)
        assert (await here.call(address, 80)).status == 429


async def synced(server: ApiServer) -> bool:
    """Whether the sidecar of the pod that is called enforces the limit."""
    found = await server.get("ratelimitpolicy", "cart", "-n", NAMESPACE)
    return bool(found.get("status", {}).get("synced") == "1/1")
