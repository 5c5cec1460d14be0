"""The chart with its default values, its control plane run as its Deployment and its role say."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.app import App, Reply
from tests.support.charts.render import CHART, NAMESPACE
from tests.support.charts.run import NAME, ROOTS, deployed
from tests.support.helm import Helm
from tests.support.kube import ApiServer, api_server
from tests.support.kube.audit import audit_flags, audited, refused
from tests.support.kube.objects import policy
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


@asynccontextmanager
async def calling(plane: ControlPlane, scratch: Path, app: App) -> AsyncIterator[Sidecar]:
    """The sidecar of a caller, with that of the cart it calls."""
    flags = ("--controlplane-ca", str(scratch / ROOTS))
    async with AsyncExitStack() as stack:
        for name in ("shop/cart", "shop/web"):
            started = await stack.enter_async_context(
                sidecar(scratch, name, app_port=app.port, discovery=plane.discovery, flags=flags)
            )
            await started.ready()
        yield started


async def status_of_a_call(caller: Sidecar) -> int:
    url = f"http://127.0.0.1:{caller.outbound}/"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": "cart.shop"}) as answer:
        return answer.status


async def test_a_policy_is_enforced_by_what_the_chart_installs(tmp_path: Path) -> None:
    async with installed(tmp_path) as server, App(SLOW) as app:
        await server.create_namespace("shop")
        async with (
            deployed(server, tmp_path / "pod") as plane,
            calling(plane, tmp_path / "pod", app) as caller,
        ):
            await server.apply(policy("shop", "cart", timeouts={"request": "10ms"}))

            async def is_synced() -> bool:
                found: dict[str, Any] = await server.get("resp", "cart", "-n", "shop")
                return str(found.get("status", {}).get("synced")) == "1/1"

            async def times_out() -> bool:
                return await status_of_a_call(caller) == 504

            await until(times_out)
            await until(is_synced)
        assert plane.process.child.returncode == 0
        await until(that(lambda: any(event["verb"] == "patch" for event in audited(tmp_path / "audit"))))
        assert refused(tmp_path / "audit") == []
