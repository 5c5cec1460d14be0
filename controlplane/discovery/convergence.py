"""How far sidecars are with policies: one pass over who reads what, whatever the number of policies."""

import heapq
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from controlplane.discovery.desired import Published
from controlplane.discovery.stream import Stream
from controlplane.model.document import ObjectKey
from controlplane.model.resource import ResourceName
from controlplane.model.sidecar import REFUSALS_SHOWN, PolicyConvergence, Refusal, Rejection


@dataclass(slots=True)
class _Concerned:
    """The sidecars that one policy concerns, those of them that miss a part of it, and that refused one."""

    targeted: set[Stream] = field(default_factory=set)
    behind: set[Stream] = field(default_factory=set)
    refused: dict[Stream, Rejection] = field(default_factory=dict)

    def counted(self) -> PolicyConvergence:
        return PolicyConvergence(
            targeted=len(self.targeted),
            applied=len(self.targeted) - len(self.behind),
            rejected=len(self.refused),
            refusals=tuple(heapq.nsmallest(REFUSALS_SHOWN, self._refusals())),
        )

    def _refusals(self) -> Iterator[Refusal]:
        return (
            Refusal(instance=stream.hello.instance, reason=rejection.text)
            for stream, rejection in self.refused.items()
        )


def convergence(
    readers: Mapping[ResourceName, Collection[Stream]], desired: Published, policy: ObjectKey | None = None
) -> dict[ObjectKey, PolicyConvergence]:
    """How far the readers are with the resources that each policy is part of; of one policy, or of all.

    A policy that concerns no reader is left out.
    """
    found: dict[ObjectKey, _Concerned] = {}
    for name, streams in readers.items():
        resource = desired.snapshot.resources.get(name)
        policies = resource.policies if resource else frozenset()
        behind = {stream for stream in streams if name in stream.state.pending}
        refused = {stream: why for stream in behind if (why := _find_refusal(stream, name, desired))}
        for key in policies if policy is None else policies & {policy}:
            concerned = found.setdefault(key, _Concerned())
            concerned.targeted.update(streams)
            concerned.behind |= behind
            concerned.refused |= refused
    return {key: concerned.counted() for key, concerned in found.items()}


def _find_refusal(stream: Stream, name: ResourceName, desired: Published) -> Rejection | None:
    """Why a sidecar refused what it should have now, if it did."""
    refusal = stream.state.rejected.get(name)
    return refusal if refusal and refusal.version == desired.find(name) else None
