"""Rules of routes: which requests they are for, and where these go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controlplane.model.effective import CallerMatch, OutboundVariant, PolicyRef
    from controlplane.model.value import Tree
    from registry.model import ServiceName


def name_beside(kind: str, name: str) -> str:
    """What a route is called where one of another kind has its name: as no object can be called.

    It sorts as the name does, which decides between rules.
    """
    return f"{name}+{kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteBackend:
    """Where a rule sends requests; a `port` of zero is the port that was called.

    `service` is `None` for a reference that leads nowhere, or may not be followed. `variants` are the
    settings of the rule's requests to it, by callers; none: those of the service itself.
    """

    service: ServiceName | None
    port: int
    weight: int
    variants: tuple[OutboundVariant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMirror:
    """Where copies go of so many requests, `numerator`, of so many, `denominator`."""

    service: ServiceName
    port: int
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """One rule of a route of a service, its matches with every default filled in.

    `name` is the rule's own, or its place in the route; no `ports` means every port of the service. Rules for
    a `caller` are all that there are for it; the others are for everybody else. Changes to the heads of
    requests and of answers are empty where there are none.
    """

    route: PolicyRef
    name: str
    created_at: datetime | None
    ports: tuple[int, ...]
    matches: tuple[Tree, ...]
    backends: tuple[RouteBackend, ...]
    caller: CallerMatch | None = None
    request_headers: Tree = field(default_factory=dict)
    response_headers: Tree = field(default_factory=dict)
    mirrors: tuple[RouteMirror, ...] = ()


def rules_of(rules: Sequence[RouteRule], caller: CallerMatch) -> tuple[RouteRule, ...]:
    """The rules for calls of a caller; for those of nobody in particular all of them, each once."""
    if not caller.namespace:
        return tuple(
            rule for rule in rules if not rule.caller or rule.caller.namespace == rule.route.key.namespace
        )
    own = tuple(rule for rule in rules if rule.caller and rule.caller.namespace == caller.namespace)
    return own or tuple(rule for rule in rules if not rule.caller)
