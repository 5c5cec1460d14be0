"""Routes of the cluster: what their status says, and where a real sidecar sends calls by them."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio

from tests.support.app import App, Reply
from tests.support.grpcapp import ECHO, FAIL, call, grpc_app
from tests.support.kube import ApiServer
from tests.support.kube.cluster import Cluster, cluster
from tests.support.kube.objects import Document, external, policy, service
from tests.support.kube.scripted import Delay, scripted
from tests.support.kube.tools import KubectlError
from tests.support.mesh import ControlPlane, Sidecar, cluster_controlplane, sidecar
from tests.support.readiness import Condition, until

HTTP = "apis/gateway.networking.k8s.io/v1/httproutes"
GRPC = "apis/gateway.networking.k8s.io/v1/grpcroutes"
CART = {"group": "", "kind": "Service", "name": "cart"}
GATEWAY = {"name": "edge"}
AFFECTED = "breakwater.dev/ResiliencePolicyAffected"


def backend(name: str, **more: int) -> Mapping[str, Any]:
    return {"group": "breakwater.dev", "kind": "ExternalService", "name": name, "port": 80, **more}


def route(kind: str, namespace: str, *rules: Mapping[str, Any]) -> Document:
    """A route of calls to the cart, and of a gateway that is none of ours."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "api", "namespace": namespace},
        "spec": {"parentRefs": [CART, GATEWAY], "rules": list(rules)},
    }


def says(here: Cluster, resource: str, *expected: tuple[str, str, str]) -> Condition:
    """The condition that a route's status says this, and nothing else: parent, type and reason."""

    async def holds() -> bool:
        parents = (await here.status("api", resource)).get("parents", ())
        return list(expected) == [
            (parent["parentRef"]["name"], each["type"], each["reason"])
            for parent in parents
            for each in parent["conditions"]
        ]

    return holds


def accepted(here: Cluster, resource: str) -> Condition:
    return says(here, resource, ("cart", "Accepted", "Accepted"), ("cart", "ResolvedRefs", "ResolvedRefs"))


async def test_a_route_says_at_each_parent_what_became_of_it(kinds: ApiServer, plane: ControlPlane) -> None:
    lost = {"backendRefs": [{"name": "gone", "port": 80}]}
    elsewhere = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}
    async with cluster(kinds, plane, "routed") as here:
        await kinds.apply(route("HTTPRoute", "routed", lost))
        unresolved = ("cart", "ResolvedRefs", "BackendNotFound")
        await until(says(here, HTTP, ("cart", "Accepted", "NoMatchingParent"), unresolved))
        await kinds.apply(service("routed", "cart"))
        await until(says(here, HTTP, ("cart", "Accepted", "Accepted"), unresolved))
        await kinds.apply(route("HTTPRoute", "routed", {"filters": [elsewhere]}))
        await until(says(here, HTTP, ("cart", "Accepted", "UnsupportedValue")))


async def test_a_route_says_which_policies_act_on_it(kinds: ApiServer, plane: ControlPlane) -> None:
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "api", "sectionName": "get"}
    rule = {"name": "get", "matches": [{"method": "GET"}]}
    named = ("cart", "Accepted", "Accepted"), ("cart", "ResolvedRefs", "ResolvedRefs")
    async with cluster(kinds, plane, "affected") as here:
        await kinds.apply(service("affected", "cart"), route("HTTPRoute", "affected", rule))
        await until(says(here, HTTP, *named))
        await kinds.apply(policy("affected", "hasty", targetRefs=[target], timeouts={"request": "1s"}))
        await until(says(here, HTTP, *named, ("cart", AFFECTED, "PolicyAffected")))
        await kinds.kubectl("delete", "resp", "hasty", "-n", "affected")
        await until(says(here, HTTP, *named))


def controllers_are(here: Cluster, *expected: str) -> Condition:
    """The condition that these speak of a route, each of its own parent."""

    async def holds() -> bool:
        parents = (await here.status("api", HTTP)).get("parents", ())
        return sorted(parent["controllerName"] for parent in parents) == sorted(expected)

    return holds


async def speak(here: Cluster, controller: str) -> None:
    """Write as another controller what became of the route at the gateway."""
    condition = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    parent = {"parentRef": GATEWAY, "controllerName": controller, "conditions": [condition]}
    url = f"/apis/gateway.networking.k8s.io/v1/namespaces/{here.namespace}/httproutes/api/status"
    form = {"Content-Type": "application/merge-patch+json"}
    body = json.dumps({"status": {"parents": [parent]}})
    async with here.server.session() as session, session.patch(url, data=body, headers=form) as answer:
        assert answer.status == 200, await answer.text()


async def test_what_another_controller_says_meanwhile_is_kept_and_ours_goes_with_the_parent(
    kinds: ApiServer, tmp_path: Path
) -> None:
    ours, other = "breakwater.dev/controller", "example.com/gateways"
    flags = ("--insecure", "--revision=spoken")
    async with (
        scripted(kinds, tmp_path) as proxy,
        cluster_controlplane(tmp_path, proxy.kubeconfig, flags=flags) as plane,
        cluster(kinds, plane, "spoken") as here,
    ):
        await kinds.create_namespace("spoken", {"breakwater.dev/revision": "spoken"})
        proxy.endless["write"] = repeat(Delay(seconds=1))
        written = route("HTTPRoute", "spoken", {"name": "all"})
        await kinds.apply(service("spoken", "cart"), written)
        await speak(here, other)
        await until(controllers_are(here, ours, other), timeout_seconds=60)
        proxy.endless.clear()
        await kinds.apply({**written, "spec": {**written["spec"], "parentRefs": [GATEWAY]}})
        await until(controllers_are(here, other), timeout_seconds=60)


async def test_what_the_gateway_api_forbids_is_refused_before_it_gets_to_us(kinds: ApiServer) -> None:
    crooked = {"matches": [{"path": {"type": "PathPrefix", "value": "cart"}}]}
    with pytest.raises(KubectlError, match="must be an absolute path"):
        await kinds.apply(route("HTTPRoute", "default", crooked), dry_run=True)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def caller(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sidecar]:
    """The sidecar of somebody who only calls."""
    scratch = tmp_path_factory.mktemp("caller")
    async with sidecar(scratch, "calling/web", app_port=1, discovery=plane.discovery) as web:
        await web.ready()
        yield web


async def bodies(caller: Sidecar, host: str, path: str, count: int) -> Counter[str]:
    """What the answers to some calls in turn say; the status of those that are a refusal."""
    found: Counter[str] = Counter()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{caller.outbound}") as session:
        for _ in range(count):
            async with session.get(path, headers={"Host": host}) as answer:
                found[await answer.text() if answer.ok else str(answer.status)] += 1
    return found


async def test_an_http_route_leads_calls_by_path_and_weight_until_it_is_deleted(
    kinds: ApiServer, plane: ControlPlane, caller: Sidecar
) -> None:
    new = {"matches": [{"path": {"type": "PathPrefix", "value": "/new"}}], "backendRefs": [backend("canary")]}
    rest = {"backendRefs": [backend("stable", weight=3), backend("canary", weight=1)]}
    async with (
        App(Reply(body=b"stable")) as stable,
        App(Reply(body=b"canary")) as canary,
        cluster(kinds, plane, "split") as here,
    ):
        await kinds.apply(
            service("split", "cart"),
            external("split", "stable", stable.port),
            external("split", "canary", canary.port),
        )

        def leads(path: str, **expected: int) -> Condition:
            async def holds() -> bool:
                return await bodies(caller, "cart.split", path, sum(expected.values())) == expected

            return holds

        await until(leads("/new", **{"503": 1}))
        await kinds.apply(route("HTTPRoute", "split", new, rest))
        await until(leads("/new/till", canary=2))
        assert await bodies(caller, "cart.split", "/", 8) == {"stable": 6, "canary": 2}
        await until(accepted(here, HTTP))
        await kinds.kubectl("delete", "httproute", "api", "-n", "split")
        await until(leads("/new", **{"503": 2}))


async def test_a_grpc_route_leads_calls_by_method_until_it_is_deleted(
    kinds: ApiServer, plane: ControlPlane, caller: Sidecar
) -> None:
    echo = {"matches": [{"method": {"service": "test.Probe", "method": "Echo"}}]}
    async with (
        grpc_app() as stable,
        grpc_app() as canary,
        cluster(kinds, plane, "methods") as here,
    ):
        cart = service("methods", "cart")
        await kinds.apply(
            {**cart, "spec": {**cart["spec"], "ports": [{"name": "grpc", "port": 80}]}},
            external("methods", "stable", stable.port, protocol="GRPC"),
            external("methods", "canary", canary.port, protocol="GRPC"),
        )

        def ends(method: str, code: grpc.StatusCode) -> Condition:
            async def holds() -> bool:
                return (await call(caller.outbound, method, host="cart.methods")).code is code

            return holds

        rules = {**echo, "backendRefs": [backend("canary")]}, {"backendRefs": [backend("stable")]}
        await kinds.apply(route("GRPCRoute", "methods", *rules))
        await until(ends(ECHO, grpc.StatusCode.OK))
        await until(ends(FAIL, grpc.StatusCode.UNAVAILABLE))
        assert (set(canary.calls), set(stable.calls)) == ({"Echo"}, {"Fail"})
        await until(accepted(here, GRPC))
        await kinds.kubectl("delete", "grpcroute", "api", "-n", "methods")
        await until(ends(ECHO, grpc.StatusCode.UNAVAILABLE))
