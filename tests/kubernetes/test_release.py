"""A release from its installation to its end, on an API server of its own."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from controlplane.sources.codec import load_schema
from tests.support.charts.render import CHART, CHARTS, NAMESPACE
from tests.support.crds.files import template
from tests.support.helm import Helm
from tests.support.kube import ApiServer, KubectlError, api_server
from tests.support.reference import read_comments

pytestmark = pytest.mark.timeout(300)  # each has an API server of its own, and Helm many requests
HERE = f"--namespace={NAMESPACE}"
POLICY: dict[str, Any] = {
    "apiVersion": "breakwater.dev/v1alpha1",
    "kind": "ResiliencePolicy",
    "metadata": {"name": "cart", "namespace": "default"},
    "spec": {"targetRefs": [{"kind": "Service", "name": "cart"}], "timeouts": {"request": "800ms"}},
}
NEWER = {**POLICY, "spec": {**POLICY["spec"], "bulkhead": {"maxConcurrent": 5}}}


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[ApiServer]:
    """A cluster that nobody has touched."""
    async with api_server(tmp_path / "cluster") as server:
        yield server


def helm_for(server: ApiServer) -> Helm:
    return Helm(home=server.folder / "helm", kubeconfig=server.kubeconfig)


async def grace(server: ApiServer) -> Any:
    deployment = await server.get("deployment", "breakwater-controlplane", HERE)
    return deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


async def secret(server: ApiServer, name: str) -> Any:
    return (await server.get("secret", name, HERE))["data"]


async def spec_of(server: ApiServer) -> Any:
    return (await server.get("resp", "cart"))["spec"]


def chart_before_bulkheads(folder: Path) -> Path:
    """The chart of the kinds as it was before there were bulkheads."""
    shutil.copytree(CHARTS / "breakwater-crds", folder)
    kind = load_schema().kinds["ResiliencePolicy"]
    fields = {name: field for name, field in kind.spec.fields.items() if name != "bulkhead"}
    older = replace(kind, spec=replace(kind.spec, fields=fields))
    (folder / "templates" / "resilience.yaml").write_text(template(older, read_comments()))
    return folder


async def test_a_release_is_installed_upgraded_rolled_back_and_removed(cluster: ApiServer) -> None:
    helm = helm_for(cluster)
    notes = await helm("install", "breakwater", CHART, HERE, "--create-namespace")
    assert "WARNING: without an etcd there is one replica" in notes
    await cluster.apply(POLICY)
    written = await spec_of(cluster)

    changed = ("--set=etcd.bundled.enabled=true", "--set=controlplane.terminationGracePeriodSeconds=60")
    await helm("upgrade", "breakwater", CHART, HERE, *changed)
    assert await grace(cluster) == 60
    made = [await secret(cluster, name) for name in ("breakwater-etcd", "breakwater-admin")]
    await helm("upgrade", "breakwater", CHART, HERE, *changed)
    assert [await secret(cluster, name) for name in ("breakwater-etcd", "breakwater-admin")] == made

    await helm("rollback", "breakwater", "1", HERE)
    assert await grace(cluster) == 45
    assert (await cluster.kubectl("get", "statefulset", HERE, "-o", "name")) == ""

    await helm("uninstall", "breakwater", HERE)
    assert (await cluster.kubectl("get", "deployment,role,networkpolicy,service", HERE, "-o", "name")) == ""
    assert await spec_of(cluster) == written


async def test_what_the_control_plane_wrote_into_webhooks_survives_an_upgrade(cluster: ApiServer) -> None:
    helm = helm_for(cluster)
    await helm("install", "breakwater", CHART, HERE, "--create-namespace")
    patch = {"webhooks": [{"name": "validator.breakwater.dev", "clientConfig": {"caBundle": "Cg=="}}]}
    who = ("--field-manager=breakwater.dev/controller", "--type=strategic", f"-p={json.dumps(patch)}")
    where = ("validatingwebhookconfiguration", "breakwater-validator")
    await cluster.kubectl("patch", *where, *who)
    await helm("upgrade", "breakwater", CHART, HERE, "--set=controlplane.replicas=1")
    [webhook] = (await cluster.get(*where))["webhooks"]
    assert webhook["clientConfig"]["caBundle"] == "Cg=="


async def test_kinds_of_their_own_release_are_upgraded_and_keep_objects(cluster: ApiServer) -> None:
    helm, chart = helm_for(cluster), CHARTS / "breakwater-crds"
    older = await asyncio.to_thread(chart_before_bulkheads, cluster.folder / "older")
    await helm("install", "kinds", older, HERE, "--create-namespace")
    await helm("install", "breakwater", CHART, HERE, "--set=crds.install=false")
    await cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    await cluster.apply(POLICY)
    written = await spec_of(cluster)
    with pytest.raises(KubectlError, match="bulkhead: field not declared in schema"):
        await cluster.apply(NEWER)

    await helm("upgrade", "kinds", chart, HERE)
    assert await spec_of(cluster) == written
    await cluster.apply(NEWER)
    written = await spec_of(cluster)
    assert written["bulkhead"] == {"maxConcurrent": 5}
    await helm("uninstall", "kinds", HERE)
    assert await spec_of(cluster) == written
