"""Routes compiled into the services whose calls they govern."""

from dataclasses import replace

import pytest

from controlplane.model.document import Document
from controlplane.model.resource import Outbound, ResourceName, ResourceType
from controlplane.snapshot.build import Snapshot, build
from controlplane.snapshot.status import conditions
from mesh.v1 import resource_pb2
from registry.model import ServicePort
from tests.support.builders import COMPILER, body, documents, inputs, policy, service, snapshot

CART, NEXT = service("shop/cart"), service("shop/next")


def route(
    rules: str, *, name: str = "api", kind: str = "HTTPRoute", parent: str = "{kind: Service, name: cart}"
) -> Document:
    [document] = documents(
        f"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: {kind}
        metadata: {{name: {name}, namespace: shop}}
        spec: {{parentRefs: [{parent}], rules: {rules}}}
        """
    )
    return document


def rules(built: Snapshot, name: str = "shop/cart") -> list[tuple[str, str]]:
    """Route and name of every rule for calls of a service."""
    found = body(built, ResourceType.OUTBOUND, name)
    assert isinstance(found, Outbound)
    return [(rule.route.key.name, rule.name) for rule in found.routes]


def backends(built: Snapshot) -> list[tuple[str, int, int]]:
    found = body(built, ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(found, Outbound)
    return [(str(each.service), each.port, each.weight) for rule in found.routes for each in rule.backends]


def mirrors(built: Snapshot) -> list[tuple[str, int, int, int]]:
    found = body(built, ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(found, Outbound)
    return [
        (str(each.service), each.port, each.numerator, each.denominator)
        for rule in found.routes
        for each in rule.mirrors
    ]


def verdict(built: Snapshot, document: Document) -> tuple[str, str]:
    accepted, _ = conditions(built, document)
    return accepted.reason, accepted.message


def test_rules_are_sorted_by_route_and_named_by_themselves_or_their_place() -> None:
    built = snapshot([route("[{}, {name: get}]", name="b"), route("[{}]", name="a")], [CART])
    assert rules(built) == [("a", "0"), ("b", "0"), ("b", "get")]


def test_without_references_calls_go_to_the_service_itself() -> None:
    assert backends(snapshot([route("[{}]")], [CART])) == [("shop/cart", 0, 1)]


def test_a_reference_that_leads_nowhere_keeps_its_weight() -> None:
    refs = "[{name: next, port: 80, weight: 3}, {name: gone, port: 80}, {name: next, port: 81}]"
    document = route(f"[{{backendRefs: {refs}}}]")
    built = snapshot([document], [CART, NEXT])
    assert backends(built) == [("shop/next", 80, 3), ("None", 80, 1), ("None", 81, 1)]
    reason, message = verdict(built, document)
    assert reason == "Accepted"
    assert "backendRefs[1]: Service shop/gone is not there" in message
    assert "has no port 81" in message


def mirror(name: str, share: str = "") -> str:
    return f"{{type: RequestMirror, requestMirror: {{backendRef: {{name: {name}, port: 80}}{share}}}}}"


def test_copies_go_to_services_that_are_there_in_the_share_that_is_said() -> None:
    filters = [
        mirror("next"),
        mirror("next", ", percent: 5"),
        mirror("next", ", fraction: {numerator: 3, denominator: 1000}"),
        mirror("next", ", fraction: {numerator: 2}"),
        mirror("gone"),
    ]
    document = route(f"[{{filters: [{', '.join(filters)}]}}]")
    built = snapshot([document], [CART, NEXT])
    shares = [(100, 100), (5, 100), (3, 1000), (2, 100)]
    assert mirrors(built) == [("shop/next", 80, *share) for share in shares]
    reason, message = verdict(built, document)
    assert reason == "Accepted"
    assert "filters[4].requestMirror.backendRef: Service shop/gone is not there" in message


def test_a_service_that_comes_gets_its_copies() -> None:
    document = route(f"[{{filters: [{mirror('next')}]}}]")
    built = build(inputs([document], [CART]), COMPILER)
    assert mirrors(built) == []
    later = build(inputs([document], [CART, NEXT]), COMPILER, built)
    assert mirrors(later) == [("shop/next", 80, 100, 100)]


def test_a_reference_to_another_namespace_is_not_followed() -> None:
    document = route("[{backendRefs: [{name: ledger, namespace: pay, port: 80}]}]")
    built = snapshot([document], [CART, service("pay/ledger")])
    assert backends(built) == [("None", 80, 1)]
    assert "of another namespace" in verdict(built, document)[1]


def test_a_grant_opens_another_namespace_and_closes_it_when_it_goes() -> None:
    [grant] = documents(
        """
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: {name: shop, namespace: pay}
        spec:
          from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
          to: [{group: "", kind: Service, name: ledger}]
        """
    )
    services = [CART, service("pay/ledger")]
    document = route("[{backendRefs: [{name: ledger, namespace: pay, port: 80}]}]")
    closed, opened = inputs([document], services), inputs([document, grant], services)
    built = build(opened, COMPILER, build(closed, COMPILER))
    assert backends(built) == [("pay/ledger", 80, 1)]
    assert backends(build(closed, COMPILER, built)) == [("None", 80, 1)]


def test_a_parent_may_be_one_port() -> None:
    at_port = route("[{}]", parent="{kind: Service, name: cart, port: 80}")
    found = body(snapshot([at_port], [CART]), ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(found, Outbound)
    assert [rule.ports for rule in found.routes] == [(80,)]
    absent = route("[{}]", parent="{kind: Service, name: cart, port: 81}")
    assert verdict(snapshot([absent], [CART]), absent)[0] == "TargetNotFound"


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("sectionName: grpc", (9090,)),
        ("sectionName: grpc, port: 9090", (9090,)),
        ("sectionName: grpc, port: 80", None),
        ("sectionName: gone", None),
    ],
)
def test_a_parent_may_be_one_port_by_its_name(port: str, expected: tuple[int, ...] | None) -> None:
    two = replace(CART, ports=(*CART.ports, ServicePort(name="grpc", port=9090)))
    named = route("[{}]", name="a", parent=f"{{kind: Service, name: cart, {port}}}")
    built = snapshot([named], [two])
    found = body(built, ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(found, Outbound)
    assert [rule.ports for rule in found.routes] == ([] if expected is None else [expected])
    assert verdict(built, named)[0] == ("TargetNotFound" if expected is None else "Accepted")


def test_a_route_of_grpc_at_a_named_port_hides_others_there_alone() -> None:
    two = replace(CART, ports=(*CART.ports, ServicePort(name="grpc", port=9090)))
    http = route("[{}]", name="a")
    grpc = route("[{}]", name="b", kind="GRPCRoute", parent="{kind: Service, name: cart, sectionName: grpc}")
    found = body(snapshot([http, grpc], [two]), ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(found, Outbound)
    assert {rule.route.key.name: rule.ports for rule in found.routes} == {"a": (80,), "b": (9090,)}


def test_routes_of_grpc_hide_others() -> None:
    http, grpc = route("[{}]", name="a"), route("[{}]", name="b", kind="GRPCRoute")
    built = snapshot([http, grpc], [CART])
    assert rules(built) == [("b", "0")]
    assert (verdict(built, http)[0], verdict(built, grpc)[0]) == ("Conflicted", "Accepted")


@pytest.mark.parametrize(
    ("parent", "ports", "expected"),
    [
        ("{kind: Service, name: cart, port: 80}", (80,), ("Accepted", "")),
        (
            "{kind: Service, name: cart}",
            (80,),
            ("Accepted", "a GRPCRoute governs Service shop/cart at other ports than 80"),
        ),
        (
            "{kind: Service, name: cart, port: 9090}",
            None,
            (
                "Conflicted",
                "a GRPCRoute governs Service shop/cart at port 9090, and hides every HTTPRoute of it",
            ),
        ),
    ],
)
def test_a_route_of_grpc_hides_others_at_its_own_ports_alone(
    parent: str, ports: tuple[int, ...] | None, expected: tuple[str, str]
) -> None:
    two = replace(CART, ports=(*CART.ports, ServicePort(name="grpc", port=9090)))
    http = route("[{}]", name="a", parent=parent)
    grpc = route("[{}]", name="b", kind="GRPCRoute", parent="{kind: Service, name: cart, port: 9090}")
    built = snapshot([http, grpc], [two])
    found = body(built, ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(found, Outbound)
    governed = {rule.route.key.name: rule.ports for rule in found.routes}
    assert governed == ({"b": (9090,)} if ports is None else {"a": ports, "b": (9090,)})
    assert verdict(built, http) == expected


def test_a_route_of_no_service_waits_for_one() -> None:
    document = route("[{}]")
    assert verdict(snapshot([document]), document)[0] == "TargetNotFound"


@pytest.mark.parametrize("comes", [True, False])
def test_the_service_that_is_called_is_built_anew_when_another_comes_or_goes(comes: bool) -> None:
    document = route("[{backendRefs: [{name: next, port: 80}]}]")
    before, after = inputs([document], [CART]), inputs([document], [CART, NEXT])
    if not comes:
        before, after = after, before
    built = build(after, COMPILER, build(before, COMPILER))
    assert backends(built) == [("shop/next" if comes else "None", 80, 1)]
    assert built.resources == build(after, COMPILER).resources


def test_deleting_a_route_restores_what_was_before() -> None:
    before = inputs([], [CART, NEXT])
    with_route = build(inputs([route("[{backendRefs: [{name: next, port: 80}]}]")], [CART, NEXT]), COMPILER)
    assert build(before, COMPILER, with_route).resources == build(before, COMPILER).resources


def policy_for(spec: str, name: str, target: str) -> Document:
    return policy(spec, name=name, target=target)


ROUTE = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api"


def origins(built: Snapshot, rule: int) -> dict[str, tuple[str, str]]:
    """Where the fields of a rule's requests come from: level and name, of what somebody said."""
    found = body(built, ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(found, Outbound)
    [backend] = found.routes[rule].backends
    said = (origin for variant in backend.variants for origin in variant.origins)
    return {each.path: (each.level, each.policy.key.name) for each in said if each.policy}


def test_a_rule_is_more_specific_than_its_route_and_this_than_the_service() -> None:
    documents = [
        route("[{name: get, timeouts: {backendRequest: 90ms}}, {name: rest}]"),
        policy_for(
            "timeouts: {request: 3s, connect: 2s}\nretry: {attempts: 1}", "a", "{kind: Service, name: cart}"
        ),
        policy_for("timeouts: {request: 2s}\nretry: {attempts: 2}", "b", ROUTE + "}"),
        policy_for("timeouts: {request: 1s}", "c", ROUTE + ", sectionName: get}"),
    ]
    built = snapshot(documents, [CART])
    assert origins(built, 0) == {
        "timeouts.request": ("Rule", "c"),
        "timeouts.perTry": ("Rule", "api"),
        "timeouts.connect": ("Service", "a"),
        "retry.attempts": ("Route", "b"),
    }
    assert origins(built, 1) == {
        "timeouts.request": ("Route", "b"),
        "timeouts.connect": ("Service", "a"),
        "retry.attempts": ("Route", "b"),
    }


def test_a_rule_takes_away_a_bound_that_somebody_broader_gave_and_says_who_did() -> None:
    documents = [
        route("[{timeouts: {request: 0s}}]"),
        policy_for("timeouts: {request: 3s, perTry: 1s}", "a", "{kind: Service, name: cart}"),
    ]
    assert origins(snapshot(documents, [CART]), 0) == {
        "timeouts.request": ("Rule", "api"),
        "timeouts.perTry": ("Service", "a"),
    }


def test_without_a_word_of_its_own_a_rule_has_the_settings_of_the_service() -> None:
    own = policy_for("retry: {attempts: 1}", "a", "{kind: Service, name: cart}")
    assert origins(snapshot([route("[{}]"), own], [CART]), 0) == {}


def test_a_policy_for_what_is_no_rule_has_no_target() -> None:
    lost = policy_for("retry: {attempts: 1}", "a", ROUTE + ", sectionName: gone}")
    built = snapshot([route("[{name: get}]"), lost], [CART])
    assert verdict(built, lost)[0] == "TargetNotFound"


def test_a_policy_of_a_route_that_comes_and_goes_leaves_nothing_behind() -> None:
    before = inputs([route("[{name: get}]")], [CART])
    own = policy_for("retry: {attempts: 1}", "a", ROUTE + "}")
    after = inputs([route("[{name: get}]"), own], [CART])
    built = build(after, COMPILER, build(before, COMPILER))
    assert origins(built, 0) == {"retry.attempts": ("Route", "a")}
    assert verdict(built, own) == ("Accepted", "")
    assert build(before, COMPILER, built).resources == build(before, COMPILER).resources


def named(built: Snapshot) -> list[str]:
    """What sidecars call the routes of cart and next, for those who call and those who are called."""
    outbound = [
        resource_pb2.Outbound.FromString(built.resources[ResourceName(ResourceType.OUTBOUND, name)].encoded)
        for name in ("shop/cart", "shop/next")
    ]
    inbound = resource_pb2.Inbound.FromString(
        built.resources[ResourceName(ResourceType.INBOUND, "shop/cart")].encoded
    )
    rules = [rule for each in outbound for rule in each.routes]
    rules += [rule for routes in inbound.routes for rule in routes.rules]
    scopes = [each.scope for each in inbound.route_backpressure]
    return [*(rule.route.name for rule in rules), *(scope.name for scope in scopes)]


def test_routes_of_two_kinds_and_one_name_are_told_apart_while_both_are_there() -> None:
    to_cart = "[{backendRefs: [{name: cart, port: 80}]}]"
    http = route(to_cart)
    grpc = route(to_cart, kind="GRPCRoute", parent="{kind: Service, name: next}")
    queue = policy(
        "concurrency: {limit: 1}",
        kind="BackpressurePolicy",
        target="{group: gateway.networking.k8s.io, kind: GRPCRoute, name: api}",
    )
    services = [CART, NEXT]
    both, alone = inputs([http, grpc, queue], services), inputs([grpc, queue], services)
    built = build(both, COMPILER)
    assert named(built) == ["api", "api+GRPCRoute", "api+GRPCRoute", "api+GRPCRoute"]
    later = build(alone, COMPILER, built)
    assert named(later) == ["api"] * 3
    assert later.resources == build(alone, COMPILER).resources
    assert build(both, COMPILER, later).resources == built.resources
