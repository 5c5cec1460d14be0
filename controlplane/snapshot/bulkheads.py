"""Bulkheads that policies share by name: whose figures hold, and who says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.model.value import find_block
from controlplane.policy import resilience
from controlplane.snapshot.attachments import shared_bulkhead

if TYPE_CHECKING:
    from controlplane.model.document import Document
    from controlplane.model.schema import Schema
    from controlplane.model.value import Tree
    from controlplane.snapshot.attachments import Attachments


def oldest_sharer(attachments: Attachments, document: Document) -> Document:
    """The oldest policy that shares the bulkhead of this one: its figures hold; itself if it shares none."""
    return attachments.by_bulkhead.get(shared_bulkhead(document), (document,))[0]


def agree(one: Document, other: Document, schema: Schema) -> bool:
    """Whether two policies give a bulkhead the same figures, by themselves or by default."""
    return one is other or _figures(one, schema) == _figures(other, schema)


def stated(document: Document) -> Tree:
    """What a policy says of its bulkhead."""
    behaviours = resilience.behaviours(document.spec, document.key.namespace)
    return find_block(behaviours, "bulkhead") or {}


def _figures(document: Document, schema: Schema) -> Tree:
    return resilience.complete({"bulkhead": stated(document)}, schema.blocks["Resilience"])
