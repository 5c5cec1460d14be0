"""Policies of one target that say different things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.model.codes import Code
from controlplane.policy import resilience
from controlplane.snapshot import status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.analysis.world import World
    from controlplane.model.document import Document, ObjectKey, Problem
    from controlplane.policy.target import Level
    from controlplane.snapshot.services import KnownService


def find(world: World) -> Iterator[Problem]:
    """Fields that another policy says in their place, and bulkheads that are shared and differ."""
    for document in world.policies():
        yield from _bulkhead(world, document)
        yield from world.at_services(document, _lost)


def _bulkhead(world: World, document: Document) -> Iterator[Problem]:
    oldest = status.older_sharer(world.snapshot, document)
    if document.key.kind == resilience.KIND and oldest is not document:
        message = f"{oldest.key} shares it, is older, and gives other figures, which hold"
        yield document.problem("spec.bulkhead.sharedName", message, code=Code.BULKHEADS_DIFFER)


def _lost(world: World, document: Document, service: KnownService) -> Iterator[Problem]:
    levels = _levels(world, service)
    own = levels.get(document.key)
    for lost in status.lost_fields(world.snapshot, document, service):
        theirs = levels.get(lost.winner) if lost.winner else None
        if own is None or theirs is None or theirs > own:
            continue  # what is more specific may say otherwise, for that it is there
        code = Code.SAME_LEVEL if theirs == own else Code.OVERRIDDEN
        message = f"{lost.winner} says otherwise for {service.name}, and holds"
        yield document.problem(f"spec.{lost.path}", message, code=code)


def _levels(world: World, service: KnownService) -> Mapping[ObjectKey, Level]:
    attached = world.snapshot.attachments.of(service.name, is_external=service.document is not None)
    return {each.document.key: each.level for each in attached}
