"""Ports that are governed, and that no sidecar sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.analysis.world import is_active
from controlplane.model.codes import Code
from controlplane.model.value import find
from controlplane.policy import backpressure, rate_limit, sidecar_profile
from controlplane.snapshot.governed import governed_services

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.analysis.world import World
    from controlplane.model.document import Document, Problem
    from controlplane.snapshot.services import KnownService
    from registry.model import ServiceName

_PATH: Final = "capture.excludeInboundPorts"
_INBOUND: Final = frozenset({rate_limit.KIND, backpressure.KIND})


def find_excluded(world: World) -> Iterator[Problem]:
    """Ports that a profile leaves out, though policies say what is admitted there."""
    profiles = [each for each in world.documents() if each.key.kind == sidecar_profile.KIND]
    if not any(find(each.spec, _PATH) for each in profiles):
        return
    governed = _governed(world)
    for profile in profiles:
        yield from _excluded(profile, governed)


def _governed(world: World) -> Mapping[ServiceName, KnownService]:
    documents = world.snapshot.inputs.documents.values()
    policies = (each for each in documents if each.key.kind in _INBOUND and is_active(each))
    found = (service for each in policies for service in governed_services(world.snapshot.inputs, each))
    return {service.name: service for service in found}


def _excluded(profile: Document, governed: Mapping[ServiceName, KnownService]) -> Iterator[Problem]:
    excluded = find(profile.spec, _PATH)
    for name, service in governed.items():
        if name.namespace != profile.key.namespace or not isinstance(excluded, tuple):
            continue
        ports = {number for endpoint in service.endpoints for number in endpoint.ports.values()}
        for number in sorted(ports & {each for each in excluded if isinstance(each, int)}):
            message = f"requests to port {number} of {name} pass no sidecar, and policies govern them"
            yield profile.problem(f"spec.{_PATH}", message, code=Code.PORT_EXCLUDED)
