"""What stands in front of an application for the requests of routes and of rules."""

from controlplane.model.document import Document
from controlplane.model.resource import Inbound, InboundBackpressure, ResourceType
from controlplane.model.value import find_number
from controlplane.snapshot.build import Snapshot, build
from controlplane.snapshot.governed import governed_services
from controlplane.snapshot.status import conditions
from tests.support.builders import COMPILER, body, documents, inputs, policy, service, snapshot

ROUTE = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}"
GET = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api, sectionName: get}"
SERVICES = (service("shop/cart"), service("shop/next"))


def route() -> Document:
    [document] = documents(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: api, namespace: shop}
        spec:
          parentRefs: [{kind: Service, name: cart}]
          rules:
          - {name: get, backendRefs: [{name: next, port: 80}]}
          - {name: put}
        """
    )
    return document


def says(name: str, target: str, spec: str) -> Document:
    return policy(spec, name=name, target=target, kind="BackpressurePolicy")


WHOLE = says("whole", "{kind: Service, name: next}", "concurrency: {limit: 1}")
OF_ROUTE = says("of-route", ROUTE, "concurrency: {limit: 2}")
OF_RULE = says("of-rule", GET, "queue: {capacity: 3}")


def limit(front: InboundBackpressure | None) -> int | None:
    return find_number(front.settings, "concurrency.limit") if front else None


def inbound(built: Snapshot, name: str) -> Inbound:
    found = body(built, ResourceType.INBOUND, name)
    assert isinstance(found, Inbound)
    return found


def fronts(built: Snapshot, name: str) -> dict[str, tuple[int | None, int | None]]:
    """By the rule, empty for a whole route, the limit that acts, and the one in shadow."""
    return {
        each.scope.rule: (limit(each.backpressure), limit(each.shadow_backpressure))
        for each in inbound(built, name).route_backpressure
    }


def test_members_learn_what_is_said_of_the_rules_that_lead_to_them() -> None:
    built = snapshot([route(), WHOLE, OF_ROUTE, OF_RULE], SERVICES)
    assert fronts(built, "shop/cart") == {"": (2, None)}
    assert fronts(built, "shop/next") == {"": (2, None), "get": (2, None)}
    assert limit(inbound(built, "shop/next").backpressure) == 1
    for name in ("shop/cart", "shop/next"):
        [ways] = inbound(built, name).routes
        assert [rule.name for rule in ways.rules] == ["get", "put"]


def test_fields_of_every_level_are_merged_with_their_origins() -> None:
    built = snapshot([route(), WHOLE, OF_ROUTE, OF_RULE], SERVICES)
    front = inbound(built, "shop/next").route_backpressure[-1].backpressure
    assert front is not None
    said = {each.path: each.policy.key.name for each in front.origins if each.policy}
    assert said == {"concurrency.limit": "of-route", "queue.capacity": "of-rule"}


def test_a_rule_that_is_overridden_is_as_the_service() -> None:
    capped = says("whole", "{kind: Service, name: next}", "concurrency: {limit: 1}\nmerge: AtomicOverrides")
    part = says("of-rule", GET, "concurrency: {limit: 9}")
    built = snapshot([route(), capped, part], SERVICES)
    assert fronts(built, "shop/next") == {}
    assert [each.reason for each in conditions(built, part)] == ["Accepted", "Overridden"]


def test_in_shadow_a_rule_leaves_what_acts() -> None:
    tried = says("tried", GET, "concurrency: {limit: 9}\nmode: Shadow")
    built = snapshot([route(), WHOLE, tried], SERVICES)
    assert fronts(built, "shop/next") == {"get": (None, 9)}
    assert [each.reason for each in conditions(built, tried)] == ["Accepted", "Programmed"]


def test_what_is_tried_for_the_service_is_tried_for_its_routes() -> None:
    tried = says("tried", "{kind: Service, name: next}", "queue: {capacity: 5}\nmode: Shadow")
    built = snapshot([route(), OF_ROUTE, tried], SERVICES)
    assert fronts(built, "shop/next") == {"": (2, 2)}


def test_a_policy_of_a_rule_governs_where_that_leads() -> None:
    built = snapshot([route(), OF_RULE], SERVICES)
    assert [str(each.name) for each in governed_services(built.inputs, OF_RULE)] == ["shop/next"]
    assert [each.reason for each in conditions(built, OF_RULE)] == ["Accepted", "Programmed"]


def test_whatever_changes_members_learn_what_a_build_from_nothing_says() -> None:
    steps = [
        [route(), WHOLE, OF_ROUTE, OF_RULE],
        [route(), WHOLE, OF_RULE],
        [WHOLE, OF_ROUTE, OF_RULE],
        [route(), OF_ROUTE],
    ]
    built = snapshot([], SERVICES)
    for written in steps:
        step = inputs(written, SERVICES)
        built = build(step, COMPILER, built)
        assert built.resources == build(step, COMPILER).resources
