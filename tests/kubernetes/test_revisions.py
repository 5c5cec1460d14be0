"""Two control planes of one cluster, each with its release's own role: a namespace moves between them."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.app import App
from tests.support.charts.render import CHART, NAMESPACE
from tests.support.charts.run import NAME, ROOTS, deployed
from tests.support.helm import Helm
from tests.support.kube import ApiServer, api_server
from tests.support.kube.audit import audit_flags, audited, refused
from tests.support.kube.injected import injected_sidecar
from tests.support.kube.objects import endpoint_slice, policy, service
from tests.support.kube.pods import annotated, pod
from tests.support.mesh import ControlPlane, Sidecar
from tests.support.readiness import Condition, until

pytestmark = pytest.mark.timeout(300)  # an API server of its own, and two releases
CANARY = "canary-breakwater-controlplane"
MOVED, STAYING = "moved", "staying"
WRITERS = {f"system:serviceaccount:{NAMESPACE}:{name}": name for name in (NAME, CANARY)}


def limit(namespace: str, *, requests: int) -> Mapping[str, Any]:
    limits = [{"name": "few", "requests": requests, "per": "1s"}]
    return policy(namespace, "cart", kind="RateLimitPolicy", limits=limits)


@asynccontextmanager
async def installed(scratch: Path) -> AsyncIterator[ApiServer]:
    """A cluster with two releases in one namespace, the second with a revision; it notes what they do."""
    flags = audit_flags(scratch / "audit", NAMESPACE, NAME, CANARY)
    async with api_server(scratch / "cluster", *flags) as server:
        helm = Helm(home=scratch / "helm", kubeconfig=server.kubeconfig)
        here = f"--namespace={NAMESPACE}"
        await helm("install", "breakwater", CHART, here, "--create-namespace")
        await server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        await helm("install", "canary", CHART, here, "--set=injector.revision=canary,crds.install=false")
        for name in (MOVED, STAYING):
            await server.create_namespace(name, {"breakwater.dev/inject": "enabled"})
            await server.apply(service(name, "cart"), limit(name, requests=1))
        yield server


async def injected(server: ApiServer, namespace: str, name: str) -> dict[str, Any]:
    """A pod as it is kept, behind the service."""
    await server.apply(annotated(pod(namespace, name), capture="Explicit"))
    slice_of = endpoint_slice(namespace, "cart", "10.1.2.3", port=8080, pods=[name], name=name)
    await server.apply(slice_of)
    return await server.get("pod", name, "-n", namespace)


@asynccontextmanager
async def running(
    server: ApiServer, found: Mapping[str, Any], plane: ControlPlane, roots: Path, app: App
) -> AsyncIterator[Sidecar]:
    """The sidecar of a pod, with the roots of a control plane."""
    async with injected_sidecar(
        server, found, discovery=plane.discovery, app_port=app.port, roots=roots
    ) as started:
        await started.ready()
        yield started


def leads_to(server: ApiServer, namespace: str, name: str, roots: str) -> Condition:
    """The condition that pods of a namespace get a sidecar of this control plane, with these roots."""

    async def holds() -> bool:
        words = ("create", "--dry-run=server", "-o", "json", "-f", "-")
        text = await server.kubectl(*words, text=json.dumps(pod(namespace, "probe")))
        return f"--controlplane={name}.{NAMESPACE}.svc:15010" in text and f'"name": "{roots}"' in text

    return holds


def says(server: ApiServer, namespace: str, *, generation: int, synced: str) -> Condition:
    """The condition that the status of a policy is about a generation, and counts these sidecars."""

    async def holds() -> bool:
        found = await server.get("rlp", "cart", "-n", namespace)
        status = found.get("status", {})
        return (status.get("observedGeneration"), status.get("synced")) == (generation, synced)

    return holds


def writers(scratch: Path, namespace: str) -> list[str]:
    """Who wrote the status of the policy of a namespace, in order."""
    asked = (event for event in audited(scratch / "audit") if event["verb"] == "patch")
    status = f"/namespaces/{namespace}/ratelimitpolicies/cart/status"
    return [WRITERS[event["user"]["username"]] for event in asked if status in event["requestURI"]]


async def test_a_namespace_moves_from_one_control_plane_to_another(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    async with (
        installed(tmp_path) as server,
        App() as app,
        deployed(server, old) as first,
        deployed(server, new, CANARY) as second,
    ):
        await until(leads_to(server, MOVED, NAME, "breakwater-ca"))
        cart = await injected(server, MOVED, "cart-0")
        async with running(server, cart, first, old / ROOTS, app):
            await until(says(server, MOVED, generation=1, synced="1/1"))
            labels = ("breakwater.dev/inject-", "breakwater.dev/revision=canary")
            await server.kubectl("label", "namespace", MOVED, *labels)
            await until(leads_to(server, MOVED, CANARY, "breakwater-ca-canary"))
            await until(says(server, MOVED, generation=1, synced="0/0"))
            moved = await injected(server, MOVED, "cart-1")
            async with running(server, moved, second, new / ROOTS, app):
                await until(says(server, MOVED, generation=1, synced="1/1"))
                for name in (MOVED, STAYING):
                    await server.apply(limit(name, requests=2))
                await until(says(server, MOVED, generation=2, synced="1/1"))
                await until(says(server, STAYING, generation=2, synced="0/0"))
        in_turn = writers(tmp_path, MOVED)
        assert set(in_turn[: in_turn.index(CANARY)]) == {NAME}
        assert set(in_turn[in_turn.index(CANARY) :]) == {CANARY}
        assert set(writers(tmp_path, STAYING)) == {NAME}
        holders = await server.get("lease", "-n", NAMESPACE)
        assert len({each["spec"]["holderIdentity"] for each in holders["items"]}) == 2
        assert refused(tmp_path / "audit") == []
