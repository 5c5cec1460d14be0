"""References of routes that lead nowhere, or where they may not."""

from controlplane.analysis import references
from controlplane.analysis.world import World
from controlplane.model.codes import Code
from tests.support.builders import documents, service, snapshot

ROUTE = """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {{name: away, namespace: shop}}
    spec:
      parentRefs: [{{kind: Service, {parent}}}]
      rules: [{{backendRefs: [{{{backend}}}]}}]
"""
GRANT = """
    apiVersion: gateway.networking.k8s.io/v1beta1
    kind: ReferenceGrant
    metadata: {name: routes, namespace: pay}
    spec:
      from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
      to: [{group: "", kind: Service}]
"""


def found(parent: str, backend: str, more: str = "") -> list[tuple[Code, str]]:
    """What is wrong with a route, by code and place."""
    read = documents(ROUTE.format(parent=parent, backend=backend)) + (documents(more) if more else ())
    world = World(snapshot=snapshot(read, [service(), service("pay/ledger")]))
    return [(each.code, each.path) for each in references.find(world)]


def test_references_that_lead_to_a_port_are_no_problem() -> None:
    assert found("name: cart", "name: cart, port: 80") == []


def test_a_parent_that_is_not_there_is_told() -> None:
    assert found("name: nobody", "name: cart, port: 80") == [(Code.TARGET_MISSING, "spec.parentRefs[0]")]
    assert found("name: cart, port: 81", "name: cart, port: 80") == [
        (Code.TARGET_MISSING, "spec.parentRefs[0]")
    ]


def test_a_parent_of_another_namespace_needs_no_grant() -> None:
    assert found("name: ledger, namespace: pay", "name: cart, port: 80") == []


def test_a_backend_without_the_port_is_told() -> None:
    assert found("name: cart", "name: cart, port: 81") == [
        (Code.BACKEND_MISSING, "spec.rules[0].backendRefs[0]")
    ]


def test_a_backend_of_another_namespace_needs_a_grant() -> None:
    away = "name: ledger, namespace: pay, port: 80"
    assert found("name: cart", away) == [(Code.REFERENCE_REFUSED, "spec.rules[0].backendRefs[0]")]
    assert found("name: cart", away, GRANT) == []
