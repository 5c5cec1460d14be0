"""`routes`: the rules of routes, what they are for, where they lead, and what governs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from controlplane.cli import figures, options, route_figures
from controlplane.cli.client import AdminClient
from controlplane.cli.output import Listing, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_KINDS = ("HTTPRoute", "GRPCRoute")
_Document = dict[str, Any]


def routes(
    service: Annotated[str, typer.Argument(help="Only rules for calls of this service.")] = "",
    *,
    namespace: options.Namespace = "",
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show the rules of routes: matches, backends with weights, policies and status."""
    called = figures.parse_service(service, namespace or options.NAMESPACE) if service else None
    with AdminClient(admin) as client:
        found = client.call("ListPolicies", {"namespace": namespace})["policies"]
    items = [item for item in _rules(found) if called is None or called in item["parents"]]
    show(
        Listing(
            kind="RouteRule",
            items=items,
            columns=("ROUTE", "KIND", "SERVICE", "MATCHES", "BACKENDS", "POLICIES", "STATUS"),
            rows=[_row(item) for item in items],
            wide_columns=("FILTERS", "MESSAGE"),
            wide_rows=[[route_figures.filters(item["filters"]), item["message"] or "-"] for item in items],
            empty="no routes",
        ),
        output,
    )


def _rules(policies: Sequence[Mapping[str, Any]]) -> Iterator[_Document]:
    """Every rule of every route among policies, in the order of routes."""
    documents = [(status, yaml.safe_load(status["yaml"])) for status in policies]
    for status, document in documents:
        if document["kind"] in _KINDS:
            accepted = next(one for one in status["conditions"] if one["type"] == "Accepted")
            for place, rule in enumerate(document["spec"]["rules"]):
                name = rule.get("name") or str(place)
                yield {
                    "kind": document["kind"],
                    "route": {key: document["metadata"][key] for key in ("namespace", "name")},
                    "rule": name,
                    "parents": route_figures.parents(document),
                    "matches": rule.get("matches", []),
                    "backends": route_figures.backends(document, rule),
                    "filters": rule.get("filters", []),
                    "policies": [key for _, one in documents if (key := _attached(one, document, name))],
                    "status": accepted["reason"],
                    "message": accepted["message"],
                }


def _attached(policy: _Document, route: _Document, rule: str) -> str:
    """How a policy is called that targets a route or that rule of it; empty if it does not."""
    wanted = (route["kind"], route["metadata"]["name"])
    metadata = policy["metadata"]
    if metadata.get("namespace") != route["metadata"]["namespace"]:
        return ""
    for ref in policy["spec"].get("targetRefs", ()):
        if (ref["kind"], ref.get("name")) == wanted and ref.get("sectionName") in {None, rule}:
            return f"{policy['kind']} {metadata['name']}"
    return ""


def _row(item: _Document) -> list[str]:
    route = item["route"]
    return [
        f"{route['namespace']}/{route['name']}/{item['rule']}",
        item["kind"],
        ", ".join(map(figures.service, item["parents"])),
        " or ".join(map(route_figures.match, item["matches"])) or "*",
        ", ".join(f"{figures.service(one)}:{one['port']} x{one['weight']}" for one in item["backends"])
        or "itself",
        ", ".join(item["policies"]) or "-",
        item["status"],
    ]
