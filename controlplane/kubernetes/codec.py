"""Custom resources to the documents that files give, and what else people wrote, as the rest of us has it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from controlplane.model.document import Document, ObjectKey
from controlplane.sources.reader import Parsed, parse
from controlplane.sources.source import CLUSTER

if TYPE_CHECKING:
    from controlplane.kubernetes.objects import Custom, Key
    from controlplane.model.schema import Kind, Schema


def key_of(kind: Kind, key: Key) -> ObjectKey:
    """The key of the document that an object is."""
    return ObjectKey(kind=kind.name, namespace=key.namespace, name=key.name)


def unit_of(name: ObjectKey) -> str:
    """What the unit of an object is called."""
    return str(name)


def decode(kind: Kind, custom: Custom, schema: Schema) -> Parsed:
    """The document that an object is, or all that is wrong with it, be it written by a newer release."""
    parsed = parse(_text(kind, custom), CLUSTER, schema)
    return Parsed(
        documents=tuple(_with_history(document, custom) for document in parsed.documents),
        problems=tuple(replace(problem, line=0) for problem in parsed.problems),
    )


def _with_history(document: Document, custom: Custom) -> Document:
    meta = custom.metadata
    return replace(document, generation=meta.generation, created_at=meta.creation_timestamp, lines={})


def _text(kind: Kind, custom: Custom) -> str:
    """What its author wrote, without what the API server added."""
    meta = custom.metadata
    metadata: dict[str, object] = {"name": meta.name}
    if meta.namespace:
        metadata["namespace"] = meta.namespace
    if meta.labels:
        metadata["labels"] = meta.labels
    written = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": custom.spec}
    return msgspec.json.encode(written).decode()
