"""Builders of policy documents in namespace `test`; figures are written as in YAML."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import yaml

Document: TypeAlias = Mapping[str, Any]
Target: TypeAlias = Mapping[str, str]

NAMESPACE = "test"
API_VERSION = "breakwater.dev/v1alpha1"
GATEWAY = "gateway.networking.k8s.io/v1"


def text(*documents: Document) -> str:
    """Return the documents as one file holds them."""
    return "---\n".join(yaml.safe_dump(dict(document)) for document in documents)


def external_service(
    name: str,
    *ports: int,
    protocol: str = "HTTP",
    labels: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
    fields: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
) -> Document:
    """Return a service outside the mesh, called by its name, with an endpoint on each loopback port.

    `labels` are those of the endpoint at a port, `fields` what is said of it beside them.
    """
    spec = {
        "hosts": [name],
        "ports": [{"name": protocol.lower(), "port": 80, "protocol": protocol}],
        "endpoints": [
            {
                "address": "127.0.0.1",
                "port": port,
                "labels": dict(labels.get(port, {})),
                **fields.get(port, {}),
            }
            for port in ports
        ],
    }
    return _document("ExternalService", name, spec)


def resolved_service(name: str, port: int, *hosts: str) -> Document:
    """Return a service outside the mesh, called by its name, with an endpoint wherever each host leads."""
    spec = {
        "hosts": [name],
        "ports": [{"name": "http", "port": 80}],
        "resolution": "DNS",
        "endpoints": [{"address": host, "port": port} for host in hosts],
    }
    return _document("ExternalService", name, spec)


def external(name: str) -> Target:
    """Return the reference to an external service."""
    return {"group": "breakwater.dev", "kind": "ExternalService", "name": name}


def service(name: str) -> Target:
    """Return the reference to a service of the mesh."""
    return {"kind": "Service", "name": name}


def resilience(name: str, *targets: Target, **spec: Any) -> Document:
    """Return a ResiliencePolicy; `spec` is the rest of it."""
    return _document("ResiliencePolicy", name, {"targetRefs": [dict(one) for one in targets], **spec})


def rate_limit(name: str, *targets: Target, **spec: Any) -> Document:
    """Return a RateLimitPolicy; `spec` is the rest of it."""
    return _document("RateLimitPolicy", name, {"targetRefs": [dict(one) for one in targets], **spec})


def backpressure(name: str, *targets: Target, **spec: Any) -> Document:
    """Return a BackpressurePolicy; `spec` is the rest of it."""
    return _document("BackpressurePolicy", name, {"targetRefs": [dict(one) for one in targets], **spec})


def fault(name: str, *targets: Target, **spec: Any) -> Document:
    """Return a FaultPolicy that lasts for an hour, unless `spec`, the rest of it, says otherwise."""
    spec = {"expiresAfter": "1h", "percent": 100, **spec}
    return _document("FaultPolicy", name, {"targetRefs": [dict(one) for one in targets], **spec})


def http_route(name: str, parent: Mapping[str, Any], *rules: Mapping[str, Any], **spec: Any) -> Document:
    """Return an HTTPRoute of the calls of `parent`; `spec` is the rest of it."""
    return _document("HTTPRoute", name, {"parentRefs": [dict(parent)], "rules": list(rules), **spec}, GATEWAY)


def grpc_route(name: str, parent: Mapping[str, Any], *rules: Mapping[str, Any]) -> Document:
    """Return a GRPCRoute of the calls of `parent`."""
    return _document("GRPCRoute", name, {"parentRefs": [dict(parent)], "rules": list(rules)}, GATEWAY)


def backend(name: str, weight: int = 1, **ref: Any) -> Mapping[str, Any]:
    """Return the reference to port 80 of an external service, as a rule of a route has it."""
    return {**external(name), "port": 80, "weight": weight, **ref}


def _document(kind: str, name: str, spec: Mapping[str, Any], version: str = API_VERSION) -> Document:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
