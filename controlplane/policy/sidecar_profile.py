"""SidecarProfile: what is injected beside the pods of a namespace.

The profile named `default` holds for every pod of its namespace that names no other; that of the root
namespace, for every namespace without one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from controlplane.model.document import ObjectKey
from controlplane.model.quantity import parse_quantity
from controlplane.model.value import Tree, find, find_block, find_duration, find_text
from controlplane.policy import sidecar_patch
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
    spoken at ports in the sidecar's words, and `log_level`. `patch` is laid over the container.
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
    drain_timeout_seconds: int
    patch: Mapping[str, Any] = field(default_factory=dict)


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a SidecarProfile."""
    if find_text(document.spec, "capture.mode") == Capture.EXPLICIT.value:
        for name in _EXCLUSIONS:
            if find(document.spec, f"capture.{name}"):
                yield document.problem(
                    f"spec.capture.{name}", "nothing is redirected here; it needs mode: Redirect"
                )
    for name in ("delay", "timeout"):
        time = find_duration(document.spec, f"drain.{name}")
        if time and time.nanoseconds % 1_000_000_000:
            yield document.problem(f"spec.drain.{name}", f"expected whole seconds, found {time}")
    for path, message in sidecar_patch.find_misfits(find_block(document.spec, "patch") or {}):
        yield document.problem(f"spec.patch.{path}", message)
    requests = _quantities(document.spec, "resources.requests")
    limits = {**_LIMITS, **_quantities(document.spec, "resources.limits")}
    for resource, message in _exceeding(requests, limits):
        yield document.problem(f"spec.resources.requests.{resource}", message)


def exceeding(profile: Profile) -> Iterator[tuple[str, str]]:
    """The resources of which more is asked for than may be used, each with a message."""
    return _exceeding(profile.requests, profile.limits)


def _exceeding(requests: Mapping[str, str], limits: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for resource, limit in limits.items():
        request = requests.get(resource, "0")
        if parse_quantity(request) > parse_quantity(limit):
            yield resource, f"expected at most the limit, {limit}, found {request}"


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
    return Profile(
        capture=Capture(find_text(spec, "capture.mode")),
        exclude_inbound_ports=_numbers(spec, "capture.excludeInboundPorts"),
        exclude_outbound_ports=_numbers(spec, "capture.excludeOutboundPorts"),
        exclude_outbound_cidrs=_texts(spec, "capture.excludeOutboundCidrs"),
        requests=_quantities(spec, "resources.requests"),
        limits=_quantities(spec, "resources.limits"),
        native=Native(find_text(spec, "native")),
        drain_delay_seconds=_seconds(spec, "drain.delay"),
        drain_timeout_seconds=_seconds(spec, "drain.timeout"),
        patch=sidecar_patch.as_json(find_block(spec, "patch") or {}),
    )


def _seconds(spec: Tree, path: str) -> int:
    found = find_duration(spec, path)
    return round(found.seconds) if found else 0


def _quantities(spec: Tree, path: str) -> Mapping[str, str]:
    found = {name: find_text(spec, f"{path}.{name}") for name in ("cpu", "memory")}
    return {name: text for name, text in found.items() if text}


def _numbers(spec: Tree, path: str) -> tuple[int, ...]:
    value = find(spec, path)
    return tuple(item for item in value if isinstance(item, int)) if isinstance(value, tuple) else ()


def _texts(spec: Tree, path: str) -> tuple[str, ...]:
    value = find(spec, path)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, tuple) else ()
