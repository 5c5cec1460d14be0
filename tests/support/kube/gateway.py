"""Kinds of the Gateway API, as far as an API server needs them in order to serve them."""

from collections.abc import Mapping
from typing import Any

from tests.support.kube.apiserver import ApiServer

GROUP = "gateway.networking.k8s.io"


async def install_gateway_kind(server: ApiServer, kind: str, version: str, *, has_status: bool) -> None:
    """Define a kind, whatever its objects say, and wait until it is served."""
    found = _definition(kind, version, has_status=has_status)
    await server.apply(found)
    await server.kubectl(
        "wait", "--for=condition=Established", "--timeout=30s", f"crd/{found['metadata']['name']}"
    )


def _definition(kind: str, version: str, *, has_status: bool) -> Mapping[str, Any]:
    singular = kind.lower()
    names = {"kind": kind, "listKind": f"{kind}List", "plural": f"{singular}s", "singular": singular}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{singular}s.{GROUP}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}} if has_status else {},
                }
            ],
        },
    }
