"""ExternalService: endpoints outside the mesh, a target like a Service.

With `resolution: DNS` an address may be a host name. Sidecars resolve it, not the control plane, on which
traffic never depends. Without endpoints the document's one host is resolved, and reached at the ports that
callers use.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from controlplane.model.resource import Resolution
from controlplane.model.value import Tree, blocks, find_block, find_number, find_text, texts
from registry.model import ZONE_LABEL, Endpoint, InstanceId, Protocol, ServicePort
from registry.validate import is_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.model.document import Document, Problem

KIND: Final = "ExternalService"
# RFC 1123; what ends in a number is a mistyped address. A final dot keeps search domains away.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_WHOLE_LABEL = re.compile(_LABEL)
_HOST_NAME = re.compile(rf"({_LABEL}\.)*(?![0-9]+\.?$){_LABEL}\.?", re.IGNORECASE)


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of an ExternalService."""
    yield from _validate_hosts(document)
    yield from _validate_unique(document, "ports", "name")
    yield from _validate_unique(document, "ports", "port")
    yield from _validate_presence(document)
    yield from _validate_addresses(document)


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


def resolution(document: Document) -> Resolution:
    """How its addresses are found."""
    return Resolution(find_text(document.spec, "resolution") or Resolution.STATIC.value)


def endpoints(document: Document) -> tuple[Endpoint, ...]:
    """The addresses, sorted by instance; a listed one is reached at one number, whatever the port called."""
    listed = blocks(document.spec, "endpoints")
    names = sorted(port.name for port in ports(document))
    found = [_endpoint(document, endpoint, names) for endpoint in listed] or [
        _host_endpoint(document, host) for host in texts(document.spec, "hosts")
    ]
    return tuple(sorted(found, key=lambda endpoint: endpoint.instance))


def _endpoint(document: Document, endpoint: Tree, names: list[str]) -> Endpoint:
    address, number = find_text(endpoint, "address").lower(), find_number(endpoint, "port") or 0
    place = f"[{address}]:{number}" if ":" in address else f"{address}:{number}"
    return Endpoint(
        instance=_instance(document, place),
        address=address,
        ports=dict.fromkeys(names, number),
        labels=_labels(endpoint),
        weight=find_number(endpoint, "weight") or 1,
    )


def _host_endpoint(document: Document, host: str) -> Endpoint:
    numbers = {port.name: port.port for port in ports(document)}
    return Endpoint(instance=_instance(document, host), address=host, ports=dict(sorted(numbers.items())))


def _instance(document: Document, place: str) -> InstanceId:
    return InstanceId(f"external/{document.key.qualified_name}/{place}")


def _labels(endpoint: Tree) -> Mapping[str, str]:
    """Its labels, sorted; the zone is one of them."""
    labels = {**(find_block(endpoint, "labels") or {})}
    if zone := find_text(endpoint, "zone"):
        labels[ZONE_LABEL] = zone
    return {name: str(value) for name, value in sorted(labels.items())}


def _validate_hosts(document: Document) -> Iterator[Problem]:
    names = hosts(document)
    for index, host in enumerate(names):
        if names.index(host) != index:
            yield document.problem(f"spec.hosts[{index}]", f"the same as hosts[{names.index(host)}]")
        has_endpoints = bool(blocks(document.spec, "endpoints"))  # a host that is resolved is judged as such
        if has_endpoints and not all(_WHOLE_LABEL.fullmatch(label) for label in host.split(".")):
            message = f"expected labels of 1 to 63 letters, digits and -, with dots between, found '{host}'"
            yield document.problem(f"spec.hosts[{index}]", message)


def _validate_presence(document: Document) -> Iterator[Problem]:
    """Without endpoints it must be clear what to resolve, and whose requests an address may be sent."""
    if blocks(document.spec, "endpoints"):
        return
    found = texts(document.spec, "hosts")
    if resolution(document) is Resolution.STATIC:
        yield document.problem("spec.endpoints", "expected at least one, or resolution: DNS, found none")
    elif len(found) > 1:
        message = (
            f"expected one host where hosts themselves are resolved, found {len(found)}; "
            "list what to resolve as endpoints, or write one document for each host"
        )
        yield document.problem("spec.hosts", message)
    elif found and (wrong := _wrong_address(found[0], Resolution.DNS)):
        yield document.problem("spec.hosts[0]", wrong)


def _validate_addresses(document: Document) -> Iterator[Problem]:
    seen: dict[tuple[str, int], int] = {}
    for index, endpoint in enumerate(blocks(document.spec, "endpoints")):
        path = f"spec.endpoints[{index}]"
        address = find_text(endpoint, "address")
        if address and (wrong := _wrong_address(address, resolution(document))):
            yield document.problem(f"{path}.address", wrong)
        label = (find_block(endpoint, "labels") or {}).get(ZONE_LABEL)
        if "zone" in endpoint and label not in {None, endpoint["zone"]}:
            yield document.problem(f"{path}.zone", f"the label {ZONE_LABEL} says {label}")
        first = seen.setdefault((address.lower(), find_number(endpoint, "port") or 0), index)
        if first != index:
            yield document.problem(path, f"the same address and port as endpoints[{first}]")


def _wrong_address(address: str, resolution: Resolution) -> str:
    """What is wrong with an address; empty when nothing is."""
    is_name = _HOST_NAME.fullmatch(address) is not None
    if is_address(address) or (is_name and resolution is Resolution.DNS):
        return ""
    if is_name:
        return f"expected an IPv4 or IPv6 address, found '{address}'; resolution: DNS resolves host names"
    names = " or a host name" if resolution is Resolution.DNS else ""
    return f"expected an IPv4 or IPv6 address{names}, found '{address}'"


def _validate_unique(document: Document, name: str, member: str) -> Iterator[Problem]:
    seen: dict[object, int] = {}
    for index, block in enumerate(blocks(document.spec, name)):
        value = block.get(member)
        first = seen.setdefault(value, index)
        if value is not None and first != index:
            path = f"spec.{name}[{index}].{member}"
            yield document.problem(path, f"{value} is taken by {name}[{first}]")
