"""What limits come to over a whole fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.value import blocks, find_text
from controlplane.policy import limits, rate_limit
from controlplane.snapshot.governed import governed_services, is_for_unverified
from registry.model import Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.analysis.world import World
    from controlplane.model.document import Document, Problem
    from controlplane.snapshot.services import KnownService

_MOST_TOLD: Final = 3


def find(world: World) -> Iterator[Problem]:
    """Figures that hold per sidecar, of services that have several."""
    for document in world.policies():
        if rate_limit.is_at_callee(document) and not is_for_unverified(document):
            services = [
                service
                for service in governed_services(world.snapshot.inputs, document)
                if members(service) > 1
            ]
            yield from _totals(document, services[:_MOST_TOLD])


def members(service: KnownService) -> int:
    """How many sidecars enforce the limits of a service: its healthy members that have one."""
    return sum(each.has_sidecar and each.health is Health.HEALTHY for each in service.endpoints)


def _totals(document: Document, services: list[KnownService]) -> Iterator[Problem]:
    for index, limit in enumerate(blocks(document.spec, "limits")):
        kind = limits.find_kind(limit)
        if find_text(limit, "scope") == "Divided":
            continue
        for service in services:
            count = members(service)
            if total := limits.total(limit, count):
                message = f"holds per sidecar; the {count} of {service.name} admit {total} in all"
                yield document.problem(f"spec.limits[{index}].{kind}", message, code=Code.FLEET_TOTAL)
