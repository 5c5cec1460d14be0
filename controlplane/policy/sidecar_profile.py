"""SidecarProfile: what is injected beside the pods of a namespace.

The profile named `default` holds for every pod of its namespace that names no other; that of the root
namespace, for every namespace without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from controlplane.model.document import ObjectKey
from controlplane.model.quantity import parse_quantity
from controlplane.model.value import Tree, find, find_duration, find_text
from controlplane.policy.defaults import fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.model.document import Document, Problem
    from controlplane.model.schema import Block

KIND: Final = "SidecarProfile"
DEFAULT: Final = "default"
"""The profile of pods that name none."""

_LIMITS: Final = {"memory": "128Mi"}  # as the contract has it; a test compares them
_EXCLUSIONS: Final = ("excludeInboundPorts", "excludeOutboundPorts", "excludeOutboundCidrs")


class Capture(Enum):
    """Who leads traffic to the sidecar."""

    EXPLICIT = "Explicit"
    REDIRECT = "Redirect"


class Native(Enum):
    """Whether the sidecar is a native one."""

    AUTO = "Auto"
    ALWAYS = "Always"
    NEVER = "Never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one pod gets, every default filled in; quantities are as Kubernetes writes them.

    Only a pod names `opaque_ports`, for which the sidecar has a list of its own, `app_protocols`, what is
    spoken at ports in the sidecar's words, and `log_level`.
    """

    capture: Capture
    exclude_inbound_ports: tuple[int, ...] = ()
    exclude_outbound_ports: tuple[int, ...] = ()
    exclude_outbound_cidrs: tuple[str, ...] = ()
    opaque_ports: tuple[int, ...] = ()
    app_protocols: tuple[tuple[int, str], ...] = ()
    log_level: str = ""
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    native: Native
    drain_delay_seconds: int


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a SidecarProfile."""
    if find_text(document.spec, "capture.mode") == Capture.EXPLICIT.value:
        for name in _EXCLUSIONS:
            if find(document.spec, f"capture.{name}"):
                yield document.problem(
                    f"spec.capture.{name}", "nothing is redirected here; it needs mode: Redirect"
                )
    delay = find_duration(document.spec, "drain.delay")
    if delay and delay.nanoseconds % 1_000_000_000:
        yield document.problem("spec.drain.delay", f"expected whole seconds, found {delay}")
    for resource in ("cpu", "memory"):
        request = find_text(document.spec, f"resources.requests.{resource}") or "0"
        limit = find_text(document.spec, f"resources.limits.{resource}") or _LIMITS.get(resource)
        if limit and parse_quantity(request) > parse_quantity(limit):
            message = f"expected at most the limit, {limit}, found {request}"
            yield document.problem(f"spec.resources.requests.{resource}", message)


def find_document(
    documents: Mapping[ObjectKey, Document], namespace: str, name: str, root_namespace: str
) -> Document | None:
    """The profile that a pod in `namespace` gets; `name` is that of the one that it asks for, or empty."""
    if name:
        return documents.get(ObjectKey(kind=KIND, namespace=namespace, name=name))
    own = documents.get(ObjectKey(kind=KIND, namespace=namespace, name=DEFAULT))
    return own or documents.get(ObjectKey(kind=KIND, namespace=root_namespace, name=DEFAULT))


def profile_of(document: Document | None, block: Block) -> Profile:
    """The settings of a profile, those of the defaults when there is none; `block` is the kind's spec."""
    spec = fill(document.spec if document else {}, block)
    delay = find_duration(spec, "drain.delay")
    return Profile(
        capture=Capture(find_text(spec, "capture.mode")),
        exclude_inbound_ports=_numbers(spec, "capture.excludeInboundPorts"),
        exclude_outbound_ports=_numbers(spec, "capture.excludeOutboundPorts"),
        exclude_outbound_cidrs=_texts(spec, "capture.excludeOutboundCidrs"),
        requests=_quantities(spec, "resources.requests"),
        limits=_quantities(spec, "resources.limits"),
        native=Native(find_text(spec, "native")),
        drain_delay_seconds=round(delay.seconds) if delay else 0,
    )


def _quantities(spec: Tree, path: str) -> Mapping[str, str]:
    found = {name: find_text(spec, f"{path}.{name}") for name in ("cpu", "memory")}
    return {name: text for name, text in found.items() if text}


def _numbers(spec: Tree, path: str) -> tuple[int, ...]:
    value = find(spec, path)
    return tuple(item for item in value if isinstance(item, int)) if isinstance(value, tuple) else ()


def _texts(spec: Tree, path: str) -> tuple[str, ...]:
    value = find(spec, path)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, tuple) else ()
