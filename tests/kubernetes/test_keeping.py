"""Whom to trust is published for every namespace and webhook, and again when somebody overwrites it."""

import base64
from pathlib import Path
from typing import Any

import structlog.testing

from controlplane.config import Cluster
from controlplane.kubernetes.api import reaching
from controlplane.kubernetes.keeping import SecretKeep
from tests.support.kube import ADMIN_TOKEN, ApiServer
from tests.support.pki import Authority
from tests.support.readiness import until

HERE, BESIDE, ENDING = "kept", "kept-beside", "kept-ending"
HOOK, ROOTS = ("validatingwebhookconfiguration", "kept"), "breakwater-ca-next"


def hook(bundle: bytes) -> dict[str, Any]:
    webhook = {
        "name": "kept.breakwater.dev",
        "clientConfig": {"url": "https://127.0.0.1:1", "caBundle": base64.b64encode(bundle).decode()},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "rules": [],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "kept"},
        "webhooks": [webhook],
    }


def roots(bundle: bytes, namespace: str) -> dict[str, Any]:
    meta = {"name": ROOTS, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca.crt": bundle.decode()}}


async def test_what_somebody_overwrites_or_deletes_comes_back(kubernetes: ApiServer, tmp_path: Path) -> None:
    ours, others = (Authority(tmp_path / name).certificate.read_bytes() for name in ("ours", "others"))
    for name in (HERE, BESIDE, ENDING):
        await kubernetes.create_namespace(name)
    await kubernetes.kubectl("delete", "namespace", ENDING, "--wait=false")
    await kubernetes.apply(hook(others))
    kubeconfig = kubernetes.kubeconfig_with(ADMIN_TOKEN, name=HERE, namespace=HERE)

    async def is_published() -> bool:
        found = await kubernetes.get("configmaps", "-A", f"--field-selector=metadata.name={ROOTS}")
        told = {each["metadata"]["namespace"]: each["data"]["ca.crt"].encode() for each in found["items"]}
        [webhook] = (await kubernetes.get(*HOOK))["webhooks"]
        trusted = base64.b64decode(webhook["clientConfig"]["caBundle"])
        assert ENDING not in told
        return told.get(HERE) == told.get(BESIDE) == trusted == ours

    async def is_published_again() -> bool:
        await keep.publish(ours)
        return await is_published()

    async with reaching(Cluster(kubeconfig=str(kubeconfig), revision="next")) as api:
        keep = SecretKeep(api, (HOOK[1],))
        with structlog.testing.capture_logs() as logs:
            await keep.publish(ours)
            assert await is_published()
            await kubernetes.apply(hook(others), roots(others, HERE))
            await kubernetes.kubectl("delete", "configmap", ROOTS, "-n", BESIDE)
            await until(is_published_again)  # what the API server has in memory may be a moment old
        assert logs == []
    await kubernetes.kubectl("delete", *HOOK)
