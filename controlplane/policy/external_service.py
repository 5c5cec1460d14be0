"""ExternalService: endpoints outside the mesh, a target like a Service."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from controlplane.model.value import Tree, blocks, find_number, find_text, texts
from registry.model import Endpoint, InstanceId, Protocol, ServicePort

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.model.document import Document, Problem

KIND: Final = "ExternalService"


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of an ExternalService."""
    yield from _validate_hosts(document)
    yield from _validate_unique(document, "ports", "name")
    yield from _validate_unique(document, "ports", "port")
    seen: dict[tuple[str, int], int] = {}
    for index, endpoint in enumerate(blocks(document.spec, "endpoints")):
        path = f"spec.endpoints[{index}]"
        address = find_text(endpoint, "address")
        if address and not _is_address(address):
            yield document.problem(
                f"{path}.address",
                f"expected an IPv4 or IPv6 address, found '{address}'; names are not resolved",
            )
        first = seen.setdefault((address, find_number(endpoint, "port") or 0), index)
        if first != index:
            yield document.problem(path, f"the same address and port as endpoints[{first}]")


def hosts(document: Document) -> tuple[str, ...]:
    """The names that callers use in Host, each in the one form that sidecars look up."""
    return tuple(_canonical(host, document.key.namespace) for host in texts(document.spec, "hosts"))


def _canonical(host: str, namespace: str) -> str:
    """Return `host` without what Kubernetes adds; a name without a dot is one of the document's namespace."""
    name = host.removesuffix(".svc.cluster.local").removesuffix(".svc")
    return name if "." in name else f"{name}.{namespace}"


def ports(document: Document) -> tuple[ServicePort, ...]:
    """The ports that callers use, sorted by number."""
    found = [
        ServicePort(
            name=find_text(port, "name"),
            port=find_number(port, "port") or 0,
            protocol=Protocol(find_text(port, "protocol") or Protocol.HTTP.value),
        )
        for port in blocks(document.spec, "ports")
    ]
    return tuple(sorted(found, key=lambda port: port.port))


def endpoints(document: Document) -> tuple[Endpoint, ...]:
    """The addresses, sorted by instance; each is reached at one number, whatever the port called."""
    names = [port.name for port in ports(document)]
    found = [_endpoint(document, endpoint, names) for endpoint in blocks(document.spec, "endpoints")]
    return tuple(sorted(found, key=lambda endpoint: endpoint.instance))


def _endpoint(document: Document, endpoint: Tree, ports: list[str]) -> Endpoint:
    address, number = find_text(endpoint, "address"), find_number(endpoint, "port") or 0
    place = f"[{address}]:{number}" if ":" in address else f"{address}:{number}"
    return Endpoint(
        instance=InstanceId(f"external/{document.key.qualified_name}/{place}"),
        address=address,
        ports=dict.fromkeys(sorted(ports), number),
        labels=_labels(endpoint),
    )


def _labels(endpoint: Tree) -> Mapping[str, str]:
    labels = endpoint.get("labels")
    if not isinstance(labels, dict):
        return {}
    return {name: str(value) for name, value in sorted(labels.items())}


def _validate_hosts(document: Document) -> Iterator[Problem]:
    names = hosts(document)
    for index, host in enumerate(names):
        if names.index(host) != index:
            yield document.problem(f"spec.hosts[{index}]", f"the same as hosts[{names.index(host)}]")


def _validate_unique(document: Document, name: str, member: str) -> Iterator[Problem]:
    seen: dict[object, int] = {}
    for index, block in enumerate(blocks(document.spec, name)):
        value = block.get(member)
        first = seen.setdefault(value, index)
        if value is not None and first != index:
            path = f"spec.{name}[{index}].{member}"
            yield document.problem(path, f"{value} is taken by {name}[{first}]")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
