"""What became of a policy: whether it was accepted, and whether what it says is in force (GEP-713)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from controlplane.model.resource import HostBinding, Inbound, Outbound, ResourceName, ResourceType
from controlplane.policy import (
    backpressure,
    external_service,
    fault,
    mesh,
    reference_grant,
    resilience,
    route,
    sidecar_profile,
    target,
)
from controlplane.policy.merge import said_paths
from controlplane.snapshot.attachments import shared_bulkhead
from controlplane.snapshot.bulkheads import agree, oldest_sharer
from controlplane.snapshot.governed import (
    UNVERIFIED,
    exists,
    governed_services,
    is_enforced_at,
    is_for_unverified,
)
from controlplane.snapshot.rehearsals import lost_effects
from controlplane.snapshot.routed import parent_verdict, unresolved
from controlplane.snapshot.services import service_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controlplane.model.document import Document, ObjectKey
    from controlplane.model.effective import FieldOrigin
    from controlplane.model.resource import Body, Resource
    from controlplane.model.sidecar import PolicyConvergence
    from controlplane.snapshot.build import Snapshot
    from controlplane.snapshot.services import KnownService
    from registry.model import ServiceName

_UNATTACHED: Final = frozenset({mesh.KIND, sidecar_profile.KIND, reference_grant.KIND})
_HOLDING: Final = frozenset({"Accepted", "Programmed", "PartiallyProgrammed", "Synced"})
_MERGED: Final = frozenset({resilience.KIND, backpressure.KIND, fault.KIND})
_SHOWN: Final = 3
_REASON_CHARACTERS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One aspect of an object's state, as in Kubernetes; `reason` is one word."""

    type: str
    reason: str
    message: str = ""

    @property
    def status(self) -> bool:
        """Whether it holds."""
        return self.reason in _HOLDING


def conditions(snapshot: Snapshot, document: Document) -> tuple[Condition, Condition]:
    """Whether a document of the snapshot is Accepted, and whether it is Programmed."""
    if document.key.kind in _UNATTACHED:
        accepted = _accepted("Accepted")
    elif document.key.kind == external_service.KIND:
        accepted = _external(snapshot, document)
    elif document.key.kind in route.KINDS:
        accepted = _route(snapshot, document)
    else:
        accepted = _policy(snapshot, document)
    return accepted, _programmed(snapshot, document, accepted)


def synced(convergence: PolicyConvergence, revision: int) -> Condition:
    """Whether every sidecar concerned applies a policy as it is since `revision`; names who refused it."""
    message = f"{convergence.applied}/{convergence.targeted} sidecars"
    if convergence.rejected:
        return Condition(type="Synced", reason="Rejected", message=_rejected(convergence, revision))
    if not convergence.targeted:
        return Condition(type="Synced", reason="NoSidecars", message="no connected sidecar is concerned")
    is_synced = convergence.applied == convergence.targeted
    return Condition(type="Synced", reason="Synced" if is_synced else "Pending", message=message)


def _rejected(convergence: PolicyConvergence, revision: int) -> str:
    head = f"{convergence.rejected} of {convergence.targeted} sidecars rejected revision r{revision}"
    named = [f"{one.instance}: {one.reason[:_REASON_CHARACTERS]}" for one in convergence.refusals]
    more = "; `breakwater proxy-status --rejected` names the others"
    return f"{head}: {'; '.join(named)}{more if convergence.rejected > len(named) else ''}"


def _accepted(reason: str, message: str = "") -> Condition:
    return Condition(type="Accepted", reason=reason, message=message)


def _policy(snapshot: Snapshot, document: Document) -> Condition:
    attachments = snapshot.attachments
    refused = next(target.refusals(document, attachments.root_namespace, attachments.grants), None)
    if refused is not None:
        return _accepted("RefNotPermitted", f"{refused.path}: {refused.message}")
    places = target.targets(document)
    missing = [place for place in places if not exists(snapshot.inputs, place)]
    text = ", ".join(f"{place} is not there" for place in missing)
    if len(missing) == len(places):
        return _accepted("TargetNotFound", text)
    oldest = older_sharer(snapshot, document)
    if oldest is not document:
        bulkhead = shared_bulkhead(document)
        text = f"bulkhead {bulkhead} is as {oldest.key} says, which is older; the rest of this policy holds"
        return _accepted("Conflicted", text)
    return _accepted("Accepted", text)


def older_sharer(snapshot: Snapshot, document: Document) -> Document:
    """The oldest policy that shares the bulkhead of this one with other figures, or the policy itself."""
    oldest = oldest_sharer(snapshot.attachments, document)
    return document if agree(oldest, document, snapshot.schema) else oldest


def _route(snapshot: Snapshot, document: Document) -> Condition:
    """Accepted where it governs calls of some service; with what is wrong with others, and its references."""
    verdicts = [parent_verdict(snapshot, document, parent) for parent in route.parents(document)]
    texts = [*(text for _, text in verdicts if text), *(text for _, text in unresolved(snapshot, document))]
    reasons = [reason for reason, _ in verdicts]
    return _accepted("Accepted" if "Accepted" in reasons else reasons[0], "; ".join(texts))


def _external(snapshot: Snapshot, document: Document) -> Condition:
    name = service_of(document)
    if name in snapshot.inputs.services:
        return _accepted("Conflicted", f"a service registered as {name} hides it")
    hosts = external_service.hosts(document)
    lost = [text for host in hosts if (text := _holder(snapshot, host, name))]
    return _accepted("Conflicted" if len(lost) == len(hosts) else "Accepted", "; ".join(lost))


def _holder(snapshot: Snapshot, host: str, name: ServiceName) -> str:
    """Who else a host belongs to, in words; empty if it is our own."""
    resource = snapshot.resources.get(ResourceName(ResourceType.HOST, host))
    if resource is None or not isinstance(resource.body, HostBinding) or resource.body.service == name:
        return ""
    return f"host {host} belongs to {resource.body.service}"


def _programmed(snapshot: Snapshot, document: Document, accepted: Condition) -> Condition:
    def condition(reason: str, message: str = "") -> Condition:
        return Condition(type="Programmed", reason=reason, message=message)

    if document.key.kind in _UNATTACHED | route.KINDS | {external_service.KIND}:
        return condition("Programmed" if accepted.status else accepted.reason, accepted.message)
    if not target.is_enforced(document):
        return condition("Disabled", "its mode is Disabled")
    if accepted.reason in {"RefNotPermitted", "TargetNotFound"}:
        return condition(accepted.reason, accepted.message)
    governed = list(governed_services(snapshot.inputs, document))
    if not any(is_enforced_at(snapshot, document, service) for service in governed):
        is_unverified = is_for_unverified(document) and any(service.enforces for service in governed)
        return condition("NoEnforcer", UNVERIFIED if is_unverified else "no sidecar of this mesh enforces it")
    if document.key.kind not in _MERGED:
        return condition("Programmed")
    reason, lost = _effect(snapshot, document, governed)
    end = fault.find_end(document)
    return condition(reason, "; ".join([*lost, f"until {end:%Y-%m-%dT%H:%M:%SZ}"] if end else lost))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A field that a policy says of a service in vain, and who says otherwise, if anybody does."""

    path: str
    service: str
    winner: ObjectKey | None

    def __str__(self) -> str:
        by = f" by {self.winner}" if self.winner else ""
        return f"{self.path} overridden{by} on {self.service}"


def lost_fields(snapshot: Snapshot, document: Document, service: KnownService) -> Iterator[Lost]:
    """The fields that a policy says of a service in vain, for every caller, sorted."""
    resource = snapshot.resources.get(_resource(document, service))
    if resource is not None and document.key.kind in _MERGED:
        yield from _lost(resource, document)


def _effect(
    snapshot: Snapshot, document: Document, governed: Sequence[KnownService]
) -> tuple[str, list[str]]:
    """What merging left of a policy: the reason, and the first of what it says in vain."""
    names = [_resource(document, service) for service in governed]
    resources = [snapshot.resources[name] for name in names if name in snapshot.resources]
    lost = [str(each) for resource in resources for each in _lost(resource, document)]
    texts = [*lost[:_SHOWN], *(["and more"] if len(lost) > _SHOWN else [])]
    said = _said(document)
    if said and len(lost) == len(said) * len(resources):
        return "Overridden", texts
    return ("PartiallyProgrammed" if lost else "Programmed"), texts


def _said(document: Document) -> frozenset[str]:
    """The path of everything that a policy of a kind that is merged says."""
    match document.key.kind:
        case fault.KIND:
            return frozenset(fault.EFFECTS) & document.spec.keys()
        case backpressure.KIND:
            return said_paths(backpressure.behaviours(document.spec))
        case _:
            return said_paths(resilience.behaviours(document.spec, document.key.namespace))


def _resource(document: Document, service: KnownService) -> ResourceName:
    """The resource that what a policy says of a service is merged into."""
    is_inbound = document.key.kind == backpressure.KIND
    return ResourceName(ResourceType.INBOUND if is_inbound else ResourceType.OUTBOUND, str(service.name))


def _lost(resource: Resource, document: Document) -> Iterator[Lost]:
    """Of what a policy says those fields that nobody hears, for every caller."""
    lost = _lost_effects if document.key.kind == fault.KIND else _lost_fields
    for path, winner in lost(resource.body, document):
        yield Lost(path=path, service=resource.name.name, winner=winner)


def _lost_effects(body: Body, document: Document) -> Iterator[tuple[str, ObjectKey | None]]:
    assert isinstance(body, Outbound)  # noqa: S101  # callers do what a rehearsal says
    yield from lost_effects(body, document.key).items()


def _lost_fields(body: Body, document: Document) -> Iterator[tuple[str, ObjectKey | None]]:
    speakers = {(origin.path, origin.policy.key) for origin in _origins(body, document) if origin.policy}
    others = {path: key for path, key in speakers if key != document.key}
    for path in sorted(_said(document)):
        if (path, document.key) not in speakers:
            yield path, others.get(path)


def _origins(body: Body, document: Document) -> Iterator[FieldOrigin]:
    """Where the fields come from that a policy of this kind and mode could have set."""
    match body:
        case Outbound() | Inbound():
            yield from body.shadow_origins if target.is_in_shadow(document) else body.origins
