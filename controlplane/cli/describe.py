"""`describe`: effective settings, with the origin of every field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from controlplane.cli import (
    breaker_figures,
    endpoint_figures,
    fault_figures,
    figures,
    limit_figures,
    options,
    route_figures,
)
from controlplane.cli.check import problem_line
from controlplane.cli.client import AdminClient
from controlplane.cli.output import Format, Listing, print_lines, show, show_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

app = typer.Typer(help="Effective settings of a service, or the state of a policy.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help="Name, or NAMESPACE/NAME.")]


@app.command("service")
def service(
    name: _Name,
    *,
    caller: Annotated[str, typer.Option("--from", metavar="NS/SVC", help="As this caller sees it.")] = "",
    namespace: options.Namespace = options.NAMESPACE,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show what governs calls to a service, and where each field comes from."""
    request: dict[str, Any] = {"service": figures.parse_service(name, namespace)}
    if caller:
        match = figures.parse_service(caller, namespace)
        request["caller"] = {"namespace": match["namespace"], "service": match["name"]}
    with AdminClient(admin) as client:
        answer = client.call("GetEffectivePolicy", request)
        breakers = client.call("ListBreakers", {"service": request["service"]})["breakers"]
        called = client.call("ListCalledEndpoints", {"service": request["service"]})["endpoints"]
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "EffectivePolicy", **answer, "breakers": breakers, "called": called}, output)
        return
    found = answer["service"]
    print_lines(_service(found))
    rows = list(figures.settings(answer))
    rows += map(breaker_figures.row, breakers)
    rows += [_left_out(one) for one in called if not one["endpoint"]["ready"]]
    rows += [
        row for rules in answer["inboundLimits"] for row in limit_figures.rows(rules, answer["enforcers"])
    ]
    rows += [row for rules in answer["outboundLimits"] for row in limit_figures.rows(rules, 0)]
    rows += map(fault_figures.row, answer["faults"])
    rows += [row for backend in answer["backends"] for row in route_figures.rows(backend)]
    rows += [row for front in answer["fronts"] for row in route_figures.front_rows(front)]
    show(
        Listing(
            kind="Field",
            items=[],
            columns=("FIELD", "VALUE", "FROM"),
            rows=rows,
            empty="no policy governs it",
        ),
        output,
    )
    print_lines(f"WARNING  {problem_line(one)}" for one in answer["warnings"])
    print_lines(line for backend in answer["backends"] for line in _warnings(backend))


def _warnings(backend: dict[str, Any]) -> Iterator[str]:
    """What is allowed for the requests of a rule, and probably not meant."""
    for one in backend["warnings"]:
        yield f"WARNING  {route_figures.rule(backend)}: {problem_line(one)}"


def _service(found: dict[str, Any]) -> Iterator[str]:
    """What there is to say about a service beside its policies."""
    figure = f"{found['endpointCount']} endpoints, {found['healthyCount']} healthy"
    yield f"Service {figures.service(found['name'])} ({figure})"
    contract = found.get("contract") or {}
    promises = {
        "owner": contract.get("owner"),
        "version": contract.get("version"),
        "idempotent": ", ".join(contract.get("idempotentMethods", ())),
        "documentation": contract.get("documentation"),
    }
    if said := "; ".join(f"{name} {value}" for name, value in promises.items() if value):
        yield f"contract: {said}"
    for conflict in found["conflicts"]:
        losers = ", ".join(conflict["losers"])
        yield f"CONFLICT  {conflict['field']}: {losers} disagree with {conflict['winner']}, the newest"


def _left_out(one: dict[str, Any]) -> list[str]:
    endpoint = one["endpoint"]
    why = f"{endpoint_figures.state(endpoint)}: {endpoint_figures.cause(endpoint) or 'others go first'}"
    if left := endpoint_figures.returns_in(endpoint):
        why += f", returns in {figures.age(left)}"
    return [f"endpoint {endpoint['instance']} (state)", why, f"sidecar {one['instance']}"]


@app.command("route")
def route(
    name: _Name,
    *,
    kind: Annotated[str, typer.Option("--kind", help="HTTPRoute or GRPCRoute.")] = "HTTPRoute",
    namespace: options.Namespace = options.NAMESPACE,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show where the rules of a route lead, and what holds for their requests."""
    this = {"kind": kind, **figures.parse_name(name, namespace)}
    with AdminClient(admin) as client:
        found = client.call("GetPolicy", this)
        answers = [
            client.call("GetEffectivePolicy", {"service": parent})
            for parent in route_figures.parents(yaml.safe_load(found["policy"]["yaml"]))
        ]
        leads_to = route_figures.destinations(answers)
        answers_there = [client.call("GetEffectivePolicy", {"service": one}) for one in leads_to]
        own = [
            (answer["service"]["name"], backend)
            for answer in answers
            for backend in answer["backends"]
            if this.items() <= backend["route"].items()
        ]
        breakers = _breakers(client, [backend for _, backend in own])
        http = client.call("ListPolicies", {"kind": "HTTPRoute", "namespace": this["namespace"]})["policies"]
    if output in {Format.JSON, Format.YAML}:
        items = [{"parent": parent, **backend} for parent, backend in own]
        show_document(
            {"kind": "RouteStatus", **found["policy"], "backends": items, "breakers": breakers}, output
        )
        return
    accepted = next(one for one in found["policy"]["conditions"] if one["type"] == "Accepted")
    parents = ", ".join(dict.fromkeys(figures.service(parent) for parent, _ in own)) or "-"
    print_lines([f"{kind} {figures.service(this)}  ->  Service {parents} ({accepted['reason']})"])
    rows = [row for _, backend in own for row in route_figures.rows(backend)]
    rows += route_figures.scoped_rows([*answers, *answers_there], this)
    label = route_figures.label(this, route_figures.http_routes(http))
    rows += breaker_figures.route_rows(breakers, label)
    columns = ("FIELD", "VALUE", "FROM")
    show(Listing(kind="Field", items=[], columns=columns, rows=rows, empty="governs no service"), output)
    if accepted["message"]:
        print_lines([f"WARNING  {accepted['message']}"])
    print_lines(dict.fromkeys(line for _, backend in own for line in _warnings(backend)))


def _breakers(client: AdminClient, backends: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The breakers of the services that rules lead to."""
    named = {figures.service(one["service"]): one["service"] for one in backends if one.get("service")}
    return [
        breaker
        for service in named.values()
        for breaker in client.call("ListBreakers", {"service": service})["breakers"]
    ]


@app.command("policy")
def policy(
    kind: Annotated[str, typer.Argument(help="Kind, such as ResiliencePolicy, or its short name.")],
    name: _Name,
    *,
    namespace: options.Namespace = options.NAMESPACE,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show a policy's state: accepted, programmed, and which sidecars apply it."""
    request = {"kind": kind, **figures.parse_name(name, namespace)}
    with AdminClient(admin) as client:
        answer = client.call("GetPolicy", request)["policy"]
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "PolicyStatus", **answer}, output)
        return
    print_lines(
        [
            answer["yaml"].rstrip(),
            "",
            f"applied by {answer['applied']}/{answer['targeted']} sidecars, revision r{answer['revision']}",
        ]
    )
    rows = [[one["type"], str(one["status"]), one["reason"], one["message"]] for one in answer["conditions"]]
    show(
        Listing(kind="Condition", items=[], columns=("CONDITION", "STATUS", "REASON", "MESSAGE"), rows=rows),
        output,
    )
