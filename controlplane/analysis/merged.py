"""What no policy says by itself, and several say together: settings that do not fit once they are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from controlplane.model.codes import Code
from controlplane.model.resource import Inbound, Outbound, ResourceName, ResourceType
from controlplane.model.value import Duration, find_duration, find_number, find_text, parse_duration
from controlplane.policy import backpressure, resilience

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.analysis.world import World
    from controlplane.model.document import Document, ObjectKey, Problem
    from controlplane.model.value import Tree
    from controlplane.snapshot.services import KnownService


class _Misfit(NamedTuple):
    """Fields that do not fit together, the one first that is to blame, in words, and by which code."""

    paths: tuple[str, ...]
    message: str
    code: Code


def find(world: World) -> Iterator[Problem]:
    """What of a policy does not fit to what others say of the same service."""
    for document in world.policies():
        yield from world.at_services(document, _of)


def _of(world: World, document: Document, service: KnownService) -> Iterator[Problem]:
    match document.key.kind:
        case resilience.KIND:
            yield from _outbound(world, document, service)
        case backpressure.KIND:
            yield from _inbound(world, document, service)


def _outbound(world: World, document: Document, service: KnownService) -> Iterator[Problem]:
    """Times of several policies that do not fit, for any caller."""
    resource = world.snapshot.resources.get(ResourceName(ResourceType.OUTBOUND, str(service.name)))
    for variant in resource.body.variants if resource and isinstance(resource.body, Outbound) else ():
        owners = {origin.path: origin.policy.key for origin in variant.origins if origin.policy}
        for misfit in _misfits(variant.resilience):
            path = _own(document.key, misfit.paths, owners)
            if path:
                message = f"{misfit.message}, for {service.name}"
                yield document.problem(f"spec.{path}", message, code=misfit.code)


def _inbound(world: World, document: Document, service: KnownService) -> Iterator[Problem]:
    """A queue in front of what nobody bounds."""
    resource = world.snapshot.resources.get(ResourceName(ResourceType.INBOUND, str(service.name)))
    front = resource.body.backpressure if resource and isinstance(resource.body, Inbound) else None
    if front and "queue" in document.spec and "concurrency" not in front.settings:
        message = f"nobody ever waits: no policy says concurrency, for {service.name}"
        yield document.problem("spec.queue", message, code=Code.IDLE)


def _own(key: ObjectKey, paths: tuple[str, ...], owners: Mapping[str, ObjectKey]) -> str:
    """The first of the fields that is this policy's; none where all are, as the policy was told by itself."""
    whose = [owners.get(path) for path in paths]
    others = {owner for owner in whose if owner is not None and owner != key}
    return (
        next((path for path, owner in zip(paths, whose, strict=True) if owner == key), "") if others else ""
    )


def _misfits(tree: Tree) -> Iterator[_Misfit]:
    request, per_try = find_duration(tree, "timeouts.request"), find_duration(tree, "timeouts.perTry")
    attempts = find_number(tree, "retry.attempts") or 0
    if request and per_try:
        worst = Duration((attempts + 1) * per_try.nanoseconds)
        if per_try > request:
            message = f"a try may take {per_try}, and the request, as merged, {request}"
            yield _Misfit(("timeouts.perTry", "timeouts.request"), message, Code.RETRIES_TOO_LONG)
        elif worst > request:
            message = f"{attempts + 1} tries of {per_try} take {worst}, and the request, as merged, {request}"
            paths = ("retry.attempts", "timeouts.perTry", "timeouts.request")
            yield _Misfit(paths, message, Code.RETRIES_TOO_LONG)
    after = find_text(tree, "hedge.after")
    if request and after and not after.startswith("p") and parse_duration(after) >= request:
        message = f"comes after {after}, and the request, as merged, ends after {request}"
        yield _Misfit(("hedge.after", "timeouts.request"), message, Code.HEDGE_NEVER)
