"""Objects of a cluster, as documents to apply."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def service(namespace: str, name: str, *, port: int = 80, **annotations: str) -> Document:
    """Return a Service with one HTTP port and no selector; annotations are ours, without the prefix."""
    ours = {f"breakwater.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": ours},
        "spec": {"ports": [{"name": "http", "port": port}]},
    }


def endpoint_slice(
    namespace: str, service: str, *addresses: str, port: int, pods: Sequence[str] = (), name: str = ""
) -> Document:
    """Return a slice of a Service with ready endpoints, the first of them the `pods` in order."""
    endpoints: list[dict[str, Any]] = [
        {"addresses": [address], "conditions": {"ready": True}} for address in addresses
    ]
    for endpoint, pod in zip(endpoints, pods, strict=False):
        endpoint["targetRef"] = {"kind": "Pod", "namespace": namespace, "name": pod}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name or service,
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port}],
        "endpoints": endpoints,
    }


def injected_pod(namespace: str, name: str, *, app_port: int, inbound: int) -> Document:
    """Return a pod as injection leaves it, whose sidecar listens at `inbound` for the application."""
    status = {"template": "test", "listeners": {str(app_port): inbound}, "annotations": []}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {"breakwater.dev/status": json.dumps(status)},
        },
        "spec": {"containers": [{"name": name, "image": name} for name in ("app", "breakwater-sidecar")]},
    }


def policy(namespace: str, name: str, *targets: str, kind: str = "ResiliencePolicy", **spec: Any) -> Document:
    """Return a policy on Services of its own namespace; `spec` is the rest of it."""
    refs = [{"kind": "Service", "name": target} for target in targets or (name,)]
    return {
        "apiVersion": "breakwater.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"targetRefs": refs} | spec,
    }


def external(namespace: str, name: str, port: int, *, protocol: str = "HTTP") -> Document:
    """Return an ExternalService, called `name.namespace`, of an application on loopback."""
    return {
        "apiVersion": "breakwater.dev/v1alpha1",
        "kind": "ExternalService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "hosts": [f"{name}.{namespace}"],
            "ports": [{"name": "http", "port": 80, "protocol": protocol}],
            "endpoints": [{"address": "127.0.0.1", "port": port}],
        },
    }
