"""Custom resources to the documents that files give, and what else people wrote, as the rest of us has it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from controlplane.kubernetes.status import CONTROLLER
from controlplane.model.document import Document, ObjectKey
from controlplane.policy import route
from controlplane.sources.reader import Parsed, parse
from controlplane.sources.source import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controlplane.kubernetes.objects import Custom, Key
    from controlplane.model.schema import Kind, Schema

_CONTROLLER: Final = CONTROLLER.encode()


def key_of(kind: Kind, key: Key) -> ObjectKey:
    """The key of the document that an object is."""
    return ObjectKey(kind=kind.name, namespace=key.namespace, name=key.name)


def unit_of(name: ObjectKey) -> str:
    """What the unit of an object is called."""
    return str(name)


def concerns_us(kind: Kind, custom: Custom) -> bool:
    """Whether an object is for the mesh: routes of gateways are not."""
    return kind.name not in route.KINDS or _of_services(custom.spec) is not None


def has_our_status(kind: Kind, custom: Custom) -> bool:
    """Whether it is for us to say what became of an object, or to take back what we said of a route."""
    is_route = kind.name in route.KINDS
    return kind.is_ours or (is_route and (concerns_us(kind, custom) or _CONTROLLER in bytes(custom.status)))


def parent_refs(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The services that the spec of a route names as its parents, each as it names them."""
    refs = spec.get("parentRefs") or []
    return [ref for ref in refs if ref.get("kind") in route.PARENT_KINDS]


def decode(kind: Kind, custom: Custom, schema: Schema) -> Parsed:
    """The document that an object is, or all that is wrong with it, be it written by a newer release."""
    spec = _of_services(custom.spec) if kind.name in route.KINDS else None
    parsed = parse(_text(kind, custom, spec or custom.spec), CLUSTER, schema)
    return Parsed(
        documents=tuple(_with_history(document, custom) for document in parsed.documents),
        problems=tuple(replace(problem, line=0) for problem in parsed.problems),
    )


def _with_history(document: Document, custom: Custom) -> Document:
    meta = custom.metadata
    return replace(document, generation=meta.generation, created_at=meta.creation_timestamp, lines={})


def _of_services(spec: Raw) -> Raw | None:
    """A route's spec as far as services are its parents, for which it has no host names (GEP-1294)."""
    found = msgspec.json.decode(spec)
    refs = parent_refs(found)
    if not refs:
        return None
    kept = {name: value for name, value in found.items() if name != "hostnames"}
    return Raw(msgspec.json.encode({**kept, "parentRefs": refs}))


def _text(kind: Kind, custom: Custom, spec: Raw) -> str:
    """What its author wrote, without what the API server added."""
    meta = custom.metadata
    metadata: dict[str, object] = {"name": meta.name}
    if meta.namespace:
        metadata["namespace"] = meta.namespace
    if meta.labels:
        metadata["labels"] = meta.labels
    written = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": spec}
    return msgspec.json.encode(written).decode()
