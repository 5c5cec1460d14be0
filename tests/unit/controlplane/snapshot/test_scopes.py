"""Limits of routes and of rules: who enforces them, and of which requests."""

from controlplane.model.document import Document
from controlplane.model.resource import Inbound, Outbound, ResourceType
from controlplane.snapshot.build import Snapshot, build
from controlplane.snapshot.governed import governed_services
from controlplane.snapshot.status import conditions
from registry.catalog import Service
from tests.support.builders import COMPILER, body, documents, inputs, policy, service, snapshot

API = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}"
GET = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api, sectionName: get}"
TO_NEXT = "[{name: next, port: 80}]"


def route(rules: str = f"[{{name: get, backendRefs: {TO_NEXT}}}, {{}}]") -> Document:
    [document] = documents(
        f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {{name: api, namespace: shop}}
        spec: {{parentRefs: [{{kind: Service, name: cart}}], rules: {rules}}}
        """
    )
    return document


def limit(name: str, target: str, spec: str = "") -> Document:
    limits = "limits: [{name: all, requests: 5, per: 1s}]"
    return policy(f"{limits}\n{spec}", name=name, target=target, kind="RateLimitPolicy")


def outside(name: str) -> Service:
    """A service whose members have no sidecars."""
    return service(name, has_sidecar=False)


def at_members(built: Snapshot, name: str) -> list[tuple[str, str]]:
    """Policy and rule of every limit of a route that members enforce; the rule of a whole route is empty."""
    found = body(built, ResourceType.INBOUND, name)
    assert isinstance(found, Inbound)
    return [(each.policy.key.name, each.scope.rule) for each in found.rate_limits if each.scope]


def at_callers(built: Snapshot, name: str = "shop/cart") -> list[tuple[str, str]]:
    found = body(built, ResourceType.OUTBOUND, name)
    assert isinstance(found, Outbound)
    return [(each.policy.key.name, each.scope.rule) for each in found.rate_limits if each.scope]


def ways(built: Snapshot, name: str) -> list[tuple[str, tuple[str, ...], list[str]]]:
    """The services by whose routes a service is called, with their hosts and rules."""
    found = body(built, ResourceType.INBOUND, name)
    assert isinstance(found, Inbound)
    return [(str(each.service), each.hosts, [rule.name for rule in each.rules]) for each in found.routes]


def test_members_enforce_the_limits_of_the_rules_that_lead_to_them() -> None:
    written = [route(), limit("whole", API), limit("part", GET)]
    built = snapshot(written, [service("shop/cart"), service("shop/next")])
    assert at_members(built, "shop/cart") == [("whole", "")]
    assert at_members(built, "shop/next") == [("part", "get"), ("whole", "")]
    assert at_callers(built) == []
    here = [("shop/cart", ("cart.shop",), ["get", "1"])]
    assert ways(built, "shop/cart") == ways(built, "shop/next") == here


def test_callers_enforce_what_says_so_and_what_nobody_that_is_called_can() -> None:
    written = [route(), limit("whole", API), limit("part", GET), limit("asked", API, "at: Caller")]
    built = snapshot(written, [service("shop/cart"), outside("shop/next")])
    assert at_callers(built) == [("asked", ""), ("part", "get")]
    assert at_members(built, "shop/cart") == [("whole", "")]


def test_a_service_of_whose_routes_nothing_is_said_knows_none() -> None:
    built = snapshot(
        [route(), limit("asked", API, "at: Caller")], [service("shop/cart"), service("shop/next")]
    )
    assert ways(built, "shop/cart") == ways(built, "shop/next") == []


def test_whatever_changes_members_learn_what_a_build_from_nothing_says() -> None:
    services = [service("shop/cart"), service("shop/next")]
    policies = [limit("whole", API), limit("part", GET)]
    other = route(f"[{{backendRefs: {TO_NEXT}}}]")
    steps = [
        inputs([route(), *policies], services),
        inputs([other, *policies], services),
        inputs([other, *policies], [service("shop/cart"), outside("shop/next")]),
        inputs([route(), policies[1]], services),
        inputs(policies, services),
        inputs([route(), *policies], [service("shop/next")]),
    ]
    built = snapshot([], services)
    for step in steps:
        built = build(step, COMPILER, built)
        assert built.resources == build(step, COMPILER).resources


def test_a_limit_of_a_rule_governs_where_that_leads() -> None:
    part = limit("part", GET)
    built = snapshot([route(), part], [service("shop/cart"), service("shop/next")])
    assert [str(each.name) for each in governed_services(built.inputs, part)] == ["shop/next"]
    assert [each.reason for each in conditions(built, part)] == ["Accepted", "Programmed"]


def test_a_limit_of_a_rule_that_is_not_there_is_not_enforced() -> None:
    part = limit("part", GET)
    built = snapshot([route("[{}]"), part], [service("shop/cart")])
    assert [each.reason for each in conditions(built, part)] == ["TargetNotFound", "TargetNotFound"]
    assert at_members(built, "shop/cart") == []
