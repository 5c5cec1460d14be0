"""Rules that sidecars go by, as people read them."""

from typing import Any

from controlplane.cli import applied_routes

CART, NEXT = {"namespace": "shop", "name": "cart"}, {"namespace": "shop", "name": "cart-next"}


def said(block: str, name: str, *, is_shadow: bool = False) -> dict[str, Any]:
    policy = {"kind": "ResiliencePolicy", "namespace": "shop", "name": name}
    return {"block": block, "policy": policy, "isShadow": is_shadow}


def backend(service: dict[str, str] | None, *policies: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"port": 80, "weight": 3, "isHeld": True, "policies": policies, **more}
    return known if service is None else {**known, "service": service}


def rows(*backends: dict[str, Any], **more: Any) -> list[list[str]]:
    route = {
        "service": CART,
        "direction": "DIRECTION_OUTBOUND",
        "route": {"kind": "HTTPRoute", "namespace": "shop", "name": "api"},
        "rule": "get",
        "ports": [],
        "matches": ["GET /cart*", "/exact"],
        "backends": backends,
        "mirrors": [],
        **more,
    }
    return list(applied_routes.rows("web-0", route))


def test_each_place_where_requests_go_is_a_row_with_its_policies() -> None:
    policies = said("timeouts", "cart"), said("retry", "own"), said("hedge", "own", is_shadow=True)
    held, elsewhere = rows(backend(CART, *policies), backend(NEXT, isHeld=False, weight=1))
    assert held == [
        "shop/cart",
        "outbound",
        "shop/api/get",
        "GET /cart* or /exact",
        "shop/cart:80 x3",
        "ResiliencePolicy shop/cart (timeouts), ResiliencePolicy shop/own (retry, hedge in shadow)",
        "web-0",
    ]
    assert elsewhere[4:6] == ["shop/cart-next:80 x1", "not called yet"]


def test_what_is_not_said_is_left_out() -> None:
    [row] = rows(backend(None, isHeld=False, port=0), matches=[], ports=[8080])
    assert (row[0], *row[3:6]) == ("shop/cart:8080", "*", "nowhere: refused x3", "-")


def test_copies_are_told_beside_where_requests_go() -> None:
    [row] = rows(backend(CART), mirrors=[{"service": NEXT, "port": 80, "numerator": 1, "denominator": 10}])
    assert row[4] == "shop/cart:80 x3, copied to shop/cart-next:80 1/10"
