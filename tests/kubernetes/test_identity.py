"""Sidecars prove who they are by a token of their pod; what they claim beyond that is refused."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import pytest
import pytest_asyncio

from controlplane.cli import access
from controlplane.model.resource import ResourceName
from mesh.v1 import command_pb2, telemetry_pb2
from mesh.v1.command_pb2_grpc import CommandServiceStub
from mesh.v1.discovery_pb2_grpc import DiscoveryServiceStub
from mesh.v1.telemetry_pb2_grpc import TelemetryServiceStub
from registry.client import RegistryClient
from tests.support.app import App, Reply
from tests.support.desired import host, inbound
from tests.support.kube import ADMIN_TOKEN, ApiServer
from tests.support.kube.calls import answers
from tests.support.kube.objects import Document, external, policy
from tests.support.kube.pods import bound_token, expired, foreign, forged, new_key, pod
from tests.support.light_sidecar import LightSidecar, light_sidecar
from tests.support.mesh import ControlPlane, cluster_controlplane, sidecar
from tests.support.pki import Authority
from tests.support.readiness import until
from tests.support.registrations import registration

NAMESPACE = "identity"
OWN = f"cart-0.{NAMESPACE}"
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A control plane that believes nobody, the file with its roots, and a good token of pod `cart-0`."""

    server: ApiServer
    plane: ControlPlane
    roots: Path
    token: str

    @asynccontextmanager
    async def channel(self, token: str) -> AsyncIterator[grpc.aio.Channel]:
        trusted = grpc.ssl_channel_credentials(self.roots.read_bytes())
        if token:
            trusted = grpc.composite_channel_credentials(trusted, grpc.access_token_call_credentials(token))
        async with grpc.aio.secure_channel(f"localhost:{self.plane.discovery}", trusted) as channel:
            yield channel

    @asynccontextmanager
    async def refused(self, token: str, code: grpc.StatusCode) -> AsyncIterator[grpc.aio.Channel]:
        """A connection on which the call in the block is refused."""
        async with self.channel(token) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                yield channel
        assert caught.value.code() is code, caught.value.details()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def identity_namespace(kinds: ApiServer) -> ApiServer:
    await kinds.create_namespace(NAMESPACE)
    await kinds.create_namespace("elsewhere")
    await kinds.apply(pod(NAMESPACE, "cart-0"), pod(NAMESPACE, "gone-0"), pod("elsewhere", "other-0"))
    return kinds


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def place(
    identity_namespace: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    """The control plane that most tests share."""
    server, scratch = identity_namespace, tmp_path_factory.mktemp("identity")
    kubeconfig = server.kubeconfig_with(ADMIN_TOKEN, name=NAMESPACE, namespace=NAMESPACE)
    token = await bound_token(server, NAMESPACE, "cart-0")
    async with cluster_controlplane(scratch, kubeconfig, flags=()) as plane:
        roots = scratch / "ca.crt"
        roots.write_text((await server.get("configmap", "breakwater-ca", "-n", NAMESPACE))["data"]["ca.crt"])
        yield Place(server=server, plane=plane, roots=roots, token=token)


async def wrong_tokens(place: Place) -> Mapping[str, str]:
    server, key = place.server, place.server.credentials.service_accounts.key.read_bytes()
    gone = await bound_token(server, NAMESPACE, "gone-0")
    await server.kubectl("delete", "pod", "gone-0", "-n", NAMESPACE, "--force", "--grace-period=0")
    return {
        "none": "",
        "garbage": "x.y.z",
        "of a person": ADMIN_TOKEN,
        "for the API server": await bound_token(server, NAMESPACE, "cart-0", "https://kubernetes"),
        "for somebody else": await bound_token(server, NAMESPACE, "cart-0", "vault"),
        "of no pod": await server.token(NAMESPACE, "default", "--audience=breakwater.dev"),
        "of a pod that is gone": gone,
        "expired": expired(place.token, key),
        "signed by another": forged(place.token, new_key()),
        "of another cluster": foreign(place.token, key),
        "cut short": place.token[:-8],
    }


async def refusal(
    place: Place, token: str, instance: str = "", *wanted: ResourceName, account: str = ""
) -> tuple[grpc.StatusCode, str | None]:
    """How the stream of a sidecar ends that is not to be served, at once or for what it says."""
    async with place.channel(token) as channel:
        one = LightSidecar(instance=instance, call=DiscoveryServiceStub(channel).Stream(), held={})
        if instance:
            await one.hello([], account)
        if wanted:
            await one.subscribe(*wanted)
        async with asyncio.timeout(30):
            return await one.call.code(), await one.call.details()


async def test_wrong_tokens_are_refused_alike(place: Place) -> None:
    tokens = await wrong_tokens(place)
    said = {name: await refusal(place, token) for name, token in tokens.items()}
    assert len(set(said.values())) == 1, said
    assert said["none"][0] is UNAUTHENTICATED


async def test_a_sidecar_is_served_under_its_own_name(place: Place) -> None:
    async with (
        place.channel(place.token) as channel,
        light_sidecar(channel, OWN, host("nobody.shop"), inbound(f"{NAMESPACE}/cart")) as one,
    ):
        await one.until(lambda one: host("nobody.shop") in one.missing)


async def test_another_name_is_denied_and_written_down(place: Place) -> None:
    code, words = await refusal(place, place.token, "other-0.elsewhere")
    assert (code, words) == (
        DENIED,
        f"expected '{OWN}', as the token says, found instance 'other-0.elsewhere'",
    )
    written = [json.loads(line) for line in place.plane.process.output().splitlines() if "audit" in line]
    assert (f"pod {NAMESPACE}/cart-0", "instance 'other-0.elsewhere'") in [
        (line.get("identity"), line.get("claim")) for line in written
    ]


async def test_another_service_account_is_denied(place: Place) -> None:
    code, words = await refusal(place, place.token, OWN, account="robot")
    assert (code, words) == (DENIED, "expected 'default', as the token says, found service account 'robot'")


async def test_what_members_of_another_namespace_see_is_denied(place: Place) -> None:
    code, _ = await refusal(place, place.token, OWN, inbound("elsewhere/bank"))
    assert code is DENIED


async def test_reports_and_commands_under_another_name_are_denied(place: Place) -> None:
    async with place.refused(place.token, DENIED) as channel:
        report = telemetry_pb2.ReportRequest(instance="other-0.elsewhere")
        async for _ in TelemetryServiceStub(channel).Report(iter([report])):
            pass
    async with place.refused(place.token, DENIED) as channel:
        result = command_pb2.CommandResult(instance="other-0.elsewhere")
        async for _ in CommandServiceStub(channel).Attach(iter([result])):
            pass


async def test_pods_are_not_registered_by_themselves(place: Place) -> None:
    async with place.refused(place.token, DENIED) as channel:
        await RegistryClient(channel).register(registration())


async def test_a_real_sidecar_shows_the_token_of_its_pod_and_obeys_what_is_for_its_account(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text(place.token)
    trust = ("--controlplane-ca", str(place.roots), "--token-file", str(token))
    monkeypatch.setenv(access.CA, str(place.roots))
    async with (
        App(Reply(delay_seconds=0.05)) as app,
        sidecar(
            tmp_path,
            f"{NAMESPACE}/cart",
            name=OWN,
            app_port=1,
            discovery=place.plane.discovery,
            flags=(*trust, "--service-account", "default"),
        ) as cart,
    ):
        await cart.ready()
        answer = await place.plane.ask("ListSidecars")
        assert [one["instance"] for one in answer["sidecars"]] == [OWN]
        await place.server.apply(external(NAMESPACE, "till", app.port), hasty("robot"))
        await until(answers(cart, f"till.{NAMESPACE}", 200))
        await place.server.apply(hasty("default"))
        await until(answers(cart, f"till.{NAMESPACE}", 504))
    await place.server.kubectl("delete", "resp,exs", "--all", "-n", NAMESPACE)


def hasty(account: str) -> Document:
    """A time-out for callers that run as a service account."""
    till = {"group": "breakwater.dev", "kind": "ExternalService", "name": "till"}
    callers = [{"kind": "ServiceAccount", "name": account}]
    document = policy(NAMESPACE, "hasty", timeouts={"request": "10ms"})
    return {**document, "spec": {**document["spec"], "targetRefs": [till], "from": callers}}


async def test_the_roots_are_in_a_secret_and_survive_the_control_plane(place: Place, tmp_path: Path) -> None:
    secret = await place.server.get("secret", "breakwater-ca", "-n", NAMESPACE)
    kept = base64.b64decode(secret["data"]["authority.pem"])
    assert place.roots.read_bytes() in kept
    kubeconfig = place.server.kubeconfig_with(ADMIN_TOKEN, name=f"{NAMESPACE}-2", namespace=NAMESPACE)
    async with cluster_controlplane(tmp_path, kubeconfig, name="second", flags=()) as second:
        trusted = grpc.ssl_channel_credentials(place.roots.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{second.discovery}", trusted) as channel:
            await channel.channel_ready()


async def test_a_given_authority_is_published_for_sidecars(
    identity_namespace: ApiServer, tmp_path: Path
) -> None:
    server, authority = identity_namespace, Authority(tmp_path / "given")
    leaf = authority.leaf("localhost")
    flags = ("--tls-cert", str(leaf.certificate), "--tls-key", str(leaf.key))
    await server.create_namespace("given")
    kubeconfig = server.kubeconfig_with(ADMIN_TOKEN, name="given", namespace="given")
    given = (*flags, "--tls-ca", str(authority.certificate), "--revision", "given")
    async with cluster_controlplane(tmp_path, kubeconfig, flags=given):
        published = (await server.get("configmap", "breakwater-ca-given", "-n", "given"))["data"]["ca.crt"]
    assert published == authority.certificate.read_text()


async def test_every_namespace_gets_the_roots(place: Place) -> None:
    async def published() -> bool:
        found = await place.server.get("configmaps", "-A", "--field-selector=metadata.name=breakwater-ca")
        return {"elsewhere", "default"} <= {one["metadata"]["namespace"] for one in found["items"]}

    await until(published)
