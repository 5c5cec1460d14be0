"""Mesh: the defaults for everybody and the settings of the whole mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.document import ObjectKey
from controlplane.model.value import Tree, find, find_block, find_text
from controlplane.policy import backpressure, resilience
from controlplane.policy.defaults import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document, Problem
    from controlplane.model.schema import Schema

KIND: Final = "Mesh"
KEY: Final = ObjectKey(kind=KIND, namespace="", name="default")
"""The only one there is."""

TRACING: Final = "telemetry.tracing"
"""The path of what says which traces are recorded."""

DEFAULT_ROOT_NAMESPACE: Final = "breakwater-system"


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a Mesh."""
    yield from resilience.validate_blocks(document, default_resilience(document), "spec.defaults.resilience")
    yield from backpressure.validate_blocks(
        document, default_backpressure(document), "spec.defaults.backpressure"
    )
    mode = find_text(document.spec, "telemetry.accessLog.mode")
    if mode in {"All", "None"} and find(document.spec, "telemetry.accessLog.samplePercent") is not None:
        message = f"has no effect with mode {mode}, only with ErrorsAndSampled"
        yield document.problem("spec.telemetry.accessLog.samplePercent", message, code=Code.IDLE)


def root_namespace(document: Document | None) -> str:
    """The namespace whose policies reach everywhere, by the Mesh if there is one."""
    return (document and find_text(document.spec, "rootNamespace")) or DEFAULT_ROOT_NAMESPACE


def default_resilience(document: Document) -> Tree:
    """How everybody treats everybody, as written."""
    return find_block(document.spec, "defaults.resilience") or {}


def default_backpressure(document: Document) -> Tree:
    """What stands in front of everybody's application, as written."""
    return find_block(document.spec, "defaults.backpressure") or {}


def access_log(document: Document | None, schema: Schema) -> Tree:
    """The settings of the access log, every default filled in."""
    return find_block(_filled(document, schema), "telemetry.accessLog") or {}


def tracing(document: Document | None, schema: Schema) -> Tree | None:
    """Which traces are recorded, every default filled in; `None` where none is."""
    return find_block(_filled(document, schema), TRACING)


def unknown_destinations(document: Document | None, schema: Schema) -> str:
    """What becomes of captured connections to addresses of no service."""
    return find_text(_filled(document, schema), "unknownDestinations")


def passes_through(document: Document | None) -> bool:
    """Whether everything passes a sidecar that never had a configuration, after a while."""
    return document is not None and find_text(document.spec, "bootstrap") == "PassThrough"


def _filled(document: Document | None, schema: Schema) -> Tree:
    return fill(document.spec if document else {}, schema.kinds[KIND].spec)
