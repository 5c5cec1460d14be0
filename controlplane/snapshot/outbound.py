"""How callers treat a service: effective settings for every class of callers, and limits they enforce."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from controlplane.model.resource import Outbound
from controlplane.policy import fault, rate_limit
from controlplane.snapshot.scopes import rehearsal
from controlplane.snapshot.variants import resilience_of, variants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from controlplane.model.resource import FaultRules, RateLimitRules
    from controlplane.model.route import RouteRule
    from controlplane.model.schema import Schema
    from controlplane.snapshot.attachments import Attached
    from controlplane.snapshot.scopes import Scopes
    from controlplane.snapshot.services import KnownService


_Rules = TypeVar("_Rules", "RateLimitRules", "FaultRules")


def build_outbound(service: KnownService, rules: tuple[RouteRule, ...], scopes: Scopes) -> Outbound:
    """The resource for callers of `service`, whose calls go where `rules` say."""
    attachments, schema = scopes.reach.attachments, scopes.schema
    attached = list(attachments.of(service.name, is_external=service.document is not None))
    settings = resilience_of(attached)
    return Outbound(
        service=service.name,
        ports=service.ports,
        idempotent_methods=service.idempotent_methods,
        variants=variants(settings, attachments, scopes.reach.inputs.mesh, schema),
        rate_limits=by_policy(
            limits(attached, schema, at_caller=True, callee_enforces=service.enforces),
            scopes.caller_limits(service),
        ),
        faults=by_policy(_faults(attached, schema), scopes.faults(service)),
        routes=rules,
        twins=scopes.reach.twins(rule.route.key for rule in rules),
    )


def by_policy(*rules: Iterable[_Rules]) -> tuple[_Rules, ...]:
    """What is said of whole services, of routes and of rules, sorted by policy."""
    return tuple(sorted(chain(*rules), key=lambda each: (each.policy.key, each.scope or ())))


def limits(
    attached: Sequence[Attached], schema: Schema, *, at_caller: bool, callee_enforces: bool
) -> Iterator[RateLimitRules]:
    """The limits of a whole service that callers of it, or else members, enforce.

    Callers take over what members would enforce when none of these has a sidecar.
    """
    for each in attached:
        is_limit = each.document.key.kind == rate_limit.KIND
        if is_limit and (rate_limit.is_at_caller(each.document) or not callee_enforces) is at_caller:
            yield rate_limit.compile_rules(each.document, schema, at_caller=at_caller)


def _faults(attached: Sequence[Attached], schema: Schema) -> Iterator[FaultRules]:
    """The rehearsals of a whole service."""
    policies = (each for each in attached if each.document.key.kind == fault.KIND)
    return filter(None, (rehearsal(each, schema) for each in policies))
