"""Routes as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from controlplane.cli import figures, limit_figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def rows(backend: dict[str, Any]) -> Iterator[list[str]]:
    """Where a rule leads, and every field that holds for its requests there."""
    route = backend["route"]
    rule = f"{route['name']}/{backend['rule']}"
    service = figures.service(backend["service"]) if backend.get("service") else "nowhere: refused"
    port = f":{backend['port']}" if backend["port"] else ""
    yield [f"rule {rule}", f"{service}{port} weight {backend['weight']}", figures.policy(route)]
    for origin, value in zip(backend["origins"], backend["values"], strict=True):
        if origin.get("policy"):
            yield [f"rule {rule} {origin['path']}", value, figures.origin(origin)]
    for origin, value in zip(backend["shadowOrigins"], backend["shadowValues"], strict=True):
        yield [f"rule {rule} {origin['path']} (in shadow)", value, figures.origin(origin)]


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


def _is_of(said: dict[str, Any], route: dict[str, str]) -> bool:
    scope = said.get("scope") or {}
    return route.items() <= scope.items()


def parents(text: str) -> list[dict[str, str]]:
    """The services that the route of a YAML text governs, each once."""
    document = yaml.safe_load(text)
    namespace = document["metadata"]["namespace"]
    names = [(ref.get("namespace", namespace), ref["name"]) for ref in document["spec"].get("parentRefs", ())]
    return [{"namespace": place, "name": name} for place, name in dict.fromkeys(names)]
