"""Pods of IPv4, of IPv6 and of both: an injected sidecar is reached at every address that its pod has."""

import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.capture.mesh import DISCOVERY, SIDECAR_PAGES, Mesh, get, lead, mesh
from tests.support.capture.net import NODE, NODE_V6, Pod, net
from tests.support.injection import injected
from tests.support.process import Process
from tests.support.readiness import Condition, until
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP, INBOUND = 8080, 15006
VARIABLES = {"$(POD_NAMESPACE)": "shop", "$(POD_NAME)": "app", "$(POD_SERVICE_ACCOUNT)": "default"}


@dataclass(frozen=True, slots=True)
class Member:
    """A pod, the addresses that it has, and where the node is for it."""

    pod: Pod
    addresses: tuple[str, ...]
    node: str


@dataclass(frozen=True, slots=True)
class Families:
    """A control plane, and a pod for each choice of families."""

    mesh: Mesh
    members: dict[str, Member]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def families(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Families]:
    with net(3) as on:
        old, new, both = on.pods
        old.namespace.run("ip", "-6", "address", "flush", "dev", "eth0")
        old.namespace.run("ip", "-6", "address", "flush", "dev", "lo")
        new.namespace.run("ip", "-4", "address", "flush", "dev", "eth0")
        members = {
            "IPv4": Member(old, (old.address,), NODE),
            "IPv6": Member(new, (new.address_v6,), f"[{NODE_V6}]"),
            "both": Member(both, (both.address, both.address_v6), NODE),
        }
        async with mesh(tmp_path_factory.mktemp("families"), on, "") as running:
            yield Families(running, members)


@pytest.mark.parametrize("family", ["IPv4", "IPv6", "both"])
@pytest.mark.parametrize(("capture", "port"), [("Explicit", INBOUND), ("Redirect", APP)])
async def test_a_sidecar_is_reached_at_every_address_of_its_pod(
    families: Families, family: str, capture: str, port: int
) -> None:
    member, node = families.members[family], families.mesh.net.node
    async with injected_sidecar(families.mesh, member, capture), applications(member):
        for address in member.addresses:
            await until(ready(families.mesh, address))
            assert (await get(node, address, port)).status == 200


@asynccontextmanager
async def applications(member: Member) -> AsyncIterator[None]:
    """Answer at the application's port, at loopback and at every address of the pod."""
    async with AsyncExitStack() as stack:
        for address in ("127.0.0.1", *member.addresses):
            listener = member.pod.namespace.listen(address, APP)
            await stack.enter_async_context(ScriptedUpstream(listener=listener))
        yield


def ready(within: Mesh, address: str) -> Condition:
    """The condition that the kubelet finds the sidecar at this address ready."""

    async def holds() -> bool:
        try:
            return (await get(within.net.node, address, SIDECAR_PAGES, "/ready")).status == 200
        except (OSError, EOFError):
            return False

    return holds


@asynccontextmanager
async def injected_sidecar(within: Mesh, member: Member, capture: str) -> AsyncIterator[None]:
    """Run a sidecar in the pod as an injected one is, but for who it trusts and whose its state is."""
    container = {"name": "app", "image": "app:1", "ports": [{"containerPort": APP}]}
    annotations = {"breakwater.dev/capture": capture}
    pod = injected(
        {"metadata": {"name": "app", "annotations": annotations}, "spec": {"containers": [container]}}
    )
    *_, sidecar = pod["spec"]["initContainers"]
    scratch = within.scratch / f"{capture}-{member.addresses[0].replace(':', '-')}"
    words = [*placed(sidecar["args"], scratch), f"--controlplane={member.node}:{DISCOVERY}", "--insecure"]
    command = (*member.pod.namespace.prefix, sys.executable, "-m", "sidecar.main", *words)
    if capture == "Redirect":
        lead(member.pod, within.programs, "--exclude-inbound-ports", str(SIDECAR_PAGES))
    async with Process(command, log=scratch.with_suffix(".log")):
        yield


def placed(words: Iterable[str], scratch: Path) -> Iterator[str]:
    """The words of a container, with what they stand for in it."""
    for word in words:
        name, _, value = word.partition("=")
        if name not in {"--controlplane", "--controlplane-ca", "--token-file"}:
            for text, other in VARIABLES.items():
                value = value.replace(text, other)
            yield f"{name}={scratch if name == '--state-dir' else value}"
