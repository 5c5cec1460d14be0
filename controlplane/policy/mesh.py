"""Mesh: the defaults for everybody and the settings of the whole mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.value import Tree, find_block, find_text
from controlplane.policy import resilience
from controlplane.policy.defaults import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document, Problem
    from controlplane.model.schema import Schema

KIND: Final = "Mesh"
DEFAULT_ROOT_NAMESPACE: Final = "breakwater-system"


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a Mesh."""
    defaults = find_block(document.spec, "defaults.resilience") or {}
    return resilience.validate_blocks(document, defaults, "spec.defaults.resilience")


def root_namespace(document: Document | None) -> str:
    """The namespace whose policies reach everywhere, by the Mesh if there is one."""
    return (document and find_text(document.spec, "rootNamespace")) or DEFAULT_ROOT_NAMESPACE


def default_resilience(document: Document) -> Tree:
    """The blocks that apply to everybody, as written."""
    return find_block(document.spec, "defaults.resilience") or {}


def access_log(document: Document | None, schema: Schema) -> Tree:
    """The settings of the access log, every default filled in."""
    settings = fill(document.spec if document else {}, schema.kinds[KIND].spec)
    return find_block(settings, "telemetry.accessLog") or {}
