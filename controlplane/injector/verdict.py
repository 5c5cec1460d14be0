"""Whether a pod gets a sidecar, and why not."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from controlplane.injector import names
from controlplane.injector.names import INJECT_LABEL, SYSTEM_NAMESPACES
from controlplane.injector.pod import Pod, block, containers, entries, tcp_ports, texts, user_of
from controlplane.injector.template import OWN_PORTS, PLACES, USER, Template
from controlplane.model.codes import Code
from controlplane.model.document import Problem
from controlplane.policy.sidecar_profile import Capture, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Skip(Enum):
    """Why a pod gets none; the value is for people."""

    OWN_NAMESPACE = "the namespace is the control plane's own"
    SYSTEM_NAMESPACE = "the namespace is of Kubernetes itself"
    HOST_NETWORK = "the pod uses the network of its host"
    OPTED_OUT = f"the pod is labelled {INJECT_LABEL}=false"
    INJECTED = "the pod has this very sidecar already"


def find_skip(pod: Pod, namespace: str, template: Template) -> Skip | None:
    """Why a pod of `namespace` gets no sidecar though it was asked for, or `None`."""
    label = texts(pod, "labels").get(INJECT_LABEL, "")
    if namespace == template.root_namespace:
        return Skip.OWN_NAMESPACE
    if namespace in SYSTEM_NAMESPACES:
        return Skip.SYSTEM_NAMESPACE
    if block(pod, "spec").get("hostNetwork") is True:
        return Skip.HOST_NETWORK
    if label == "false":
        return Skip.OPTED_OUT
    return None


def obstacles(pod: Pod, profile: Profile) -> Iterator[Problem]:
    """What in a pod stands in the way of a sidecar."""
    label = texts(pod, "labels").get(INJECT_LABEL, "true")
    if label not in {"true", "false"}:
        message = f"expected true or false, found '{label[:80]}'"
        yield Problem(path=f"metadata.labels[{INJECT_LABEL}]", message=message, code=Code.NOT_INJECTABLE)
    spec = block(pod, "spec")
    if not entries(spec, "containers"):
        message = "expected at least one container, found none"
        yield Problem(path="spec.containers", message=message, code=Code.NOT_INJECTABLE)
    count = sum(1 for _ in tcp_ports(pod))
    if profile.capture is Capture.EXPLICIT and count > len(PLACES):
        message = f"expected at most {len(PLACES)} TCP ports where nothing is redirected, found {count}"
        yield Problem(path="spec.containers", message=message, code=Code.NOT_INJECTABLE)
    for index, volume in enumerate(entries(spec, "volumes")):
        yield from _name(volume, names.VOLUMES, f"spec.volumes[{index}]")
    for name, index, container in containers(pod):
        path = f"spec.{name}[{index}]"
        yield from _name(container, (names.CAPTURE,), path)
        for place, mount in enumerate(entries(container, "volumeMounts")):
            yield from _name(mount, names.VOLUMES, f"{path}.volumeMounts[{place}]")
        yield from _user(pod, container, profile, path)
        yield from _ports(container, path)


def _name(found: Mapping[str, Any], ours: tuple[str, ...], path: str) -> Iterator[Problem]:
    """Nothing else is called as what is put in, nor reaches into it."""
    if found.get("name") in ours:
        message = f"{found['name']} is the sidecar's; choose another"
        yield Problem(path=f"{path}.name", message=message, code=Code.NOT_INJECTABLE)


def _user(pod: Pod, container: Mapping[str, Any], profile: Profile, path: str) -> Iterator[Problem]:
    """What runs as our user would not be redirected, and could look into our processes if it sees them."""
    if user_of(pod, container) != USER:
        return
    spec = block(pod, "spec")
    reasons = {
        "whose traffic is not redirected": profile.capture is Capture.REDIRECT,
        "whose processes it would see": True in (spec.get("shareProcessNamespace"), spec.get("hostPID")),
    }
    for reason in [reason for reason, holds in reasons.items() if holds][:1]:
        message = f"user {USER} is the sidecar's, {reason}; choose another"
        yield Problem(path=f"{path}.securityContext.runAsUser", message=message, code=Code.USER_CLASH)


def _ports(container: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for index, port in enumerate(entries(container, "ports")):
        number = port.get("containerPort")
        if number in OWN_PORTS:
            place = f"{path}.ports[{index}].containerPort"
            message = f"ports {OWN_PORTS.start} to {OWN_PORTS.stop - 1} are the sidecar's; choose another"
            yield Problem(path=place, message=message, code=Code.PORT_CLASH)
