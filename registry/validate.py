"""Checks of what an instance registers."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from registry.model import Contract, Endpoint, Problem, Registration, ServiceName, ServicePort

# RFC 1123, as Kubernetes names its services.
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# Whatever a host name and a port can be made of; a slash would add a segment to the key.
_INSTANCE = re.compile(r"[A-Za-z0-9._:-]{1,253}")
# Bounds on what one registration may hold, so that the catalogue's size is services times a constant.
_PORTS_MAX = 16
_LABELS_MAX = 32
_METHODS_MAX = 256
_TEXT_MAX = 1024


def validate(registration: Registration) -> tuple[Problem, ...]:
    """Every problem of a registration, in the order of its fields; none when it may be stored."""
    return (
        *_validate_name(registration.service),
        *_validate_ports(registration.ports),
        *_validate_contract(registration.contract),
        *_validate_endpoint(registration.endpoint, {port.name for port in registration.ports}),
    )


def _validate_name(service: ServiceName) -> Iterator[Problem]:
    for path, text in (("service.namespace", service.namespace), ("service.name", service.name)):
        if not _LABEL.fullmatch(text):
            yield Problem(path=path, message=f"expected lower-case letters, digits and '-', found {text!r}")


def _validate_ports(ports: tuple[ServicePort, ...]) -> Iterator[Problem]:
    if not 1 <= len(ports) <= _PORTS_MAX:
        yield Problem(path="ports", message=f"expected 1 to {_PORTS_MAX} ports, found {len(ports)}")
    for index, port in enumerate(ports):
        if not _LABEL.fullmatch(port.name):
            message = f"expected lower-case letters, digits and '-', found {port.name!r}"
            yield Problem(path=f"ports[{index}].name", message=message)
        yield from _validate_number(f"ports[{index}].port", port.port)
    yield from _validate_unique("name", [port.name for port in ports])
    yield from _validate_unique("port", [port.port for port in ports])


def _validate_unique(field: str, values: list[str] | list[int]) -> Iterator[Problem]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield Problem(
                path=f"ports[{index}].{field}", message=f"expected each {field} once, found {value!r} again"
            )


def _validate_number(path: str, port: int) -> Iterator[Problem]:
    if not 1 <= port <= 65535:  # noqa: PLR2004 - the range of a TCP port, RFC 9293
        yield Problem(path=path, message=f"expected a port from 1 to 65535, found {port}")


def _validate_contract(contract: Contract) -> Iterator[Problem]:
    if len(contract.idempotent_methods) > _METHODS_MAX:
        message = f"expected at most {_METHODS_MAX} methods, found {len(contract.idempotent_methods)}"
        yield Problem(path="contract.idempotent_methods", message=message)
    yield from _validate_texts("contract.idempotent_methods", contract.idempotent_methods)
    for name, text in (
        ("owner", contract.owner),
        ("version", contract.version),
        ("documentation", contract.documentation),
    ):
        yield from _validate_texts(f"contract.{name}", (text,))


def _validate_texts(path: str, texts: Iterable[str]) -> Iterator[Problem]:
    longest = max(map(len, texts), default=0)
    if longest > _TEXT_MAX:
        yield Problem(path=path, message=f"expected at most {_TEXT_MAX} characters, found {longest}")


def _validate_endpoint(endpoint: Endpoint, names: set[str]) -> Iterator[Problem]:
    if not _INSTANCE.fullmatch(endpoint.instance):
        message = f"expected up to 253 letters, digits and any of '._:-', found {endpoint.instance!r}"
        yield Problem(path="endpoint.instance", message=message)
    if not is_address(endpoint.address):
        message = f"expected an IPv4 or IPv6 address, found {endpoint.address!r}"
        yield Problem(path="endpoint.address", message=message)
    if not endpoint.ports:
        yield Problem(path="endpoint.ports", message="expected the number of at least one port, found none")
    for name, port in endpoint.ports.items():
        if name not in names:
            message = f"expected one of the service's ports ({', '.join(sorted(names))}), found {name!r}"
            yield Problem(path=f"endpoint.ports[{name}]", message=message)
        yield from _validate_number(f"endpoint.ports[{name}]", port)
    if len(endpoint.labels) > _LABELS_MAX:
        message = f"expected at most {_LABELS_MAX} labels, found {len(endpoint.labels)}"
        yield Problem(path="endpoint.labels", message=message)
    yield from _validate_texts("endpoint.labels", [*endpoint.labels, *endpoint.labels.values()])


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
