"""What became of a route: whether a service that it governs is there, and where its references lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.model.value import blocks
from controlplane.policy import route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document
    from controlplane.policy.route import Parent
    from controlplane.snapshot.build import Snapshot


def parent_verdict(snapshot: Snapshot, document: Document, parent: Parent) -> tuple[str, str]:
    """Whether a route governs calls of one of its parents: a reason, and words where there is more to say."""
    refused = next(route.refusals(document, snapshot.routes.root_namespace), None)
    if refused is not None:
        return "RefNotPermitted", f"{refused.path}: {refused.message}"
    if not snapshot.reach.find(parent.target, parent.port):
        return "TargetNotFound", f"{parent.target} is not there, or has no such port"
    if document not in snapshot.routes.of(parent.target):
        return "Conflicted", f"a GRPCRoute governs {parent.target}, and hides every HTTPRoute of it"
    return "Accepted", ""


def unresolved(snapshot: Snapshot, document: Document) -> Iterator[tuple[str, str]]:
    """References that lead nowhere, each as a reason and in words; their share of requests is refused."""
    for place, rule in enumerate(blocks(document.spec, "rules")):
        for index, backend in enumerate(route.backends(document, rule)):
            path = f"spec.rules[{place}].backendRefs[{index}]"
            if not snapshot.reach.permits(document, backend.target):
                text = f"{path}: {backend.target} is of another namespace, and no ReferenceGrant permits it"
                yield "RefNotPermitted", text
            elif not snapshot.reach.find(backend.target, backend.port):
                yield (
                    "BackendNotFound",
                    f"{path}: {backend.target} is not there, or has no port {backend.port}",
                )
