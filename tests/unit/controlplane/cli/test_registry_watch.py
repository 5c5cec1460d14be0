"""Rows about what changed in the registry, from services told whole."""

from typing import Any

from controlplane.cli.registry_watch import Seen

Row = tuple[str, str, str, str]


def told(seen: Seen, *messages: dict[str, Any]) -> list[Row]:
    return [row for message in messages for row in seen.rows(message)]


def service(name: str, *endpoints: dict[str, Any], version: str = "1") -> dict[str, Any]:
    whole = {
        "name": {"namespace": "shop", "name": name},
        "ports": [{"name": "http", "port": 80}],
        "contract": {"version": version, "owner": ""},
        "endpoints": endpoints,
    }
    return {"mark": "MARK_UNSPECIFIED", "service": whole, "removed": False, "revision": "5"}


def gone(name: str) -> dict[str, Any]:
    return {**service(name), "removed": True}


def endpoint(instance: str, health: str = "HEALTHY") -> dict[str, Any]:
    return {
        "instance": instance,
        "address": "10.0.0.1",
        "ports": {"http": 8080},
        "labels": {},
        "health": f"HEALTH_{health}",
    }


def mark(revision: int, kind: str = "CHANGES") -> dict[str, Any]:
    return {"mark": f"MARK_{kind}", "service": None, "removed": False, "revision": str(revision)}


def begun() -> Seen:
    seen = Seen()
    told(seen, service("cart", endpoint("a"), endpoint("b")), service("web", endpoint("w")), mark(5, "ALL"))
    return seen


def test_what_is_there_at_the_beginning_is_present() -> None:
    assert told(Seen(), service("cart", endpoint("a"))) == [
        ("present", "shop/cart", "-", "http:80 version 1"),
        ("present", "shop/cart", "a", "10.0.0.1 http:8080 HEALTHY"),
    ]


def test_endpoints_join_leave_and_change() -> None:
    assert told(begun(), service("cart", endpoint("b", "UNHEALTHY"), endpoint("c"))) == [
        ("left", "shop/cart", "a", "-"),
        ("changed", "shop/cart", "b", "10.0.0.1 http:8080 UNHEALTHY"),
        ("joined", "shop/cart", "c", "10.0.0.1 http:8080 HEALTHY"),
    ]


def test_services_appear_change_and_go() -> None:
    seen = begun()
    assert told(seen, service("new"))[0] == ("appeared", "shop/new", "-", "http:80 version 1")
    assert told(seen, service("new", version="2")) == [("changed", "shop/new", "-", "http:80 version 2")]
    assert told(seen, gone("web")) == [("left", "shop/web", "w", "-"), ("gone", "shop/web", "-", "-")]


def test_what_is_told_again_unchanged_makes_no_row() -> None:
    seen = begun()
    again = service("cart", endpoint("a"), endpoint("b")), service("web", endpoint("w"))
    assert told(seen, *again, mark(6, "ALL")) == []
    assert seen.revision == "6"


def test_what_is_missing_before_a_mark_of_all_is_gone() -> None:
    assert told(begun(), service("web", endpoint("w")), mark(9, "ALL"))[-1] == ("gone", "shop/cart", "-", "-")


def test_what_is_missing_before_another_mark_is_there_still() -> None:
    assert told(begun(), service("web", endpoint("w")), mark(9)) == []
