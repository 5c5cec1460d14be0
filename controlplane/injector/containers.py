"""The containers and volumes that are put into a pod.

They pass Pod Security `restricted`, but for the init container of `Redirect`, which changes the pod's
network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from controlplane.injector import names, probes, scrape
from controlplane.injector.merging import lay_over
from controlplane.injector.pod import Pod, tcp_ports
from controlplane.injector.template import (
    HTTP_PORT,
    INBOUND_PORT,
    OUTBOUND_PORT,
    PATIENCE_SECONDS,
    PLACES,
    USER,
    Template,
)
from controlplane.policy.sidecar_profile import Capture, Profile

Part: TypeAlias = Mapping[str, Any]

_IDENTITY: Final = "/var/run/secrets/breakwater.dev"
_STATE: Final = "/var/lib/breakwater"
_TOKEN_SECONDS: Final = 3600  # the kubelet puts a new one in place when a fifth of it is left
_NO_TOKEN: Final[Part] = {
    "name": names.STATE_VOLUME,
    "mountPath": names.API_PLACE,
    "readOnly": True,
}
"""Stands where the API server would mount the token of the pod's own account, which is none of ours."""

_UNPRIVILEGED: Final[Part] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsGroup": USER,
    "runAsNonRoot": True,
    "runAsUser": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_NETWORK_ADMIN: Final[Part] = {
    **_UNPRIVILEGED,
    "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
    "runAsGroup": 0,
    "runAsNonRoot": False,
    "runAsUser": 0,
}


def sidecar(pod: Pod, template: Template, profile: Profile) -> Part:
    """The container of the sidecar, with what the profile lays over it."""
    return lay_over(_sidecar(pod, template, profile), profile.patch)


def _sidecar(pod: Pod, template: Template, profile: Profile) -> Part:
    native = {"restartPolicy": "Always"} if template.is_native(profile) else {}
    return {
        "name": names.SIDECAR,
        "image": template.sidecar_image,
        **native,
        "args": list(_flags(pod, template, profile)),
        "env": [
            _field("POD_NAME", "metadata.name"),
            _field("POD_NAMESPACE", "metadata.namespace"),
            _field("POD_SERVICE_ACCOUNT", "spec.serviceAccountName"),
            {"name": "BREAKWATER_ADMIN", "value": f"unix:{_STATE}/admin.sock"},
        ],
        "ports": [{"name": "breakwater-http", "containerPort": HTTP_PORT, "protocol": "TCP"}],
        "resources": {"requests": dict(profile.requests), "limits": dict(profile.limits)},
        "securityContext": dict(_UNPRIVILEGED),
        "startupProbe": _probe("/ready", periodSeconds=1, failureThreshold=120),
        "readinessProbe": _probe("/ready", periodSeconds=5, failureThreshold=2),
        "livenessProbe": _probe("/live", periodSeconds=10, failureThreshold=3),
        **_lifecycle(template, profile),
        "volumeMounts": [
            {"name": names.IDENTITY_VOLUME, "mountPath": _IDENTITY, "readOnly": True},
            {"name": names.STATE_VOLUME, "mountPath": _STATE},
            _NO_TOKEN,
        ],
    }


def capture(template: Template, profile: Profile) -> Part:
    """The init container that leads the pod's traffic to the sidecar."""
    return {
        "name": names.CAPTURE,
        "image": template.capture_image,
        "args": list(_capture_flags(profile)),
        "resources": {"requests": dict(profile.requests), "limits": dict(profile.limits)},
        "securityContext": dict(_NETWORK_ADMIN),
        "volumeMounts": [_NO_TOKEN],
    }


def volumes(template: Template) -> tuple[Part, ...]:
    """What the sidecar mounts: a token for the control plane alone with its trust roots, and its state."""
    token = {"audience": template.audience, "expirationSeconds": _TOKEN_SECONDS, "path": "token"}
    roots = {"name": template.ca_config_map, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    sources = [{"serviceAccountToken": token}, {"configMap": roots}]
    return (
        {"name": names.IDENTITY_VOLUME, "projected": {"sources": sources}},
        {"name": names.STATE_VOLUME, "emptyDir": {"sizeLimit": "64Mi"}},
    )


def listeners(pod: Pod, profile: Profile) -> Mapping[int, int]:
    """Where the sidecar listens for each declared port of the application; redirected ones need no place."""
    if profile.capture is Capture.REDIRECT:
        return {}
    return dict(zip((number for _, number in tcp_ports(pod)), PLACES, strict=False))


def _flags(pod: Pod, template: Template, profile: Profile) -> Iterator[str]:
    yield "--workload=$(POD_NAMESPACE)/$(POD_NAME)"
    yield "--service-account=$(POD_SERVICE_ACCOUNT)"
    yield "--instance=$(POD_NAME).$(POD_NAMESPACE)"
    yield f"--controlplane={template.controlplane}"
    yield f"--controlplane-ca={_IDENTITY}/ca.crt"
    yield f"--token-file={_IDENTITY}/token"
    yield f"--capture={profile.capture.value.lower()}"
    yield f"--drain-timeout={profile.drain_timeout_seconds}"
    if template.passes_through:
        yield f"--pass-through-after={PATIENCE_SECONDS}"
    if profile.opaque_ports:
        yield f"--opaque-ports={_list(profile.opaque_ports)}"
    if profile.log_level:
        yield f"--log-level={profile.log_level}"
    yield f"--inbound=[::]:{INBOUND_PORT}"
    yield f"--outbound=127.0.0.1:{OUTBOUND_PORT}"
    yield f"--http=[::]:{HTTP_PORT}"
    yield f"--state-dir={_STATE}"
    places = listeners(pod, profile)
    for name, number in tcp_ports(pod):
        if number in places:
            label = f"{name}=" if name else ""
            yield f"--app={label}127.0.0.1:{number}@{places[number]}"
    yield from (f"--app-protocol={port}={word}" for port, word in profile.app_protocols)
    yield from probes.flags(pod, profile)
    yield from scrape.flags(pod)


def _capture_flags(profile: Profile) -> Iterator[str]:
    yield f"--inbound-port={INBOUND_PORT}"
    yield f"--outbound-port={OUTBOUND_PORT}"
    yield f"--exclude-user={USER}"
    yield f"--exclude-inbound-ports={_list((HTTP_PORT, *profile.exclude_inbound_ports))}"
    if profile.exclude_outbound_ports:
        yield f"--exclude-outbound-ports={_list(profile.exclude_outbound_ports)}"
    if profile.exclude_outbound_cidrs:
        yield f"--exclude-outbound-cidrs={_list(profile.exclude_outbound_cidrs)}"


def _list(items: tuple[int, ...] | tuple[str, ...]) -> str:
    return ",".join(map(str, items))


def _field(name: str, path: str) -> Part:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _probe(path: str, **patience: int) -> Part:
    return {"httpGet": {"path": path, "port": HTTP_PORT}, **patience}


def _lifecycle(template: Template, profile: Profile) -> Part:
    """What happens around the life of the sidecar.

    Once the pod is told to end, the sidecar has callers go elsewhere, and refuses them after a while; what
    the application calls still passes until it has ended. A native sidecar is sent its signal only then; one
    that is not is sent it at once, and sees by its connections. As the first container of its pod it also
    holds the others back until it is ready, as the startup probe of a native one does.
    """
    native = template.is_native(profile)
    until = "signal" if native else "unused"
    after = f"--after={profile.drain_delay_seconds}"
    hooks = {"preStop": ["breakwater-sidecar", "drain", after, f"--outbound-until={until}"]}
    if not native:
        hooks["postStart"] = ["breakwater-sidecar", "wait", f"--http=127.0.0.1:{HTTP_PORT}"]
    return {"lifecycle": {name: {"exec": {"command": command}} for name, command in hooks.items()}}
