"""What the API server refuses by itself of policies, beside what the definitions of their kinds say."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from tests.support.charts.render import CHART, rendered
from tests.support.kube import ApiServer, KubectlError
from tests.support.kube.objects import Document, policy
from tests.support.readiness import until

HERE, ROOT = "admission", "admission-root"
CART = {"kind": "Service", "name": "cart"}
MESH = {"group": "breakwater.dev", "kind": "Mesh", "name": "default"}
TWICE = [CART, {**CART, "namespace": HERE}]


def targeting(namespace: str, *targets: Mapping[str, Any]) -> Document:
    return policy(namespace, "any", targetRefs=list(targets), timeouts={"request": "1s"})


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def guarded(kinds: ApiServer) -> AsyncIterator[ApiServer]:
    """The API server with the admission policies of the chart, and a Mesh with a root namespace."""
    policies = [each for each in await rendered(CHART) if each["kind"].startswith("ValidatingAdmission")]
    mesh = {"apiVersion": "breakwater.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "default"}}
    for namespace in (HERE, ROOT):
        await kinds.create_namespace(namespace)
    await kinds.apply({**mesh, "spec": {"rootNamespace": ROOT}}, *policies)
    for wrong in (targeting(HERE, *TWICE), targeting(HERE, MESH)):
        await until(partial(_is_refused, kinds, wrong))
    yield kinds
    for each in policies:
        await kinds.kubectl("delete", each["kind"].lower(), each["metadata"]["name"])
    await kinds.kubectl("delete", "meshes/default")


async def _is_refused(server: ApiServer, document: Mapping[str, Any]) -> bool:
    """Whether an admission policy holds by now: it does a moment after it was written."""
    try:
        await server.apply(document, dry_run=True)
    except KubectlError:
        return True
    return False


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (TWICE, "expected each target once"),
        ([MESH], "only policies in the rootNamespace of the Mesh may target the Mesh"),
    ],
    ids=["twice", "mesh"],
)
async def test_what_depends_on_where_a_policy_lies_is_refused(
    guarded: ApiServer, targets: Sequence[Mapping[str, Any]], message: str
) -> None:
    with pytest.raises(KubectlError, match=message):
        await guarded.apply(targeting(HERE, *targets), dry_run=True)


async def test_everything_else_is_let_through(guarded: ApiServer) -> None:
    elsewhere = [CART, {**CART, "namespace": "elsewhere"}]
    profile = {
        "apiVersion": "breakwater.dev/v1alpha1",
        "kind": "SidecarProfile",
        "metadata": {"name": "default", "namespace": HERE},
        "spec": {},
    }
    for document in (targeting(HERE, *elsewhere), targeting(ROOT, MESH), profile):
        await guarded.apply(document, dry_run=True)
