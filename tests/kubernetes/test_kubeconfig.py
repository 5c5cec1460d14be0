"""The command line finds the control plane of a cluster by itself, through the kubeconfig."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.support.commandline import Outcome, breakwater_with
from tests.support.kube import ADMIN_TOKEN, ApiServer
from tests.support.kube.credentials import write_kubeconfig
from tests.support.kube.objects import injected_pod
from tests.support.kube.pods import annotated, pod
from tests.support.kube.scripted import ScriptedApi, scripted
from tests.support.kube.tools import KubectlError
from tests.support.mesh import ControlPlane, cluster_controlplane
from tests.support.readiness import until

NAMESPACE, NAME = "asked", "bw-controlplane"
LABELS = {"app.kubernetes.io/name": "breakwater", "app.kubernetes.io/component": "controlplane"}
ADMIN_PORT = 15020
REVISION = "--revision=tried"
UNREACHABLE = 3


def installed(token: str) -> list[dict[str, Any]]:
    """What the chart leaves in its namespace, as far as it leads to the control plane."""
    admin = {"name": "admin", "secret": {"secretName": "bw-admin"}}
    found = pod(NAMESPACE, f"{NAME}-0", volumes=[admin])
    found["metadata"]["labels"] = LABELS
    found["spec"]["containers"][0] |= {
        "args": [REVISION],
        "ports": [{"name": "admin", "containerPort": ADMIN_PORT}],
    }
    meta = {"namespace": NAMESPACE, "labels": LABELS}
    return [
        found,
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**meta, "name": NAME},
            "spec": {"selector": LABELS, "ports": [{"name": "admin", "port": ADMIN_PORT}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**meta, "name": "bw-admin"},
            "data": {"token": base64.b64encode(token.encode()).decode()},
        },
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A control plane in a cluster whose pods can be reached, and the kubeconfig of a person."""

    server: ApiServer
    proxy: ScriptedApi
    plane: ControlPlane
    kubeconfig: Path

    async def ask(self, *words: str, kubeconfig: Path | None = None) -> Outcome:
        home = {"HOME": str(self.kubeconfig.parent)}
        return await breakwater_with(home, "--kubeconfig", str(kubeconfig or self.kubeconfig), *words)

    async def version(self, kubeconfig: Path | None = None) -> Mapping[str, str]:
        outcome = await self.ask("version", "-o", "json", kubeconfig=kubeconfig)
        assert outcome.code == 0, outcome.talk
        found: Mapping[str, str] = json.loads(outcome.out)
        return found

    async def refusal(self, *words: str, kubeconfig: Path | None = None) -> str:
        outcome = await self.ask(*words, "version", kubeconfig=kubeconfig)
        assert outcome.code == UNREACHABLE, outcome.talk
        return outcome.talk

    async def be_ready(self, status: str) -> None:
        ready = {"status": {"conditions": [{"type": "Ready", "status": status}]}}
        await self.server.kubectl(
            *("patch", "pod", f"{NAME}-0", "-n", NAMESPACE, "--subresource=status"),
            *("--type=merge", "-p", json.dumps(ready)),
        )

    def of(self, token: str, name: str) -> Path:
        """The kubeconfig of somebody else, who comes the same way."""
        path = self.kubeconfig.parent / name
        return write_kubeconfig(
            path, url=self.proxy.url, ca=self.server.credentials.ca, token=token, namespace=NAMESPACE
        )


@pytest_asyncio.fixture
async def place(kinds: ApiServer, tmp_path: Path) -> AsyncIterator[Place]:
    await kinds.create_namespace(NAMESPACE)
    await kinds.apply(*installed("a secret"))
    token = tmp_path / "token"
    token.write_text("a secret")
    account = kinds.kubeconfig_with(ADMIN_TOKEN, name=NAMESPACE, namespace=NAMESPACE)
    flags = (f"--tls-names={NAME}.{NAMESPACE}.svc", f"--admin-token-file={token}", REVISION)
    async with (
        scripted(kinds, tmp_path) as proxy,
        cluster_controlplane(tmp_path, account, flags=flags) as plane,
    ):
        proxy.pod_ports[ADMIN_PORT] = plane.admin
        person = write_kubeconfig(
            tmp_path / "person",
            url=proxy.url,
            ca=kinds.credentials.ca,
            token=ADMIN_TOKEN,
            namespace=NAMESPACE,
        )
        found = Place(server=kinds, proxy=proxy, plane=plane, kubeconfig=person)
        await found.be_ready("True")
        yield found


async def test_the_control_plane_of_the_kubeconfig_answers(place: Place) -> None:
    assert (await place.version())["controlPlane"]
    listed = await place.ask("proxy-status", "-A", "-o", "json")
    assert listed.code == 0, listed.talk


async def test_what_is_in_the_way_is_named_with_the_next_command(place: Place) -> None:
    assert "name nobody" in (await place.refusal("--context", "nobody"))

    place.proxy.pod_ports.clear()
    talk = await place.refusal()
    assert f"pod {NAMESPACE}/{NAME}-0" in talk
    assert "error forwarding port" in talk

    await place.be_ready("False")
    assert f"kubectl -n {NAMESPACE} get pods" in await place.refusal()

    await place.server.kubectl("delete", "service", NAME, "-n", NAMESPACE)
    assert "helm install" in await place.refusal()


async def test_who_may_not_read_the_token_needs_one_of_their_own(place: Place) -> None:
    await place.server.apply(*rights(NAMESPACE))
    token = await place.server.token(NAMESPACE, "default")
    limited = place.of(token, "limited")
    talk = await place.refusal(kubeconfig=limited)
    assert 'secrets "bw-admin" is forbidden' in talk
    assert "kubectl auth can-i" in talk

    own = ("--admin-token-file", str(place.kubeconfig.parent / "token"))
    outcome = await place.ask(*own, "version", kubeconfig=limited)
    assert outcome.code == 0, outcome.talk


def injector(namespace: str) -> dict[str, Any]:
    """The injector's configuration, as far as labels decide, for one namespace; nobody answers."""
    labels = {"app.kubernetes.io/part-of": "breakwater", "app.kubernetes.io/component": "injector"}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": f"{namespace}-injector", "labels": labels},
        "webhooks": [
            {
                "name": "namespace.injector.breakwater.dev",
                "clientConfig": {"service": {"namespace": "breakwater-system", "name": "none"}},
                "rules": [rule],
                "namespaceSelector": {"matchLabels": {"breakwater.dev/inject": "enabled", "own": namespace}},
                "admissionReviewVersions": ["v1"],
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "timeoutSeconds": 1,
            }
        ],
    }


async def test_pods_without_a_sidecar_are_told_why(kinds: ApiServer, tmp_path: Path) -> None:
    namespace = "checked"
    await kinds.create_namespace(namespace, {"own": namespace})
    host = pod(namespace, "host", hostNetwork=True)
    mighty = injected_pod(namespace, "mighty", app_port=8080, inbound=15006)
    mighty["spec"]["initContainers"] = [{"name": "breakwater-capture", "image": "capture"}]
    mighty["spec"]["containers"][0]["securityContext"] = {"capabilities": {"add": ["NET_ADMIN"]}}
    await kinds.apply(
        pod(namespace, "old"),
        annotated(pod(namespace, "odd"), proxy_cpu="much"),
        {**host, "metadata": {**host["metadata"], "labels": {"breakwater.dev/inject": "false"}}},
        injected_pod(namespace, "new", app_port=8080, inbound=15006),
        mighty,
        injector(namespace),
    )

    async def serves_profiles() -> bool:
        try:
            await kinds.get("sidecarprofiles", "-A")
        except KubectlError:
            return False
        return True

    await until(serves_profiles)  # a definition is established a moment before its objects can be listed

    async def told(*words: str) -> tuple[int, dict[str, tuple[str, str]]]:
        flags = ("--kubeconfig", str(kinds.kubeconfig), "check-inject", "-n", namespace, "-o", "json")
        outcome = await breakwater_with({"HOME": str(tmp_path)}, *flags, *words)
        assert outcome.out, outcome.talk
        items = json.loads(outcome.out)["items"]
        return outcome.code, {one["object"]: (one["injects"], one["reason"]) for one in items}

    code, found = await told()
    assert code == 0
    assert found["pod/new"] == ("yes", "-")
    assert found["pod/mighty"][0] == "yes"
    assert "container app has NET_ADMIN" in found["pod/mighty"][1]
    assert "BW0505; take it from the container, then `kubectl rollout restart`" in found["pod/mighty"][1]
    assert f"kubectl label namespace {namespace}" in found["pod/old"][1]
    assert found["pod/host"][1] == "the pod is labelled breakwater.dev/inject=false"

    await kinds.kubectl("label", "namespace", namespace, "breakwater.dev/inject=enabled")
    code, found = await told()
    assert code == 1
    assert "kubectl rollout restart" in found["pod/old"][1]
    assert found["pod/odd"][0] == "refused"
    assert found["pod/host"] == ("no", "the pod uses the network of its host")
    assert (await told("new")) == (0, {"pod/new": ("yes", "-")})
    await kinds.kubectl("delete", "mutatingwebhookconfiguration", f"{namespace}-injector")


def rights(namespace: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a person needs in the namespace of the control plane, apart from reading its token."""
    meta = {"name": "askers", "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    return (
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": meta,
            "rules": [
                {"apiGroups": [""], "resources": ["services", "pods"], "verbs": ["list"]},
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "askers"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        },
    )
