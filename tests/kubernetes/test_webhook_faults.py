"""Webhooks of the chart that are away, slow, or show a certificate that nobody is to trust.

Whom it concerns, and what people are told.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.charts.render import CHART, NAMESPACE, find, rendered
from tests.support.kube import ApiServer, KubectlError
from tests.support.kube.objects import policy
from tests.support.kube.pods import labelled, pod
from tests.support.pki import Authority, Leaf
from tests.support.ports import free_port
from tests.support.readiness import until

pytestmark = pytest.mark.asyncio(loop_scope="session")  # which is where the faulty servers are
HERE, BESIDE, SYSTEM, WATCHED = "faulty", "faulty-beside", "kube-system", "faulty-watched"
ASKING = {"breakwater.dev/inject": "enabled"}
INJECTED = "breakwater.dev/status"
SAYS = {
    "away": "connection refused",
    "slow": "context deadline exceeded",
    "wrong": "certificate signed by unknown authority",
    "expired": "certificate has expired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    """An API server whose webhooks have a fault, of which it says `says`."""

    server: ApiServer
    says: str
    is_fatal: bool

    async def created(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """What would be kept of a document."""
        words = ("create", "--dry-run=server", "-o", "json", "-f", "-")
        found: dict[str, Any] = json.loads(await self.server.kubectl(*words, text=json.dumps(document)))
        return found


@asynccontextmanager
async def silent(shown: Leaf) -> AsyncIterator[int]:
    """The port of a server that listens, and answers nothing."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown.certificate, shown.key)

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def fault(name: str, scratch: Path) -> AsyncIterator[tuple[int, bytes]]:
    """The port at which webhooks have this fault, and the roots that the API server is to trust."""
    authority = Authority(scratch)
    bundle = authority.certificate.read_bytes()
    shown = {
        "away": authority.leaf("away"),
        "slow": authority.leaf("slow"),
        "wrong": Authority(scratch / "other", name="another authority").leaf("wrong"),
        "expired": authority.leaf("expired", life=timedelta(minutes=-1)),
    }[name]
    if name == "away":
        yield free_port(), bundle
        return
    async with silent(shown) as port:
        yield port, bundle


def led(configuration: Mapping[str, Any], port: int, bundle: bytes, seconds: int) -> dict[str, Any]:
    """A configuration of the chart whose webhooks are at a port here, and given so long to answer.

    One more is asked about `WATCHED` and always fatal, which tells that the API server knows them all.
    """
    first = configuration["webhooks"][0]
    path = first["clientConfig"]["service"]["path"]
    here = {
        "clientConfig": {
            "url": f"https://127.0.0.1:{port}{path}",
            "caBundle": base64.b64encode(bundle).decode(),
        },
        "timeoutSeconds": seconds,
    }
    watched = {
        "name": "watched.breakwater.dev",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": WATCHED}},
        "objectSelector": {},
        "failurePolicy": "Fail",
    }
    webhooks = [each | here for each in configuration["webhooks"]]
    return {**configuration, "webhooks": [*webhooks, first | here | watched]}


@pytest_asyncio.fixture(
    loop_scope="session",
    scope="module",
    params=list(product(SAYS, ("Fail", "Ignore"))),
    ids="-".join,
)
async def faulty(
    kinds: ApiServer, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Faulty]:
    name, failing = request.param
    objects = await rendered(CHART, f"--set=injector.failurePolicy={failing}")
    both = [find(objects, f"{kind}WebhookConfiguration") for kind in ("Mutating", "Validating")]
    for namespace, labels in ((HERE, ASKING), (BESIDE, {}), (NAMESPACE, ASKING), (SYSTEM, {}), (WATCHED, {})):
        await kinds.create_namespace(namespace, labels)
    async with fault(name, tmp_path_factory.mktemp(name)) as (port, bundle):
        seconds = 1 if name == "slow" else 30
        await kinds.apply(*(led(each, port, bundle, seconds) for each in both))
        found = Faulty(server=kinds, says=SAYS[name], is_fatal=failing == "Fail")
        for document in (pod(WATCHED, "known"), policy(WATCHED, "known", timeouts={})):
            await until(partial(is_refused, found, document))
        yield found
        for each in both:
            await kinds.kubectl("delete", each["kind"].lower(), each["metadata"]["name"])


async def is_refused(faulty: Faulty, document: Mapping[str, Any]) -> bool:
    """Whether the webhook is known by now, by what is said of it."""
    try:
        await faulty.server.apply(document, dry_run=True)
    except KubectlError as error:
        return faulty.says in str(error)
    return False


@pytest.mark.parametrize(
    "document", [pod(HERE, "wanting"), labelled(pod(BESIDE, "asking"), "true")], ids=["namespace", "pod"]
)
async def test_a_pod_that_is_to_have_a_sidecar_is_created_without_or_not_at_all(
    faulty: Faulty, document: dict[str, Any]
) -> None:
    if not faulty.is_fatal:
        assert INJECTED not in (await faulty.created(document))["metadata"].get("annotations", {})
        return
    with pytest.raises(KubectlError, match=r"failed calling webhook .*injector\.breakwater\.dev") as caught:
        await faulty.server.apply(document, dry_run=True)
    assert faulty.says in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        pod(BESIDE, "plain"),
        labelled(pod(HERE, "opted-out"), "false"),
        pod(HERE, "host", hostNetwork=True),
        pod(NAMESPACE, "own"),
        labelled(pod(SYSTEM, "system"), "true"),
        policy(HERE, "cart", timeouts={"request": "1s"}),
        policy(NAMESPACE, "cart", timeouts={"request": "1s"}),
    ],
    ids=lambda document: f"{document['metadata']['namespace']}-{document['metadata']['name']}",
)
async def test_everything_else_is_created(faulty: Faulty, document: dict[str, Any]) -> None:
    await faulty.server.apply(document, dry_run=True)
