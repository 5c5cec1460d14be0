"""How breakers of sidecars stand, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.cli import figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def row(one: dict[str, Any], of: str = "") -> list[str]:
    """What a breaker guards, its state, and in which sidecar; `of` comes after what it guards."""
    breaker = one["breaker"]
    scope = f"endpoint {breaker['endpoint']}" if breaker["endpoint"] else "service"
    if breaker["route"]:
        scope = f"route {breaker['route']}"
    return [f"breaker.{scope}{of} (state)", figures.state(breaker["state"]), f"sidecar {one['instance']}"]


def route_rows(breakers: Sequence[dict[str, Any]], name: str) -> Iterator[list[str]]:
    """Those that requests of a route of that name meet in every sidecar, but for those of endpoints.

    The route and its rules may have some for themselves; where the route has, that of the service is not met.
    """
    whole = {_place(one) for one in breakers if one["breaker"]["route"] == name}
    for one in breakers:
        has_it, endpoint = one["breaker"]["route"], one["breaker"]["endpoint"]
        is_own = has_it == name or has_it.startswith(f"{name}/")
        if is_own or not (has_it or endpoint or _place(one) in whole):
            yield row(one, of=f" of {figures.service(one['breaker']['service'])}")


def _place(one: dict[str, Any]) -> tuple[str, str]:
    return one["instance"], figures.service(one["breaker"]["service"])
