"""What the status of an object should be: a function of the object, of what is in force, and of the sidecars.

An object that was refused says why, with the path of every problem; the version before stays in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from controlplane.kubernetes import codec, routes
from controlplane.kubernetes.status import (
    ANCESTORS_MAX,
    CONTROLLER,
    FALSE,
    TRUE,
    Ancestor,
    AncestorRef,
    Condition,
    Sidecars,
    Status,
)
from controlplane.model.sidecar import PolicyConvergence
from controlplane.policy import route, target
from controlplane.snapshot import status as conditions
from controlplane.sources.desired import Unit
from controlplane.sources.source import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controlplane.kubernetes.objects import Custom
    from controlplane.model.document import Document, ObjectKey, Problem
    from controlplane.snapshot.build import Snapshot
    from controlplane.sources.desired import Desired

_SHOWN: Final = 5
_NOBODY: Final = PolicyConvergence()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that statuses are a function of, at one instant.

    `revision_of` tells the revision at which an object came as it is: others do not concern it.
    """

    desired: Desired
    snapshot: Snapshot
    convergence: Mapping[ObjectKey, PolicyConvergence]
    revision_of: Callable[[ObjectKey], int]


def reconcile(view: View, name: ObjectKey, custom: Custom) -> Status | None:
    """The status of an object, or `None` while what it says has not got as far as the sidecars' snapshot."""
    unit = Unit(CLUSTER, codec.unit_of(name))
    in_force = _in_force(view, name, unit)
    faults = [each for each in view.desired.problems.get(unit, ()) if not each.warning]
    if name.kind in route.KINDS:
        return routes.reconcile(view.snapshot, custom, in_force, faults)
    if faults:
        found = _refused(view, name, unit, faults, in_force)
    elif in_force is None or in_force.generation != custom.metadata.generation:
        return None
    else:
        found = _taken(view, in_force)
    convergence = view.convergence.get(name, _NOBODY)
    generation, revision = custom.metadata.generation, view.revision_of(name)
    synced = conditions.synced(convergence, revision)
    return Status(
        observed_generation=generation,
        synced=f"{convergence.applied}/{convergence.targeted}",
        conditions=tuple(_condition(each, generation) for each in (*found, synced)),
        ancestors=_ancestors(in_force, convergence, revision),
    )


def _in_force(view: View, name: ObjectKey, unit: Unit) -> Document | None:
    """The document of an object, if it is in force here and in the snapshot."""
    document = view.desired.documents.get(name) if view.desired.owners.get(name) == unit else None
    return document if document is view.snapshot.inputs.documents.get(name) else None


def _taken(view: View, document: Document) -> tuple[conditions.Condition, ...]:
    return conditions.conditions(view.snapshot, document)


def _refused(
    view: View, name: ObjectKey, unit: Unit, faults: list[Problem], in_force: Document | None
) -> tuple[conditions.Condition, ...]:
    """Why an object is not in force, and what became of the version before, if there is one."""
    texts = [f"{fault.path}: {fault.message}" if fault.path else fault.message for fault in faults]
    message = "; ".join(texts[:_SHOWN]) + ("; and more" if len(texts) > _SHOWN else "")
    if in_force is not None:
        message += f"; generation {in_force.generation} stays in force"
    accepted = conditions.Condition(type="Accepted", reason=_reason(view, name, unit), message=message)
    if in_force is None:
        return accepted, conditions.Condition(type="Programmed", reason=accepted.reason, message=message)
    return accepted, conditions.conditions(view.snapshot, in_force)[1]


def _reason(view: View, name: ObjectKey, unit: Unit) -> str:
    pending = view.desired.pending.get(unit)
    if pending is None or not pending.is_valid:
        return "Invalid"
    return "Conflicted" if view.desired.owners.get(name, unit) != unit else "RefNotPermitted"


def _condition(condition: conditions.Condition, generation: int) -> Condition:
    return Condition(
        type=condition.type,
        status=TRUE if condition.status else FALSE,
        reason=condition.reason,
        message=condition.message,
        observed_generation=generation,
    )


def _ancestors(
    document: Document | None, convergence: PolicyConvergence, revision: int
) -> tuple[Ancestor, ...]:
    targets = target.targets(document) if document else ()
    sidecars = Sidecars(
        targeted=convergence.targeted,
        applied=convergence.applied,
        rejected=convergence.rejected,
        pending=convergence.targeted - convergence.applied - convergence.rejected,
        revision=f"r{revision}",
    )
    return tuple(
        Ancestor(
            ancestor_ref=_reference(each),
            controller_name=CONTROLLER,
            sidecars=sidecars if len(targets) == 1 else None,
        )
        for each in targets[:ANCESTORS_MAX]
    )


def _reference(place: target.Target) -> AncestorRef:
    group = "" if place.kind in {"Service", "Namespace"} else target.OUR_GROUP
    return AncestorRef(group=group, kind=place.kind, name=place.name, namespace=place.namespace)
