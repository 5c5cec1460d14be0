"""A policy's life in a cluster: applied, enforced by real sidecars, its status true, deleted again."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controlplane.cli.errors import RefusedError
from tests.support.app import App, Reply
from tests.support.kube import ApiServer
from tests.support.kube.calls import answers
from tests.support.kube.cluster import LIMITS, Cluster, cluster
from tests.support.kube.objects import endpoint_slice, policy, service
from tests.support.mesh import ControlPlane, Sidecar, sidecar
from tests.support.readiness import until

SLOW = Reply(delay_seconds=0.05)
OK, TIMED_OUT = 200, 504


@asynccontextmanager
async def calling(cluster: Cluster, app: App, scratch: Path) -> AsyncIterator[Sidecar]:
    """A sidecar of a caller, with one of the callee `cart` in front of `app`."""
    async with AsyncExitStack() as stack:
        for name, port in (("cart", app.port), ("web", app.port)):
            started = await stack.enter_async_context(
                sidecar(
                    scratch,
                    f"{cluster.namespace}/{name}",
                    app_port=port,
                    discovery=cluster.plane.discovery,
                )
            )
            await started.ready()
        yield started


async def test_a_policy_is_enforced_synced_and_gone_with_its_deletion(
    kinds: ApiServer, plane: ControlPlane, tmp_path: Path
) -> None:
    async with (
        cluster(kinds, plane, "life") as here,
        App(SLOW) as app,
        calling(here, app, tmp_path) as caller,
    ):
        await until(answers(caller, "cart.life", OK))
        await kinds.apply(policy("life", "cart", timeouts={"request": "1s"}))
        await until(here.says("cart", Accepted="Accepted", Programmed="Programmed", Synced="Synced"))
        first = await here.status("cart")
        assert (first["synced"], first["observedGeneration"]) == ("1/1", 1)

        await kinds.apply(policy("life", "cart", timeouts={"request": "5ms"}))
        stored = time.monotonic()
        await until(answers(caller, "cart.life", TIMED_OUT))
        seconds = time.monotonic() - stored
        print(f"from kubectl apply to enforcement: {seconds * 1000:.0f} ms")  # noqa: T201

        await until(lambda: observed(here, "cart", 2))
        second = await here.status("cart")
        assert instants(second) == instants(first), "no condition changed, so no instant may"

        await kinds.kubectl("delete", "resiliencepolicy", "cart", "-n", "life")
        await until(answers(caller, "cart.life", OK))


async def observed(here: Cluster, name: str, generation: int) -> bool:
    return (await here.status(name)).get("observedGeneration") == generation


def instants(status: Mapping[str, Any]) -> dict[str, str]:
    return {each["type"]: each["lastTransitionTime"] for each in status["conditions"]}


async def test_services_are_in_the_catalogue_with_their_contract_and_endpoints(
    kinds: ApiServer, plane: ControlPlane
) -> None:
    async with cluster(kinds, plane, "services") as here:
        await kinds.apply(service("services", "till", owner="team-a"))
        await until(lambda: endpoints_are(here, "till", []))
        await kinds.apply(endpoint_slice("services", "till", "10.1.2.3", "10.1.2.4", port=8080))
        await until(lambda: endpoints_are(here, "till", ["10.1.2.3", "10.1.2.4"]))
        await kinds.kubectl("delete", "service", "till", "-n", "services")
        await until(lambda: endpoints_are(here, "till", None))


async def endpoints_are(here: Cluster, name: str, addresses: list[str] | None) -> bool:
    """Whether a service has these endpoints; `None`: there is no such service."""
    found = (await here.plane.ask("ListMeshServices", {"namespace": here.namespace})).get("services", [])
    service = next((each for each in found if each["name"]["name"] == name), None)
    if service is None or addresses is None:
        return service is addresses
    assert service["contract"]["owner"] == "team-a"
    asked = {"service": {"namespace": here.namespace, "name": name}}
    listed = (await here.plane.ask("ListMeshEndpoints", asked)).get("endpoints", [])
    return [each["address"] for each in listed] == addresses


async def test_policies_are_changed_in_the_cluster_and_nowhere_else(
    kinds: ApiServer, plane: ControlPlane
) -> None:
    document = policy("readonly", "cart", timeouts={})
    async with cluster(kinds, plane, "readonly") as here:
        await kinds.apply(document)
        await until(here.says("cart", Accepted="TargetNotFound"))
        named = {"kind": "ResiliencePolicy", "namespace": "readonly", "name": "cart"}
        with pytest.raises(RefusedError, match="kubectl delete resiliencepolicy cart -n readonly"):
            await here.plane.ask("DeletePolicy", named)
        other = policy("readonly", "other", timeouts={})
        manifest = {"file": "other.yaml", "text": json.dumps(other)}
        with pytest.raises(RefusedError, match="kubectl apply"):
            await here.plane.ask("ApplyPolicies", {"manifests": [manifest]})


def elsewhere(namespace: str) -> dict[str, Any]:
    """A limit on a service of another namespace."""
    limits = [{"name": "a", "requests": 1, "per": "1s"}]
    document = policy(namespace, "crossing", kind="RateLimitPolicy", limits=limits)
    target = {**document["spec"]["targetRefs"][0], "namespace": "elsewhere"}
    return {**document, "spec": {**document["spec"], "targetRefs": [target]}}


async def test_a_policy_that_is_not_in_force_says_why(kinds: ApiServer, plane: ControlPlane) -> None:
    same = [{"kind": "Service", "name": "cart"}, {"kind": "Service", "name": "cart", "namespace": "refused"}]
    broken = policy("refused", "broken", targetRefs=same)
    async with cluster(kinds, plane, "refused") as here:
        await kinds.apply(policy("refused", "missing", timeouts={}), elsewhere("refused"), broken)
        await until(here.says("missing", Accepted="TargetNotFound", Programmed="TargetNotFound"))
        await until(here.says("broken", Accepted="Invalid", Programmed="Invalid"))
        await until(here.says("crossing", LIMITS, Accepted="RefNotPermitted"))
        found = await kinds.get("events.events.k8s.io", "-n", "refused")
        noted = {(each["regarding"]["name"], each["reason"]) for each in found["items"]}
        assert noted == {("broken", "Invalid"), ("crossing", "RefNotPermitted")}


async def test_a_policy_for_a_namespace_waits_until_it_is_there(
    kinds: ApiServer, plane: ControlPlane
) -> None:
    nowhere = policy("visitor", "all", targetRefs=[{"kind": "Namespace", "name": "nowhere"}], timeouts={})
    async with cluster(kinds, plane, "visitor") as here:
        await kinds.apply(nowhere)
        await until(here.says("all", Accepted="TargetNotFound", Programmed="TargetNotFound"))
        await kinds.create_namespace("nowhere")
        await until(here.says("all", Accepted="Accepted", Programmed="NoEnforcer"))


async def test_what_a_reference_grant_permits_is_in_force_while_it_is_there(
    kinds: ApiServer, plane: ControlPlane
) -> None:
    await kinds.create_namespace("elsewhere")
    grant = {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "limits.web", "namespace": "elsewhere"},
        "spec": {
            "from": [{"group": "breakwater.dev", "kind": "RateLimitPolicy", "namespace": "granted"}],
            "to": [{"group": "", "kind": "Service"}],
        },
    }
    async with cluster(kinds, plane, "granted") as here:
        await kinds.apply(elsewhere("granted"))
        await until(here.says("crossing", LIMITS, Accepted="RefNotPermitted"))
        await kinds.apply(grant)
        await until(here.says("crossing", LIMITS, Accepted="TargetNotFound"))
        await kinds.kubectl("delete", "referencegrant", "limits.web", "-n", "elsewhere")
        await until(here.says("crossing", LIMITS, Accepted="RefNotPermitted"))
