"""The API server that the other tests run against is a real one."""

import json

import pytest

from tests.support.command import output_of
from tests.support.kube import ADMIN_TOKEN, ApiServer, KubectlError, controllers, tool
from tests.support.readiness import until

ROOTED = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "rooted", "namespace": "strict"},
    "spec": {"containers": [{"name": "app", "image": "app", "securityContext": {"privileged": True}}]},
}


async def test_both_versions_parse(kubernetes: ApiServer) -> None:
    found = json.loads(await kubernetes.kubectl("version", "-o", "json"))
    for side in ("clientVersion", "serverVersion"):
        assert (found[side]["gitVersion"], found[side]["major"], found[side]["minor"]) == (
            "v1.36.3",
            "1",
            "36",
        )


async def test_namespaces_come_and_go(kubernetes: ApiServer) -> None:
    await kubernetes.create_namespace("brief")
    async with controllers(kubernetes, "namespace-controller"):
        await kubernetes.kubectl("delete", "namespace", "brief", "--timeout=60s")
    with pytest.raises(KubectlError, match="not found"):
        await kubernetes.get("namespace", "brief")


async def test_pod_security_refuses_a_privileged_pod(kubernetes: ApiServer) -> None:
    await kubernetes.create_namespace("strict", {"pod-security.kubernetes.io/enforce": "restricted"})
    with pytest.raises(KubectlError, match='violates PodSecurity "restricted'):
        await kubernetes.apply(ROOTED)


async def test_tokens_are_reviewed_for_their_audience(kubernetes: ApiServer) -> None:
    token = await kubernetes.token("default", "default", "--audience=breakwater")
    for audience, expected in (("breakwater", True), ("somebody-else", False)):
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        }
        answer = await kubernetes.kubectl("create", "-o", "json", "-f", "-", text=json.dumps(review))
        assert json.loads(answer)["status"].get("authenticated", False) is expected


async def test_an_account_without_a_role_may_read_nothing(kubernetes: ApiServer) -> None:
    token = await kubernetes.token("default", "default")
    somebody = kubernetes.kubeconfig_with(token, name="somebody")
    with pytest.raises(KubectlError, match="forbidden"):
        await kubernetes.kubectl("get", "secrets", "-A", kubeconfig=somebody)


async def test_administrators_may_show_a_certificate_instead_of_a_token(kubernetes: ApiServer) -> None:
    admin = kubernetes.credentials.admin
    who = (f"--client-certificate={admin.certificate}", f"--client-key={admin.key}")
    where = (f"--server={kubernetes.url}", f"--certificate-authority={kubernetes.credentials.ca}")
    command = (tool("kubectl"), *where, *who, "auth", "whoami")
    assert "system:masters" in await output_of(command, failure=KubectlError)


async def test_controllers_give_namespaces_their_default_account(kubernetes: ApiServer) -> None:
    await kubernetes.kubectl("create", "namespace", "plain")

    async def has_account() -> bool:
        return "default" in await kubernetes.kubectl("get", "serviceaccounts", "-n", "plain", "-o", "name")

    async with controllers(kubernetes, "serviceaccount-controller"):
        await until(has_account, timeout_seconds=30)
    assert ADMIN_TOKEN not in await kubernetes.kubectl("get", "serviceaccount", "-n", "plain", "-o", "yaml")
