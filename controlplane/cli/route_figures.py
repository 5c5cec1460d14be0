"""Routes as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from controlplane.cli import figures

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def parents(text: str) -> list[dict[str, str]]:
    """The services that the route of a YAML text governs, each once."""
    document = yaml.safe_load(text)
    namespace = document["metadata"]["namespace"]
    names = [(ref.get("namespace", namespace), ref["name"]) for ref in document["spec"].get("parentRefs", ())]
    return [{"namespace": place, "name": name} for place, name in dict.fromkeys(names)]
