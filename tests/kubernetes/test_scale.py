"""A thousand policies and two thousand slices: how soon they are served, and what one change costs."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.crds.install import install_definitions
from tests.support.kube import ADMIN_TOKEN, ApiServer, api_server
from tests.support.kube.objects import Document, endpoint_slice, policy, service
from tests.support.mesh import cluster_controlplane
from tests.support.readiness import Condition, until

NAMESPACE = "scale"
POLICIES = 1_000
SLICES_EACH = 2
AT_ONCE = 32
SYNC_SECONDS = 20
WRITE_SECONDS = 600
IDLE_SECONDS = 12
"""Longer than the controller waits between two looks at counts."""

IDLE_BUSY_SECONDS = 1
"""Six times what it took on a busy machine, and less than reading or compiling all of it anew takes."""

PLURALS = {
    "Service": "api/v1/namespaces/{}/services",
    "EndpointSlice": "apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "ResiliencePolicy": "apis/breakwater.dev/v1alpha1/namespaces/{}/resiliencepolicies",
}


@asynccontextmanager
async def session(server: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.create_default_context(cafile=str(server.credentials.ca))
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    connector = aiohttp.TCPConnector(ssl=context, limit=AT_ONCE)
    async with aiohttp.ClientSession(f"{server.url}/", connector=connector, headers=headers) as found:
        yield found


async def create(client: aiohttp.ClientSession, documents: Iterable[Document]) -> None:
    """Creates all documents, some at once."""
    waiting = iter(documents)

    async def work() -> None:
        for document in waiting:
            path = PLURALS[document["kind"]].format(NAMESPACE)
            async with client.post(path, json=document) as answer:
                assert answer.status == 201, await answer.text()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(work())


def crowd() -> Iterable[Document]:
    for number in range(POLICIES):
        name = f"service-{number}"
        yield service(NAMESPACE, name)
        for part in range(SLICES_EACH):
            address = f"10.{part + 1}.{number // 250}.{number % 250 + 1}"
            yield endpoint_slice(NAMESPACE, name, address, port=8080, name=f"{name}-{part}")
        yield policy(NAMESPACE, name, timeouts={"request": "1s"})


def cpu_seconds(pid: int) -> float:
    """How long a process has been at work."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def requests_about_policies(client: aiohttp.ClientSession) -> float:
    """How many requests about our kinds the API server has answered, but for the watches that go on."""
    async with client.get("metrics") as answer:
        lines = (await answer.text()).splitlines()
    counted = [line for line in lines if line.startswith("apiserver_request_total{")]
    ours = [line for line in counted if 'group="breakwater.dev"' in line and 'verb="WATCH"' not in line]
    return sum(float(line.rpartition(" ")[2]) for line in ours)


async def check_rest(client: aiohttp.ClientSession, pid: int) -> None:
    """Without a change a control plane asks and writes nothing, and hardly works, on a busy machine too."""
    asked, before = await requests_about_policies(client), cpu_seconds(pid)
    assert asked, "they are not counted as we believe"
    await asyncio.sleep(IDLE_SECONDS)
    busy = cpu_seconds(pid) - before
    print(f"{busy:.2f} s at work in {IDLE_SECONDS} s without a change")  # noqa: T201
    assert busy < IDLE_BUSY_SECONDS
    assert await requests_about_policies(client) == asked


async def versions(client: aiohttp.ClientSession) -> dict[str, tuple[str, int]]:
    """The version of every policy, and the generation that its status is about."""
    async with client.get(PLURALS["ResiliencePolicy"].format(NAMESPACE)) as answer:
        items = (await answer.json())["items"]
    return {
        one["metadata"]["name"]: (
            one["metadata"]["resourceVersion"],
            one.get("status", {}).get("observedGeneration", 0),
        )
        for one in items
    }


@pytest.mark.timeout(900)
async def test_a_crowd_is_served_soon_and_one_change_costs_one_status(tmp_path: Path) -> None:
    async with api_server(tmp_path / "kubernetes") as server, session(server) as client:
        await install_definitions(server)
        await server.create_namespace(NAMESPACE)
        await create(client, crowd())
        started = time.monotonic()
        async with cluster_controlplane(tmp_path, server.kubeconfig) as plane:
            wall, busy = time.monotonic() - started, cpu_seconds(plane.process.pid)
            print(f"served after {wall:.1f} s, of which {busy:.1f} s at work")  # noqa: T201
            assert busy < SYNC_SECONDS, "what it waits for the machine is not its own"
            found = await plane.ask("ListPolicies", {"namespace": NAMESPACE})
            assert len(found["policies"]) == POLICIES
            await until(all_told(client), timeout_seconds=WRITE_SECONDS)
            before = await versions(client)
            await server.apply(policy(NAMESPACE, "service-7", timeouts={"request": "2s"}))
            await until(told(client, "service-7", 2))
            after = await versions(client)
            await check_rest(client, plane.process.pid)
            assert {name for name, found in after.items() if found != before[name]} == {"service-7"}


def all_told(client: aiohttp.ClientSession) -> Condition:
    """The condition that every policy has a status."""

    async def holds() -> bool:
        return all(generation for _, generation in (await versions(client)).values())

    return holds


def told(client: aiohttp.ClientSession, name: str, generation: int) -> Condition:
    """The condition that the status of a policy is about a generation."""

    async def holds() -> bool:
        return (await versions(client))[name][1] == generation

    return holds
