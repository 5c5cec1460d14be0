"""The chart with its default values, its control plane run as its Deployment and its role say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.app import App, Reply
from tests.support.charts.render import CHART, NAMESPACE
from tests.support.charts.run import NAME, ROOTS, checked, deployed
from tests.support.helm import Helm
from tests.support.kube import ApiServer, api_server
from tests.support.kube.audit import audit_flags, audited, refused
from tests.support.kube.calls import answers
from tests.support.kube.objects import external, policy
from tests.support.kube.pods import bound_token, pod
from tests.support.mesh import ControlPlane, Sidecar, sidecar
from tests.support.readiness import that, until

SLOW = Reply(delay_seconds=0.05)


@asynccontextmanager
async def installed(scratch: Path) -> AsyncIterator[ApiServer]:
    """A cluster of its own with a release of the chart, which notes what its account does."""
    flags = audit_flags(scratch / "audit", NAMESPACE, NAME)
    async with api_server(scratch / "cluster", *flags) as server:
        helm = Helm(home=scratch / "helm", kubeconfig=server.kubeconfig)
        await helm("install", "breakwater", CHART, f"--namespace={NAMESPACE}", "--create-namespace")
        await server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield server


SELDOM = {
    ("configmaps", "create"),  # an apply that makes one is noted as a patch
    ("secrets", "update"),  # once in eight months
    ("httproutes", "watch"),  # this cluster has no kinds of the Gateway API
    ("httproutes/status", "patch"),
    ("events", "create"),  # nothing goes wrong here
    ("events", "get"),
    ("events", "patch"),
}


async def idle(server: ApiServer, audit: Path) -> set[tuple[str, str]]:
    """What rules of the roles allow and nobody did, by the first resource of each and the verb."""
    cluster_wide = await server.get("clusterrole", f"{NAME}-{NAMESPACE}")
    own = await server.get("role", NAME, f"--namespace={NAMESPACE}")
    asked = ((event["objectRef"], event["verb"]) for event in audited(audit) if "objectRef" in event)
    done = {("/".join(filter(None, (ref["resource"], ref.get("subresource")))), verb) for ref, verb in asked}
    return {
        (rule["resources"][0], verb)
        for rule in (*cluster_wide["rules"], *own["rules"])
        for verb in rule["verbs"]
        if not any((resource, verb) in done for resource in rule["resources"])
    }


CART = {"group": "breakwater.dev", "kind": "ExternalService", "name": "cart"}


@asynccontextmanager
async def calling(server: ApiServer, plane: ControlPlane, scratch: Path) -> AsyncIterator[Sidecar]:
    """The sidecar of a caller, with the token of its pod."""
    await server.apply(pod("shop", "web"))
    token = await bound_token(server, "shop", "web")
    await asyncio.to_thread((scratch / "token").write_text, token)
    trust = ("--controlplane-ca", str(scratch / ROOTS), "--token-file", str(scratch / "token"))
    async with sidecar(
        scratch, "shop/web", name="web.shop", app_port=1, discovery=plane.discovery, flags=trust
    ) as web:
        await web.ready()
        yield web


async def test_a_policy_is_enforced_by_what_the_chart_installs(tmp_path: Path) -> None:
    async with installed(tmp_path) as server, App(SLOW) as app:
        await server.create_namespace("shop")
        async with (
            deployed(server, tmp_path / "pod") as plane,
            calling(server, plane, tmp_path / "pod") as caller,
        ):
            timely = policy("shop", "cart", targetRefs=[CART], timeouts={"request": "10ms"})
            await server.apply(external("shop", "cart", app.port), timely)

            async def is_synced() -> bool:
                found: dict[str, Any] = await server.get("resp", "cart", "-n", "shop")
                return str(found.get("status", {}).get("synced")) == "1/1"

            await until(answers(caller, "cart.shop", 504))
            await until(is_synced)
            findings = await checked(server, plane, tmp_path / "check")
            assert findings
            assert not [each for each in findings if each["mark"] == "×"]  # noqa: RUF001 (the mark of `check`)
        assert plane.process.child.returncode == 0
        await until(that(lambda: any(event["verb"] == "patch" for event in audited(tmp_path / "audit"))))
        assert refused(tmp_path / "audit") == []
        assert await idle(server, tmp_path / "audit") == SELDOM
