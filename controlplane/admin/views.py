"""What people are shown, from what the parts know."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from controlplane.model.codes import Code
from controlplane.model.document import Document, Problem
from controlplane.model.effective import CallerMatch, OutboundVariant
from controlplane.model.replica import Placed
from controlplane.model.resource import Inbound, Outbound, Resource, ResourceName, ResourceType, RouteScope
from controlplane.model.route import RouteBackend, RouteRule, rules_of
from controlplane.model.schema import Schema
from controlplane.model.sidecar import PolicyConvergence, SidecarState
from controlplane.model.value import Duration, Tree, find_duration, find_number
from controlplane.snapshot.build import Snapshot
from controlplane.snapshot.describe import (
    Row,
    inbound_rows,
    inbound_shadow,
    outbound_rows,
    outbound_shadow,
)
from controlplane.snapshot.status import Condition, conditions, synced
from registry.model import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """A document in force, with its state."""

    document: Document
    conditions: tuple[Condition, ...]
    convergence: PolicyConvergence


def policy_view(
    snapshot: Snapshot,
    document: Document,
    newer: Iterable[Problem],
    convergence: PolicyConvergence,
    revision: int,
) -> PolicyView:
    """The state of a document as it is since `revision`; `newer` are problems of what could not be taken."""
    accepted, programmed = conditions(snapshot, document)
    faults = [one for one in newer if one.object == str(document.key) and not one.warning]
    if faults:
        message = f"a newer version is refused, and this one stays in force: {faults[0]}"
        accepted = Condition(type="Accepted", reason="Invalid", message=message)
    return PolicyView(
        document=document,
        conditions=(accepted, programmed, synced(convergence, revision)),
        convergence=convergence,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """A backend of a rule; `rows` is what holds for the requests to it, unless the service itself says it."""

    rule: RouteRule
    backend: RouteBackend
    rows: tuple[Row, ...] = ()
    shadow: tuple[Row, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What stands in front of an application for requests of a route or rule; no rows: as for more."""

    scope: RouteScope
    rows: tuple[Row, ...]
    shadow: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What governs calls to a service: its resources, the variant for the caller, and both sides in rows.

    `shadow` are the rows that would be others if the policies in shadow acted too, `ruled` is where its calls
    go by rules of routes, `fronts` what its members say of such requests apart.
    """

    outbound: Resource
    inbound: Resource | None
    variant: int
    rows: tuple[Row, ...]
    shadow: tuple[Row, ...]
    warnings: tuple[Problem, ...]
    ruled: tuple[Ruled, ...] = ()
    fronts: tuple[Front, ...] = ()


def effective(snapshot: Snapshot, service: ServiceName, caller: CallerMatch, schema: Schema) -> Effective:
    """What governs the calls of `caller` to `service`, which the snapshot must know."""
    outbound = snapshot.resources[ResourceName(ResourceType.OUTBOUND, str(service))]
    variants = outbound.body.variants if isinstance(outbound.body, Outbound) else ()
    routes = outbound.body.routes if isinstance(outbound.body, Outbound) else ()
    rules = rules_of(routes, caller)
    index = variant_for(variants, caller)
    variant = variants[index]
    inbound = snapshot.resources.get(ResourceName(ResourceType.INBOUND, str(service)))
    member = inbound.body if inbound and isinstance(inbound.body, Inbound) else _bare(service)
    return Effective(
        outbound=outbound,
        inbound=inbound,
        variant=index,
        rows=(*outbound_rows(variant, schema), *inbound_rows(member, schema)),
        shadow=(*outbound_shadow(variant, schema), *inbound_shadow(member, schema)),
        warnings=tuple(warnings(variant.resilience)),
        ruled=tuple(_ruled(rule, backend, caller, schema) for rule in rules for backend in rule.backends),
        fronts=tuple(
            Front(scope=each.scope, rows=inbound_rows(each, schema), shadow=inbound_shadow(each, schema))
            for each in member.route_backpressure
        ),
    )


def _bare(service: ServiceName) -> Inbound:
    """What members of a service enforce that have nothing to."""
    return Inbound(service=service, rate_limits=())


def _ruled(rule: RouteRule, backend: RouteBackend, caller: CallerMatch, schema: Schema) -> Ruled:
    if not backend.variants:
        return Ruled(rule=rule, backend=backend)
    asked = caller if caller.namespace else rule.caller or caller
    variant = backend.variants[variant_for(backend.variants, asked)]
    return Ruled(
        rule=rule,
        backend=backend,
        rows=outbound_rows(variant, schema),
        shadow=outbound_shadow(variant, schema),
        warnings=tuple(warnings(variant.resilience)),
    )


def variant_for(variants: Sequence[OutboundVariant], caller: CallerMatch) -> int:
    """The index of the variant that governs a caller: the first that matches it."""
    matching = (index for index, one in enumerate(variants) if _covers(one, caller))
    return next(matching, len(variants) - 1)


def _covers(variant: OutboundVariant, caller: CallerMatch) -> bool:
    match = variant.caller or CallerMatch()
    pairs = (
        (match.namespace, caller.namespace),
        (match.service, caller.service),
        (match.service_account, caller.service_account),
    )
    return all(not wanted or wanted == found for wanted, found in pairs)


def warnings(resilience: Tree) -> Iterator[Problem]:
    """What is allowed and probably not meant."""
    attempts = find_number(resilience, "retry.attempts")
    per_try, whole = (
        find_duration(resilience, "timeouts.perTry"),
        find_duration(resilience, "timeouts.request"),
    )
    if attempts and per_try and whole and whole.nanoseconds:
        worst = Duration((attempts + 1) * per_try.nanoseconds)
        if worst > whole:
            text = f"{attempts + 1} attempts of {per_try} need {worst}, and timeouts.request is {whole}"
            yield Problem(path="retry.attempts", message=text, code=Code.RETRIES_TOO_LONG)


def members(sidecars: Iterable[Placed], service: ServiceName) -> tuple[Placed, ...]:
    """The connected sidecars of a service, those first that apply the newest of all they hold."""
    found = [
        one
        for one in sidecars
        if service in one.attached.status.hello.services
        and one.attached.status.state is not SidecarState.OFFLINE
    ]
    return tuple(sorted(found, key=_eagerness))


def _eagerness(one: Placed) -> tuple[bool, str]:
    return one.attached.status.state is not SidecarState.SYNCED, one.attached.status.hello.instance
