"""Breakers as people read them."""

from typing import Any

from controlplane.cli import breaker_figures


def breaker(*, route: str = "", endpoint: str = "", service: str = "cart") -> dict[str, Any]:
    return {
        "instance": "web-0",
        "breaker": {
            "service": {"namespace": "shop", "name": service},
            "route": route,
            "endpoint": endpoint,
            "state": "BREAKER_STATE_OPEN",
        },
    }


def shown(*breakers: dict[str, Any]) -> list[str]:
    return [name for name, *_ in breaker_figures.route_rows(breakers, "shop/api")]


def test_requests_of_a_route_meet_its_own_and_that_of_the_service_and_no_others() -> None:
    others = breaker(route="shop/api-two"), breaker(route="bank/api"), breaker(endpoint="cart-0")
    assert shown(breaker(), breaker(route="shop/api/get"), *others) == [
        "breaker.service of shop/cart (state)",
        "breaker.route shop/api/get of shop/cart (state)",
    ]


def test_breakers_of_a_route_of_another_kind_and_of_the_same_name_are_not_met() -> None:
    twin = breaker(route="shop/api+GRPCRoute"), breaker(route="shop/api+GRPCRoute/get")
    assert shown(*twin) == []


def test_where_the_whole_route_has_one_that_of_the_service_is_not_met() -> None:
    own, elsewhere = breaker(route="shop/api"), breaker(service="next")
    assert shown(breaker(), own, elsewhere) == [
        "breaker.route shop/api of shop/cart (state)",
        "breaker.service of shop/next (state)",
    ]


def test_a_row_says_what_is_guarded_in_which_sidecar() -> None:
    assert breaker_figures.row(breaker(endpoint="cart-0")) == [
        "breaker.endpoint cart-0 (state)",
        "OPEN",
        "sidecar web-0",
    ]
