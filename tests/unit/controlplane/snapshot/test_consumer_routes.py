"""Routes of services of another namespace: they govern calls from their own namespace, and nobody else's."""

from dataclasses import replace

import pytest

from controlplane.admin.views import effective
from controlplane.model.document import Document
from controlplane.model.effective import CallerMatch
from controlplane.model.resource import Inbound, Outbound, ResourceType
from controlplane.snapshot.build import Snapshot, build
from controlplane.snapshot.status import conditions
from registry.model import ServicePort
from tests.support.builders import COMPILER, SCHEMA, body, documents, inputs, policy, service, snapshot

CART, WEB = service("shop/cart"), service("web/site")
TWO_PORTS = replace(CART, ports=(*CART.ports, ServicePort(name="admin", port=81)))
API = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}"


def route(
    namespace: str, rules: str = "[{}]", *, name: str = "api", kind: str = "HTTPRoute", port: int = 0
) -> Document:
    """A route of the calls of `shop/cart`, at one of its ports or at every one."""
    at = f", port: {port}" if port else ""
    [document] = documents(
        f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: {kind}
        metadata: {{name: {name}, namespace: {namespace}}}
        spec: {{parentRefs: [{{kind: Service, name: cart, namespace: shop{at}}}], rules: {rules}}}
        """
    )
    return document


def outbound(built: Snapshot) -> Outbound:
    found = body(built, ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(found, Outbound)
    return found


def rules(built: Snapshot) -> list[tuple[str, str, tuple[int, ...]]]:
    """The namespace of whose calls every rule speaks, that of its route, and its ports."""
    return [
        (rule.caller.namespace if rule.caller else "", rule.route.key.namespace, rule.ports)
        for rule in outbound(built).routes
    ]


def verdicts(built: Snapshot, document: Document) -> list[str]:
    return [each.reason for each in conditions(built, document)]


def test_calls_of_a_namespace_go_by_its_own_routes_and_all_others_by_the_producers() -> None:
    producers, consumers = route("shop"), route("web")
    built = snapshot([producers, consumers], [CART, WEB])
    assert rules(built) == [("", "shop", ()), ("web", "web", ())]
    assert verdicts(built, consumers) == ["Accepted", "Programmed"]


def test_a_route_of_the_root_namespace_is_for_everybody() -> None:
    assert rules(snapshot([route("breakwater-system")], [CART])) == [("", "breakwater-system", ())]


def test_a_consumer_takes_one_port_and_leaves_the_others_to_the_producer() -> None:
    built = snapshot([route("shop"), route("web", port=81)], [TWO_PORTS])
    assert rules(built) == [("", "shop", ()), ("web", "shop", (80,)), ("web", "web", (81,))]


@pytest.mark.parametrize(
    ("http", "grpc", "expected"),
    [
        ("web", "web", [("web", "web", ())]),
        ("shop", "web", [("", "shop", ()), ("web", "web", ())]),
        ("web", "shop", [("", "shop", ()), ("web", "web", ())]),
        ("web", "pay", [("pay", "pay", ()), ("web", "web", ())]),
    ],
)
def test_routes_of_grpc_hide_those_for_the_same_callers_alone(
    http: str, grpc: str, expected: list[tuple[str, str, tuple[int, ...]]]
) -> None:
    hidden, hiding = route(http), route(grpc, name="calls", kind="GRPCRoute")
    built = snapshot([hidden, hiding], [CART])
    assert sorted(rules(built)) == expected
    assert verdicts(built, hidden)[0] == ("Conflicted" if http == grpc else "Accepted")


def test_a_consumer_may_send_to_the_service_that_it_calls_and_to_others_with_a_grant() -> None:
    refs = "[{name: cart, namespace: shop, port: 80}, {name: next, namespace: shop, port: 80}]"
    built = snapshot([route("web", f"[{{backendRefs: {refs}}}, {{}}]")], [CART, service("shop/next")])
    assert [[str(each.service) for each in rule.backends] for rule in outbound(built).routes] == [
        ["shop/cart", "None"],
        ["shop/cart"],
    ]


def test_what_consumers_say_of_their_route_goes_over_what_they_say_of_the_service() -> None:
    said = [
        policy("timeouts: {request: 1s}", name="producers"),
        policy(
            "timeouts: {request: 2s, perTry: 1s}",
            name="consumers",
            namespace="web",
            target="{kind: Service, name: cart, namespace: shop}",
        ),
        policy("timeouts: {request: 3s}", name="route", namespace="web", target=API),
    ]
    built = snapshot([route("web"), *said], [CART])
    [rule] = outbound(built).routes
    [backend] = rule.backends
    origins = [
        {each.path: each.policy.key.name for each in variant.origins if each.policy}
        for variant in backend.variants
    ]
    assert origins[0] == {"timeouts.request": "route", "timeouts.perTry": "consumers"}


def test_the_timeouts_of_a_consumers_rule_go_over_all_that_is_said_of_the_service() -> None:
    said = policy(
        "timeouts: {request: 2s}",
        namespace="web",
        target="{kind: Service, name: cart, namespace: shop}",
    )
    built = snapshot([route("web", "[{timeouts: {request: 5s}}]"), said], [CART])
    [rule] = outbound(built).routes
    variants = rule.backends[0].variants
    assert {str(each.policy.key) for one in variants for each in one.origins if each.policy} == {
        "HTTPRoute web/api"
    }


def test_callers_enforce_the_limits_of_their_own_routes_and_members_hear_nothing_of_these() -> None:
    limits = policy(
        "limits: [{name: all, requests: 5, per: 1s}]", kind="RateLimitPolicy", namespace="web", target=API
    )
    front = policy("queue: {capacity: 5}", kind="BackpressurePolicy", namespace="web", target=API)
    built = snapshot([route("web"), limits, front], [CART, WEB])
    assert [str(each.policy.key) for each in outbound(built).rate_limits] == ["RateLimitPolicy web/cart"]
    inbound = body(built, ResourceType.INBOUND, "shop/cart")
    assert isinstance(inbound, Inbound)
    assert (inbound.rate_limits, inbound.routes, inbound.route_backpressure) == ((), (), ())
    assert verdicts(built, limits) == ["Accepted", "Programmed"]
    assert verdicts(built, front) == ["Accepted", "NoEnforcer"]


def test_members_find_requests_by_the_producers_rules_whoever_calls() -> None:
    limits = policy("limits: [{name: all, requests: 5, per: 1s}]", kind="RateLimitPolicy", target=API)
    built = snapshot([route("shop"), route("web"), limits], [CART])
    inbound = body(built, ResourceType.INBOUND, "shop/cart")
    assert isinstance(inbound, Inbound)
    assert [rule.route.key.namespace for each in inbound.routes for rule in each.rules] == ["shop"]


@pytest.mark.parametrize(
    ("caller", "expected"), [("web", ["web", "shop"]), ("pay", ["shop"]), ("", ["shop", "web"])]
)
def test_people_see_the_rules_of_the_caller_that_they_ask_for(caller: str, expected: list[str]) -> None:
    built = snapshot([route("shop"), route("web", port=81)], [TWO_PORTS])
    found = effective(built, TWO_PORTS.name, CallerMatch(namespace=caller), SCHEMA)
    assert sorted(each.rule.route.key.namespace for each in found.ruled) == sorted(expected)


def test_a_route_that_comes_and_goes_leaves_nothing_behind() -> None:
    before = inputs([route("shop")], [TWO_PORTS])
    after = inputs([route("shop"), route("web", port=81)], [TWO_PORTS])
    built = build(after, COMPILER, build(before, COMPILER))
    assert built.resources == build(after, COMPILER).resources
    assert build(before, COMPILER, built).resources == build(before, COMPILER).resources
