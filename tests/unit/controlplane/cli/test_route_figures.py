"""Routes as people read them."""

from typing import Any

import pytest

from controlplane.cli import route_figures

ROUTE = {
    "metadata": {"namespace": "shop", "name": "api"},
    "spec": {
        "parentRefs": [
            {"name": "cart", "port": 80},
            {"name": "cart", "port": 81},
            {"name": "c", "namespace": "b"},
        ]
    },
}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ({}, "*"),
        ({"path": {"value": "/cart"}, "method": "GET"}, "GET /cart*"),
        ({"path": {"type": "Exact", "value": "/cart"}}, "/cart"),
        ({"path": {"type": "RegularExpression", "value": "/c.*"}}, "~/c.*"),
        ({"method": "PUT", "headers": [{"name": "x-user", "value": "42"}]}, "PUT x-user=42"),
        (
            {"queryParams": [{"name": "page", "type": "RegularExpression", "value": "[0-9]+"}]},
            "?page=~[0-9]+",
        ),
        ({"method": {"service": "a.B", "method": "C"}}, "a.B/C"),
        ({"method": {"type": "RegularExpression", "method": "Get.*"}}, "~*/Get.*"),
    ],
)
def test_a_match_is_said_in_a_few_words(written: dict[str, Any], text: str) -> None:
    assert route_figures.match(written) == text


def test_services_are_named_with_their_namespaces_and_parents_once() -> None:
    cart, other = {"namespace": "shop", "name": "cart"}, {"namespace": "b", "name": "c"}
    assert route_figures.parents(ROUTE) == [cart, other]
    rule = {
        "backendRefs": [{"name": "cart", "port": 80}, {"name": "c", "namespace": "b", "port": 1, "weight": 0}]
    }
    assert route_figures.backends(ROUTE, rule) == [
        {**cart, "port": 80, "weight": 1},
        {**other, "port": 1, "weight": 0},
    ]


def test_a_grpc_route_gives_way_to_an_http_route_of_its_name_and_no_other() -> None:
    http = route_figures.http_routes(
        {"policy": {"metadata": {"namespace": place, "name": "api"}, kind: {}}}
        for place, kind in (("shop", "httpRoute"), ("bank", "grpcRoute"))
    )

    def label(kind: str, namespace: str) -> str:
        return route_figures.label({"kind": kind, "namespace": namespace, "name": "api"}, http)

    assert label("HTTPRoute", "shop") == "shop/api"
    assert label("GRPCRoute", "shop") == "shop/api+GRPCRoute"
    assert label("GRPCRoute", "bank") == "bank/api"
