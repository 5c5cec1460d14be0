"""The status of a route: what became of it at each of its parents, in the Gateway API's words.

There it is told as well which policies act on it, in a condition for each kind of them (GEP-713).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from controlplane.kubernetes import codec
from controlplane.kubernetes.affected import affecting
from controlplane.kubernetes.status import CONTROLLER, FALSE, TRUE, Condition, Parent, ParentRef, Status
from controlplane.model.value import blocks
from controlplane.policy import route
from controlplane.snapshot.routed import parent_verdict, unresolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controlplane.kubernetes.objects import Custom
    from controlplane.model.document import Document, Problem
    from controlplane.snapshot.build import Snapshot

_SHOWN: Final = 5
_AFFECTED: Final = "PolicyAffected"
# Our words for what became of a route at a parent, and those of the Gateway API.
_REASONS: Final = {
    "Accepted": "Accepted",
    "Conflicted": "Conflicted",
    "TargetNotFound": "NoMatchingParent",
}


def reconcile(
    snapshot: Snapshot, custom: Custom, in_force: Document | None, faults: Sequence[Problem]
) -> Status | None:
    """The status of a route, or `None` while what it says has not got as far as the sidecars' snapshot.

    Of one that has no parent of ours any more there is nothing to say.
    """
    generation = custom.metadata.generation
    refs = codec.parent_refs(msgspec.json.decode(custom.spec))
    if not refs:
        return Status()
    found = [msgspec.convert(ref, ParentRef) for ref in refs]
    if faults:
        texts = [f"{fault.path}: {fault.message}" if fault.path else fault.message for fault in faults]
        refused = _condition("Accepted", "UnsupportedValue", "; ".join(texts[:_SHOWN]), generation)
        return Status(parents=tuple(_parent(ref, (refused,)) for ref in found))
    if in_force is None or in_force.generation != generation:
        return None
    common = _resolved(snapshot, in_force, generation), *_affected(snapshot, in_force, generation)
    parents = zip(found, route.parents(in_force), strict=True)
    return Status(
        parents=tuple(
            _parent(ref, (_accepted(snapshot, in_force, parent, generation), *common))
            for ref, parent in parents
        )
    )


def _accepted(snapshot: Snapshot, document: Document, parent: route.Parent, generation: int) -> Condition:
    reason, text = parent_verdict(snapshot, document, parent)
    return _condition("Accepted", _REASONS[reason], text, generation)


def _resolved(snapshot: Snapshot, document: Document, generation: int) -> Condition:
    lost = list(unresolved(snapshot, document))
    reason = lost[0][0] if lost else "ResolvedRefs"
    return _condition("ResolvedRefs", reason, "; ".join(text for _, text in lost[:_SHOWN]), generation)


def _affected(snapshot: Snapshot, document: Document, generation: int) -> Iterator[Condition]:
    """One for each kind of policies that act on the route or on a rule of it, with their names."""
    rules = blocks(document.spec, "rules")
    places = {route.target_of(document), *(route.target_of(document, rule) for rule in rules)}
    for kind, names in affecting(snapshot, sorted(places)):
        yield _condition(kind, _AFFECTED, f"affected by {names}", generation)


def _condition(kind: str, reason: str, text: str, generation: int) -> Condition:
    status = TRUE if reason in {"Accepted", "ResolvedRefs", _AFFECTED} else FALSE
    return Condition(type=kind, status=status, reason=reason, message=text, observed_generation=generation)


def _parent(ref: ParentRef, conditions: tuple[Condition, ...]) -> Parent:
    return Parent(parent_ref=ref, controller_name=CONTROLLER, conditions=conditions)
