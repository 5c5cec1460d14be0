"""`routes`: the rules of routes, how their requests fare, what they are for, and what governs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer
import yaml

from controlplane.cli import figures, options, route_figures, traffic_figures
from controlplane.cli.client import AdminClient
from controlplane.cli.output import Listing, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_ROUTES: Final = frozenset({"httpRoute", "grpcRoute"})
_KINDS: Final = {
    "resilience": "ResiliencePolicy",
    "rateLimit": "RateLimitPolicy",
    "fault": "FaultPolicy",
    "backpressure": "BackpressurePolicy",
}
_Document: TypeAlias = dict[str, Any]
_Place: TypeAlias = tuple[str, ...]


def routes(
    service: Annotated[str, typer.Argument(help="Only rules for calls of this service.")] = "",
    *,
    window: options.Window = "10s",
    namespace: options.OneNamespace = "",
    all_namespaces: options.AllNamespaces = False,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show how the requests of each rule fare, as callers see them; -o wide adds matches and policies."""
    called = figures.parse_service(service, namespace or options.NAMESPACE) if service else None
    with AdminClient(admin) as client:
        only = "" if all_namespaces else namespace
        found = client.call("ListPolicies", {"namespace": only})["policies"]
        asked = {"outbound": True, "byRoute": True, "window": f"{figures.parse_duration(window)}s"}
        traffic = client.call("ListTraffic", asked)["traffic"]
    rules = _rules(found, {(figures.service(one["service"]), one["route"]): one for one in traffic})
    items = [item for item in rules if called is None or called in item["parents"]]
    rows = [(item, place) for item in items for place in range(len(item["traffic"]))]
    show(
        Listing(
            kind="RouteRule",
            items=items,
            columns=("ROUTE", "BACKEND", *traffic_figures.RULE_COLUMNS),
            rows=[_row(*row) for row in rows],
            wide_columns=("KIND", "SERVICE", "MATCHES", "FILTERS", "POLICIES", "STATUS", "MESSAGE"),
            wide_rows=[_written(item) for item, _ in rows],
            empty="no routes",
        ),
        output,
    )


def _rules(
    policies: Sequence[_Document], traffic: Mapping[tuple[str, str], _Document]
) -> Iterator[_Document]:
    """Every rule of every route among policies, in the order of routes."""
    attached = _attached(policies)
    http = route_figures.http_routes(policies)
    for status in policies:
        if not _ROUTES & status["policy"].keys():
            continue
        document = yaml.load(status["yaml"], Loader=yaml.CSafeLoader)  # a safe one
        accepted = next(one for one in status["conditions"] if one["type"] == "Accepted")
        route = {key: document["metadata"][key] for key in ("namespace", "name")}
        parents = route_figures.parents(document)
        for place, rule in enumerate(document["spec"]["rules"]):
            name = rule.get("name") or str(place)
            backends = route_figures.backends(document, rule)
            label = f"{route_figures.label({'kind': document['kind'], **route}, http)}/{name}"
            yield {
                "kind": document["kind"],
                "route": route,
                "rule": name,
                "label": label,
                "parents": parents,
                "matches": rule.get("matches", []),
                "backends": backends,
                "filters": rule.get("filters", []),
                "policies": [
                    *attached.get((document["kind"], *route.values(), ""), ()),
                    *attached.get((document["kind"], *route.values(), name), ()),
                ],
                "status": accepted["reason"],
                "message": accepted["message"],
                "traffic": [traffic.get((figures.service(one), label)) for one in backends or parents],
            }


def _attached(policies: Iterable[_Document]) -> dict[_Place, list[str]]:
    """How the policies are called that target each route or rule."""
    found: dict[_Place, list[str]] = {}
    for policy in policies:
        metadata = policy["policy"]["metadata"]
        for kind, spec in policy["policy"].items():
            for ref in spec.get("targetRefs", ()) if kind in _KINDS else ():
                place = (
                    ref["kind"],
                    ref["namespace"] or metadata["namespace"],
                    ref["name"],
                    ref["sectionName"],
                )
                found.setdefault(place, []).append(f"{_KINDS[kind]} {metadata['name']}")
    return found


def _row(item: _Document, place: int) -> list[str]:
    return [
        item["label"],
        _backend(item["parents"], item["backends"], place),
        *traffic_figures.of_rule(item["traffic"][place]),
    ]


def _backend(parents: Sequence[_Document], backends: Sequence[_Document], place: int) -> str:
    """Where some of a rule's requests go, with their share; without backends to what was called."""
    if not backends:
        return figures.service(parents[place])
    one = backends[place]
    return f"{figures.service(one)}:{one['port']} x{one['weight']}"


def _written(item: _Document) -> list[str]:
    """What the columns of a wide table say of a rule."""
    return [
        item["kind"],
        ", ".join(map(figures.service, item["parents"])),
        " or ".join(map(route_figures.match, item["matches"])) or "*",
        route_figures.filters(item["filters"]),
        ", ".join(item["policies"]) or "-",
        item["status"],
        item["message"] or "-",
    ]
