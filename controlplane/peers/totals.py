"""Adds up what replicas say of their sidecars, each of which counts once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain

from controlplane.model.document import ObjectKey
from controlplane.model.event import Event
from controlplane.model.replica import ConvergenceShare, Placed
from controlplane.model.sidecar import REFUSALS_SHOWN, PolicyConvergence, Refusal, SidecarState


def distinct(placed: Iterable[Placed]) -> tuple[Placed, ...]:
    """Each sidecar once, sorted by instance: a connected one before the memory of it, then the newest."""
    found: dict[str, Placed] = {}
    for one in placed:
        instance = one.attached.status.hello.instance
        known = found.get(instance)
        found[instance] = _better(known, one) if known else one
    return tuple(one for _, one in sorted(found.items()))


def convergence(
    shares: Sequence[ConvergenceShare], revision_of: Callable[[ObjectKey], int]
) -> dict[ObjectKey, PolicyConvergence]:
    """How far all sidecars are with each policy.

    What the sidecars of a replica apply is an older version of a policy that the replica has not seen yet.
    """
    found: dict[ObjectKey, PolicyConvergence] = {}
    for share in shares:
        for key, one in share.policies.items():
            known = found.get(key, PolicyConvergence())
            is_current = share.revision >= revision_of(key)
            found[key] = PolicyConvergence(
                targeted=known.targeted + one.targeted,
                applied=known.applied + (one.applied if is_current else 0),
                rejected=known.rejected + (one.rejected if is_current else 0),
                refusals=_first(known.refusals, one.refusals if is_current else ()),
            )
    return found


def _first(*refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    return tuple(sorted(chain(*refusals)))[:REFUSALS_SHOWN]


def newest(events: Iterable[Event], limit: int) -> tuple[Event, ...]:
    """At most `limit` of the newest events, oldest first, each once."""
    return tuple(sorted(dict.fromkeys(events), key=lambda event: event.at)[-limit:])


def _better(one: Placed, other: Placed) -> Placed:
    """The one of two about the same sidecar that knows better, with the memory that either was told."""
    best, second = sorted((one, other), key=_rank)
    if best.attached.resident_bytes:
        return best
    return replace(best, attached=replace(best.attached, resident_bytes=second.attached.resident_bytes))


def _rank(one: Placed) -> tuple[bool, float]:
    return one.attached.status.state is SidecarState.OFFLINE, one.attached.status.age_seconds
