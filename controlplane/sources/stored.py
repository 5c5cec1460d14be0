"""How the admin API's documents are kept: under one key each, as YAML with their history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from controlplane.model.document import Document, ObjectKey, Problem
from controlplane.sources.reader import Parsed, parse

if TYPE_CHECKING:
    from controlplane.model.schema import Schema

PREFIX: Final = "/breakwater/policies/"
FILE: Final = "admin"
_NO_NAMESPACE: Final = "-"  # no name begins or ends so


class _Stored(msgspec.Struct, frozen=True):
    """What is under a key."""

    generation: int
    created_at: datetime
    document: str


def key_of(key: ObjectKey) -> str:
    """The key in the store: PREFIX, kind, namespace and name."""
    return f"{PREFIX}{key.kind}/{key.namespace or _NO_NAMESPACE}/{key.name}"


def encode(document: Document, text: str) -> bytes:
    """The bytes that keep a document that was applied, whose YAML is `text`."""
    if document.created_at is None:
        raise ValueError(f"{document.key}: expected an instant of creation")
    stored = _Stored(generation=document.generation, created_at=document.created_at, document=text)
    return msgspec.json.encode(stored)


def decode(key: str, value: bytes, schema: Schema) -> Parsed:
    """The document under a key, or what keeps us from reading it, as after a downgrade."""
    try:
        stored = msgspec.json.decode(value, type=_Stored)
    except msgspec.MsgspecError as error:
        return Parsed(problems=(Problem(file=FILE, object=key, message=f"cannot be read: {error}"),))
    parsed = parse(stored.document, FILE, schema)
    documents = [
        replace(document, generation=stored.generation, created_at=stored.created_at, lines={})
        for document in parsed.documents
    ]
    problems = [replace(problem, line=0) for problem in parsed.problems]
    return Parsed(documents=tuple(documents), problems=tuple(problems))
