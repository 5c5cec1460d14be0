"""Whom it concerns that no control plane answers the API server, by the selectors of the chart."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from tests.support.charts.render import CHART, NAMESPACE, find, rendered
from tests.support.kube import ApiServer, KubectlError
from tests.support.kube.pods import labelled, pod
from tests.support.ports import free_port
from tests.support.readiness import until

HERE, BESIDE = "away", "away-beside"
WANTING = (pod(HERE, "wanting"), labelled(pod(BESIDE, "asking"), "true"))
FAILING = "--set=injector.failurePolicy=Fail"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def alone(kinds: ApiServer) -> AsyncIterator[ApiServer]:
    """The API server with the injector's webhooks of the chart, behind which nobody is."""
    found = find(await rendered(CHART, FAILING), "MutatingWebhookConfiguration")
    nobody = {"clientConfig": {"url": f"https://127.0.0.1:{free_port()}/inject"}}
    asking = {"breakwater.dev/inject": "enabled"}
    for namespace, labels in ((HERE, asking), (BESIDE, {}), (NAMESPACE, asking)):
        await kinds.create_namespace(namespace, labels)
    await kinds.apply({**found, "webhooks": [webhook | nobody for webhook in found["webhooks"]]})
    for wanting in WANTING:
        await until(partial(_is_refused, kinds, wanting))
    yield kinds
    await kinds.kubectl("delete", "mutatingwebhookconfiguration", found["metadata"]["name"])


async def _is_refused(server: ApiServer, document: dict[str, Any]) -> bool:
    """Whether the webhooks are known by now: they are a moment after they were written."""
    try:
        await server.apply(document, dry_run=True)
    except KubectlError:
        return True
    return False


@pytest.mark.parametrize("document", WANTING, ids=["namespace", "pod"])
async def test_with_fail_pods_that_are_to_have_a_sidecar_are_not_created(
    alone: ApiServer, document: dict[str, Any]
) -> None:
    with pytest.raises(KubectlError, match=r"failed calling webhook .*injector\.breakwater\.dev"):
        await alone.apply(document, dry_run=True)


@pytest.mark.parametrize(
    "document",
    [
        pod(BESIDE, "plain"),
        labelled(pod(HERE, "opted-out"), "false"),
        pod(HERE, "host", hostNetwork=True),
        pod(NAMESPACE, "own"),
    ],
    ids=lambda document: document["metadata"]["name"],
)
async def test_all_others_are(alone: ApiServer, document: dict[str, Any]) -> None:
    await alone.apply(document, dry_run=True)
