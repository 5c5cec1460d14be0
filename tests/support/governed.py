"""Routes of the services under test, and what policies name of them."""

from collections.abc import Mapping
from typing import Any

from tests.support.documents import Target


def route_target(name: str, rule: str = "") -> Target:
    """Return the reference to an HTTPRoute, or to a named rule of it."""
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": name}
    return {**target, "sectionName": rule} if rule else target


def under(path: str, name: str = "", **rule: Any) -> Mapping[str, Any]:
    """Return a rule of that name for whatever lies under a path; `rule` is the rest of it."""
    named = {"name": name} if name else {}
    return {**named, "matches": [{"path": {"type": "PathPrefix", "value": path}}], **rule}
