"""Routes: which rule a request falls under, and where it leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sidecar._core import RouteTable, SplitTurns, expression_fault

__all__ = ["RouteMatch", "RouteRule", "RouteTable", "SplitTurns", "expression_fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMatch:
    """What a request looks like: a path as its kind and value, a method, headers and query parameters."""

    path: tuple[Literal["exact", "prefix", "expression"], str] | None = None
    method: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    queries: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """A rule of a route, `namespace/name`; one without matches is for every request."""

    route: str
    created_ns: int | None = None
    matches: Sequence[RouteMatch] = ()
