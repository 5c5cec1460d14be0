"""Pods get their sidecars from the real API server, and policies are checked before they are written."""

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from controlplane.injector.review import MAX_BLOCKS, MAX_BYTES, MAX_DEPTH
from tests.support.app import App
from tests.support.injection import injected
from tests.support.kube import ADMIN_TOKEN, ApiServer, KubectlError
from tests.support.kube.injected import injected_sidecar
from tests.support.kube.objects import endpoint_slice, policy, service
from tests.support.kube.pods import annotated, labelled, pod
from tests.support.mesh import ControlPlane, cluster_controlplane
from tests.support.ports import free_port
from tests.support.readiness import no_longer, until

HERE = "hooks"
RESTRICTED = "hooks-restricted"
OWN = "hooks-own"
INJECTOR, VALIDATOR = "test-injector", "test-validator"
INJECTED = "breakwater.dev/status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """An API server whose webhooks lead to a control plane at `url`, which one of `roots` vouches for."""

    server: ApiServer
    url: str
    roots: Path
    plane: ControlPlane

    async def written(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """What the API server would keep of a document."""
        words = ("create", "--dry-run=server", "-o", "json", "-f", "-")
        found: dict[str, Any] = json.loads(await self.server.kubectl(*words, text=json.dumps(document)))
        return found

    async def post(self, path: str, body: bytes) -> tuple[int, str]:
        """What the webhook answers to a body."""
        context = ssl.create_default_context(cafile=str(self.roots))
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}{path}", data=io.BytesIO(body), ssl=context) as answer,
        ):
            return answer.status, await answer.text()


def configuration(kind: str, name: str, url: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    webhook = {
        "name": f"{name}.breakwater.dev",
        "clientConfig": {"url": url},
        "rules": [{**rule, "operations": ["CREATE", "UPDATE"], "scope": "*"}],
        "namespaceSelector": {"matchLabels": {"breakwater.dev/inject": "enabled"}},
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": 5,
    } | ({"reinvocationPolicy": "IfNeeded"} if kind == "Mutating" else {})
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }


PODS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
POLICIES = {"apiGroups": ["breakwater.dev"], "apiVersions": ["*"], "resources": ["*"]}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def hooks(kinds: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hooks]:
    scratch, port = tmp_path_factory.mktemp("hooks"), free_port()
    url = f"https://127.0.0.1:{port}"
    asking = {"breakwater.dev/inject": "enabled"}
    await kinds.create_namespace(HERE, asking)
    await kinds.create_namespace(OWN, asking)
    await kinds.create_namespace(RESTRICTED, asking | {"pod-security.kubernetes.io/enforce": "restricted"})
    configurations = (
        configuration("Mutating", INJECTOR, f"{url}/inject", PODS),
        configuration("Validating", VALIDATOR, f"{url}/validate", POLICIES),
    )
    await kinds.apply(*configurations)
    flags = ("--webhook", f"127.0.0.1:{port}", "--webhook-configurations", f"{INJECTOR},{VALIDATOR}")
    kubeconfig = kinds.kubeconfig_with(ADMIN_TOKEN, name=OWN, namespace=OWN)
    async with cluster_controlplane(scratch, kubeconfig, flags=flags) as plane:
        roots = scratch / "ca.crt"
        roots.write_text((await kinds.get("configmap", "breakwater-ca", "-n", OWN))["data"]["ca.crt"])
        found = Hooks(server=kinds, url=url, roots=roots, plane=plane)
        await until(lambda: _trusted(found), timeout_seconds=30)
        yield found
    for one in configurations:
        await kinds.kubectl("delete", one["kind"].lower(), one["metadata"]["name"])


async def _trusted(hooks: Hooks) -> bool:
    """Whether the API server calls the webhook by now: it learns of new roots after a moment."""
    try:
        return INJECTED in (await hooks.written(pod(HERE, "probe")))["metadata"].get("annotations", {})
    except KubectlError:
        return False


@pytest.mark.parametrize(
    ("document", "is_injected"),
    [
        (pod(HERE, "plain"), True),
        (labelled(pod(HERE, "asked"), "true"), True),
        (labelled(pod(HERE, "opted-out"), "false"), False),
        (pod(HERE, "host", hostNetwork=True), False),
        (pod(OWN, "own"), False),
    ],
    ids=lambda value: value["metadata"]["name"] if isinstance(value, dict) else "",
)
async def test_pods_get_a_sidecar_or_none(hooks: Hooks, document: dict[str, Any], is_injected: bool) -> None:
    ports = [{"name": "http", "containerPort": 8080, "hostPort": 8080}]
    if document["spec"].get("hostNetwork"):
        document["spec"]["containers"][0]["ports"] = ports
    found = await hooks.written(document)
    names = [one["name"] for one in found["spec"].get("initContainers", [])]
    assert names == (["breakwater-capture", "breakwater-sidecar"] if is_injected else [])
    assert (INJECTED in found["metadata"].get("annotations", {})) is is_injected


async def test_an_injected_pod_is_left_as_it_is(hooks: Hooks) -> None:
    asking = pod(HERE, "twice")
    asking["spec"]["containers"][0] |= {"livenessProbe": {"tcpSocket": {"port": 8080}}}
    once = await hooks.written(asking)
    page = once["spec"]["containers"][0]["livenessProbe"]["httpGet"]
    assert (page["path"], page["port"]) == ("/probe/8080", 15090)
    again = await hooks.written({**once, "status": {}})
    assert again["spec"] == once["spec"]


async def test_pods_are_told_what_the_mesh_says_of_those_without_a_configuration(hooks: Hooks) -> None:
    async def is_told() -> bool:
        found = await hooks.written(pod(HERE, "bootstrapping"))
        return "--pass-through-after=30" in found["spec"]["initContainers"][1]["args"]

    assert not await is_told()
    mesh = {"apiVersion": "breakwater.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "default"}}
    await hooks.server.apply({**mesh, "spec": {"bootstrap": "PassThrough"}})
    await until(is_told)
    await hooks.server.apply({**mesh, "spec": {"bootstrap": "Wait"}})
    await until(no_longer(is_told))
    await hooks.server.kubectl("delete", "meshes/default")


async def test_every_problem_of_a_pod_is_told(hooks: Hooks) -> None:
    with pytest.raises(KubectlError) as caught:
        await hooks.written(annotated(pod(HERE, "wrong"), proxy_cpu="lots", image="evil:1"))
    assert "expected a quantity from 1m to 64, found 'lots'" in str(caught.value)
    assert "breakwater.dev/image]: there is no such annotation" in str(caught.value)


async def test_an_injected_pod_passes_pod_security_restricted(hooks: Hooks) -> None:
    found = await hooks.written(annotated(pod(RESTRICTED, "explicit"), capture="Explicit"))
    assert [one["name"] for one in found["spec"]["initContainers"]] == ["breakwater-sidecar"]


async def test_what_a_pod_lays_over_its_sidecar_passes_pod_security_restricted(hooks: Hooks) -> None:
    asking = annotated(pod(RESTRICTED, "laid-over"), capture="Explicit")
    profile = {"type": "Localhost", "localhostProfile": "breakwater.json"}
    over = {"env": [{"name": "TZ", "value": "UTC"}], "securityContext": {"seccompProfile": profile}}
    asking["spec"]["containers"].append({"name": "breakwater-sidecar", "image": "auto", **over})
    found = await hooks.written(asking)
    [sidecar] = found["spec"]["initContainers"]
    assert sidecar["securityContext"]["seccompProfile"] == profile
    assert sidecar["env"][-1] == {"name": "TZ", "value": "UTC"}
    assert sidecar["image"] != "auto"
    assert [one["name"] for one in found["spec"]["containers"]] == ["app"]
    assert (await hooks.written({**found, "status": {}}))["spec"] == found["spec"]


async def test_none_of_our_containers_gets_a_token_for_the_api_server(hooks: Hooks) -> None:
    """It puts one into every container of a pod that comes injected, as `breakwater inject` leaves it."""
    namespace = "hooks-by-hand"
    await hooks.server.create_namespace(namespace)
    found = (await hooks.written(injected(pod(namespace, "tokens"), namespace)))["spec"]
    mounted = {
        one["name"]: [mount["name"] for mount in one["volumeMounts"]]
        for one in (*found["containers"], *found["initContainers"])
    }
    [token] = mounted.pop("app")
    assert token.startswith("kube-api-access-")
    assert token not in {name for names in mounted.values() for name in names}


async def test_a_pod_that_could_get_around_its_sidecar_is_warned_of(hooks: Hooks) -> None:
    asking = pod(HERE, "mighty")
    asking["spec"]["containers"][0]["securityContext"]["capabilities"] = {"add": ["NET_ADMIN"]}
    _, text = await hooks.post("/inject", review(asking))
    response = json.loads(text)["response"]
    assert response["allowed"]
    assert ["BW0505" in warning for warning in response["warnings"]] == [True]


async def test_with_redirect_only_the_init_container_does_not_pass(hooks: Hooks) -> None:
    with pytest.raises(KubectlError) as caught:
        await hooks.written(pod(RESTRICTED, "redirected"))
    assert 'container "breakwater-capture"' in str(caught.value)
    assert '"breakwater-sidecar"' not in str(caught.value)
    assert '"app"' not in str(caught.value)


async def test_a_policy_is_refused_in_the_words_of_the_command_line(hooks: Hooks) -> None:
    profile = {
        "apiVersion": "breakwater.dev/v1alpha1",
        "kind": "SidecarProfile",
        "metadata": {"name": "default", "namespace": HERE},
        "spec": {"resources": {"requests": {"memory": "2Gi"}}},
    }
    with pytest.raises(KubectlError) as caught:
        await hooks.written(profile)
    words = (
        f"SidecarProfile {HERE}/default spec.resources.requests.memory: "
        "expected at most the limit, 128Mi, found 2Gi"
    )
    assert words in str(caught.value)


async def test_a_profile_holds_for_the_pods_of_its_namespace(hooks: Hooks) -> None:
    await hooks.server.create_namespace("hooks-profiled", {"breakwater.dev/inject": "enabled"})
    await hooks.server.apply(
        {
            "apiVersion": "breakwater.dev/v1alpha1",
            "kind": "SidecarProfile",
            "metadata": {"name": "default", "namespace": "hooks-profiled"},
            "spec": {
                "resources": {"requests": {"cpu": "70m"}},
                "drain": {"timeout": "45s"},
                "patch": {"env": [{"name": "TZ", "value": "UTC"}]},
            },
        }
    )

    async def has_it() -> bool:
        found = await hooks.written(pod("hooks-profiled", "profiled"))
        capture, sidecar = found["spec"]["initContainers"]
        if capture["resources"]["requests"]["cpu"] != "70m":
            return False
        assert "--drain-timeout=45" in sidecar["args"]
        assert sidecar["env"][-1] == {"name": "TZ", "value": "UTC"}
        return True

    await until(has_it)


async def test_the_sidecar_of_an_injected_pod_is_believed_and_enforces_policies(hooks: Hooks) -> None:
    await hooks.server.apply(annotated(pod(HERE, "cart-0"), capture="Explicit"))
    found = await hooks.server.get("pod", "cart-0", "-n", HERE)
    slice_of = endpoint_slice(HERE, "cart", "10.1.2.3", port=8080, pods=["cart-0"])
    limits = [{"name": "few", "requests": 1, "per": "1h", "burst": 1}]
    few = policy(HERE, "cart", kind="RateLimitPolicy", limits=limits)
    await hooks.server.apply(service(HERE, "cart"), slice_of, few)
    async with (
        App() as app,
        injected_sidecar(
            hooks.server, found, discovery=hooks.plane.discovery, app_port=app.port, roots=hooks.roots
        ) as sidecar,
    ):
        await sidecar.ready()

        async def synced() -> bool:
            status = (await hooks.server.get("rlp", "cart", "-n", HERE)).get("status", {})
            return bool(status.get("synced") == "1/1")

        await until(synced, timeout_seconds=30)
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{sidecar.inbound}/"
            statuses = [(await session.get(url)).status for _ in range(2)]
        assert statuses == [200, 429]


def review(document: Any, **request: Any) -> bytes:
    asked = {"uid": "1", "namespace": HERE, "object": document} | request
    text = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}
    return json.dumps(text).encode()


def deep(levels: int) -> bytes:
    return review("x").replace(b'"x"', b'{"a":' * levels + b"1" + b"}" * levels)


@pytest.mark.parametrize("path", ["/inject", "/validate"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xff\xfe\x00", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"{}", 400),
        (review(None), 400),
        (review([]), 400),
        (review({}, uid=7), 400),
        (review({}, namespace=None), 400),
        (deep(MAX_DEPTH), 400),
        (deep(50_000), 400),
        (b"[" * (MAX_BLOCKS + 1), 400),
        (b"[" * MAX_BLOCKS + b"]" * MAX_BLOCKS, 400),
        (b'{"a":"' + b"x" * MAX_BYTES + b'"}', 413),
    ],
    ids=lambda value: f"{value[:20]!r}" if isinstance(value, bytes) else "",
)
async def test_what_asks_nothing_is_refused(hooks: Hooks, path: str, body: bytes, status: int) -> None:
    assert (await hooks.post(path, body))[0] == status
    assert hooks.plane.process.is_running


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"metadata": None, "spec": None},
        {"metadata": {"annotations": [1]}, "spec": {"containers": "all"}},
        {"metadata": {"labels": {"a": 1}}, "spec": {"containers": [None, 7, {"name": 5, "ports": [3]}]}},
        {"metadata": {"annotations": {INJECTED: "{{{"}}, "spec": {"containers": [{}], "volumes": {}}},
        {"spec": {"containers": [{"name": "a" * 100_000}], "initContainers": {"a": 1}}},
    ],
)
async def test_odd_objects_get_an_answer(hooks: Hooks, document: dict[str, Any]) -> None:
    for path in ("/inject", "/validate"):
        status, text = await hooks.post(path, review(document))
        assert status == 200
        assert json.loads(text)["response"]["uid"] == "1"


async def test_a_hundred_at_once_are_all_answered(hooks: Hooks) -> None:
    body = review(pod(HERE, "many"))
    answers = await asyncio.gather(*(hooks.post("/inject", body) for _ in range(100)))
    assert {status for status, _ in answers} == {200}
    assert all(json.loads(text)["response"]["patch"] for _, text in answers)
