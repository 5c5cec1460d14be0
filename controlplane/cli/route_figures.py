"""Routes as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.cli import fault_figures, figures, limit_figures
from controlplane.model.route import name_beside

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator


def rows(backend: dict[str, Any]) -> Iterator[list[str]]:
    """Where a rule leads, and every field that holds for its requests there."""
    route, name = backend["route"], rule(backend)
    service = figures.service(backend["service"]) if backend.get("service") else "nowhere: refused"
    port = f":{backend['port']}" if backend["port"] else ""
    yield [name, f"{service}{port} weight {backend['weight']}", figures.policy(route)]
    yield from figures.settings(backend, f"{name} ", with_defaults=False)


def rule(backend: dict[str, Any]) -> str:
    """The rule that leads to a backend, as `rule ROUTE/RULE`."""
    return f"rule {backend['route']['name']}/{backend['rule']}"


def front_rows(front: dict[str, Any]) -> Iterator[list[str]]:
    """Every field of what stands in front of the application for the requests of a route or rule."""
    yield from figures.settings(front, f"{figures.requests_of(front['scope'])} ", with_defaults=False)


def destinations(answers: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """The services that rules of these services lead to beside them, each once."""
    called = [answer["service"]["name"] for answer in answers]
    found = [backend.get("service") for answer in answers for backend in answer["backends"]]
    names = [(one["namespace"], one["name"]) for one in found if one and one not in called]
    return [{"namespace": place, "name": name} for place, name in dict.fromkeys(names)]


def scoped_rows(answers: Iterable[dict[str, Any]], route: dict[str, str]) -> Iterator[list[str]]:
    """What is said of a route and of its rules apart, wherever it is enforced, each once."""
    found = [row for answer in answers for row in _scoped(answer, route)]
    yield from (list(row) for row in dict.fromkeys(map(tuple, found)))


def _scoped(answer: dict[str, Any], route: dict[str, str]) -> Iterator[list[str]]:
    for place, enforcers in (("inboundLimits", answer["enforcers"]), ("outboundLimits", 0)):
        for rules in answer[place]:
            if _is_of(rules, route):
                yield from limit_figures.rows(rules, enforcers)
    yield from (fault_figures.row(rules) for rules in answer["faults"] if _is_of(rules, route))
    for front in answer["fronts"]:
        if _is_of(front, route):
            yield from front_rows(front)


def _is_of(said: dict[str, Any], route: dict[str, str]) -> bool:
    scope = said.get("scope") or {}
    return route.items() <= scope.items()


def parents(document: dict[str, Any]) -> list[dict[str, str]]:
    """The services that a route governs, each once."""
    return list(
        {str(ref): ref for ref in _services(document, document["spec"].get("parentRefs", ()))}.values()
    )


def backends(document: dict[str, Any], rule: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a rule of a route leads, with port and weight; none: to the service that was called."""
    refs = rule.get("backendRefs", ())
    return [
        {**service, "port": ref["port"], "weight": ref.get("weight", 1)}
        for ref, service in zip(refs, _services(document, refs), strict=True)
    ]


def label(route: dict[str, str], others: Container[tuple[str, str]]) -> str:
    """What metrics and sidecars call a route; `others` are all HTTPRoutes, by namespace and name."""
    name = route["name"]
    if route["kind"] == "GRPCRoute" and (route["namespace"], name) in others:
        name = name_beside(route["kind"], name)
    return f"{route['namespace']}/{name}"


def http_routes(policies: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    """The HTTPRoutes among policies, by namespace and name."""
    places = (one["policy"]["metadata"] for one in policies if "httpRoute" in one["policy"])
    return {(place["namespace"], place["name"]) for place in places}


def match(written: dict[str, Any]) -> str:
    """What a request looks like, as in `GET /cart* x-user=42 ?page=1`; `~` before an expression."""
    words = [_target(written), *_fields(written, "headers", ""), *_fields(written, "queryParams", "?")]
    return " ".join(word for word in words if word) or "*"


def filters(written: list[dict[str, Any]]) -> str:
    """What else a rule does, as in `RequestHeaderModifier`, or `-`."""
    return ", ".join(each["type"] for each in written) or "-"


def _services(document: dict[str, Any], refs: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    own = document["metadata"]["namespace"]
    return [{"namespace": ref.get("namespace", own), "name": ref["name"]} for ref in refs]


def _target(written: dict[str, Any]) -> str:
    """Method and path, or the gRPC method."""
    method, path = written.get("method", ""), written.get("path")
    if isinstance(method, dict):
        return f"{_expression(method)}{method.get('service', '*')}/{method.get('method', '*')}"
    if path is None:
        return str(method)
    end = "*" if path.get("type", "PathPrefix") == "PathPrefix" else ""
    return f"{method} {_expression(path)}{path.get('value', '/')}{end}".lstrip()


def _fields(written: dict[str, Any], member: str, sign: str) -> Iterator[str]:
    for field in written.get(member, ()):
        yield f"{sign}{field['name']}={_expression(field)}{field['value']}"


def _expression(form: dict[str, Any]) -> str:
    return "~" if form.get("type") == "RegularExpression" else ""
