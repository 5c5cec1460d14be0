"""What policies say of the requests of routes and of rules, beside what they say of whole services.

Callers find the rule of a request on their way. Those who are called look for it again, by the same rules, so
that what members enforce holds whoever calls them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from controlplane.model.resource import InboundRoutes, RateLimitRules, RouteScope
from controlplane.model.value import blocks, find_text
from controlplane.policy import backpressure, fault, rate_limit, route
from controlplane.policy.target import Target
from controlplane.snapshot.hosts import hosts_of
from controlplane.snapshot.routes import bare_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from controlplane.model.resource import FaultRules
    from controlplane.model.schema import Schema
    from controlplane.model.value import Tree
    from controlplane.snapshot.attachments import Attached
    from controlplane.snapshot.routes import Governing, Reach, Routes
    from controlplane.snapshot.services import KnownService


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoped:
    """A policy of some requests to a service, and the services that these may go to.

    Members do not know the routes that consumers have for themselves: what is said of these, callers enforce.
    """

    attached: Attached
    scope: RouteScope
    services: tuple[KnownService, ...]
    is_consumers: bool = False

    @property
    def kind(self) -> str:
        """The kind of the policy."""
        return self.attached.document.key.kind

    @property
    def is_limit_at_caller(self) -> bool:
        """Whether callers enforce the limits that it states: it says so, or none who is called could."""
        is_asked = rate_limit.is_at_caller(self.attached.document)
        is_at_caller = is_asked or self.is_consumers or not any(service.enforces for service in self.services)
        return self.kind == rate_limit.KIND and is_at_caller

    @property
    def is_limit_at_member(self) -> bool:
        """Whether it is of limits, and those who are called enforce them."""
        return self.kind == rate_limit.KIND and not self.is_limit_at_caller

    def limits(self, schema: Schema) -> RateLimitRules:
        """The limits that the policy states."""
        found = rate_limit.compile_rules(self.attached.document, schema, at_caller=self.is_limit_at_caller)
        return replace(found, scope=self.scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """What policies say of the routes of services."""

    routes: Routes
    reach: Reach
    schema: Schema

    def of(self, called: KnownService) -> Iterator[Scoped]:
        """Every policy of a route that governs calls of a service, or of a rule of one."""
        for governing in self.routes.of(called):
            key, rules = governing.document.key, blocks(governing.document.spec, "rules")
            yield from self._at(RouteScope(key), governing, rules, called)
            for rule in rules:
                if name := find_text(rule, "name"):
                    yield from self._at(RouteScope(key, name), governing, (rule,), called)

    def _at(
        self, scope: RouteScope, governing: Governing, rules: Iterable[Tree], called: KnownService
    ) -> Iterator[Scoped]:
        document = governing.document
        place = route.target_of(document)._replace(section=scope.rule)
        attached = tuple(governing.attached(self.reach.attachments, (place,)))
        if attached:
            refs = (ref for rule in rules for ref in route.backends(document, rule) or (None,))
            found = (self.reach.follow(document, ref) if ref else called for ref in refs)
            services = {service.name: service for service in found if service}
            for each in attached:
                yield Scoped(
                    attached=each,
                    scope=scope,
                    services=tuple(services.values()),
                    is_consumers=governing.is_consumers,
                )

    def leading_to(self, member: KnownService) -> Iterator[tuple[KnownService, tuple[Scoped, ...]]]:
        """The services by whose routes a service is called, sorted, and the policies of what comes so.

        Of routes of consumers nothing can be told from what comes.
        """
        for name in sorted({member.name} | self.routes.parents_of([member.name])):
            called = self.reach.inputs.find_service(name)
            if called is not None:
                producers = (each for each in self.of(called) if not each.is_consumers)
                found = (each for each in producers if member in each.services)
                yield called, tuple(found)

    def faults(self, called: KnownService) -> Iterator[FaultRules]:
        """The rehearsals of routes and rules that govern calls of a service."""
        for each in self.of(called):
            if each.kind == fault.KIND:
                found = rehearsal(each.attached, self.schema)
                if found is not None:
                    yield replace(found, scope=each.scope)

    def caller_limits(self, called: KnownService) -> Iterator[RateLimitRules]:
        """The limits of routes and rules that callers of a service enforce."""
        for each in self.of(called):
            if each.is_limit_at_caller:
                yield each.limits(self.schema)

    def member_limits(self, member: KnownService) -> Iterator[RateLimitRules]:
        """The limits of routes and rules that members of a service enforce."""
        seen: set[tuple[object, RouteScope]] = set()
        for _, found in self.leading_to(member):
            for each in found:
                key = each.attached.document.key, each.scope
                if each.is_limit_at_member and key not in seen:
                    seen.add(key)
                    yield each.limits(self.schema)

    def fronts(self, member: KnownService) -> list[RouteScope]:
        """The routes and rules of which policies say what stands before an application, routes first."""
        policies = (each for _, found in self.leading_to(member) for each in found)
        scopes = {each.scope for each in policies if each.kind == backpressure.KIND}
        return sorted(scopes, key=lambda scope: (bool(scope.rule), scope))

    def at(self, scope: RouteScope) -> Iterator[Attached]:
        """The policies of a rule and of its route, each once, at its most specific attachment."""
        whole = Target(*scope.route)
        return self.reach.attachments.at(dict.fromkeys((whole._replace(section=scope.rule), whole)))

    def member_routes(self, member: KnownService) -> Iterator[InboundRoutes]:
        """The routes that members of a service have to tell apart."""
        for called, found in self.leading_to(member):
            if any(each.is_limit_at_member or each.kind == backpressure.KIND for each in found):
                yield InboundRoutes(
                    service=called.name,
                    hosts=hosts_of(called),
                    ports=tuple(sorted(port.port for port in called.ports)),
                    rules=bare_rules(called, self.routes, self.schema),
                )


def rehearsal(attached: Attached, schema: Schema) -> FaultRules | None:
    """What a FaultPolicy has done to those that it governs; `None` where it never acts."""
    return fault.compile_rules(attached.document, attached.callers, schema, attached.specificity)
