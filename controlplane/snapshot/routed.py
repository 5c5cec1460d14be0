"""What became of a route: whether a service that it governs is there, and where its references lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.policy import route
from controlplane.snapshot.routes import numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document
    from controlplane.policy.route import Parent
    from controlplane.snapshot.build import Snapshot


def parent_verdict(snapshot: Snapshot, document: Document, parent: Parent) -> tuple[str, str]:
    """Whether a route governs calls of one of its parents: a reason, and words where there is more to say."""
    service = snapshot.reach.find(parent.target, parent.port)
    port = parent.find_port(numbers_of(service)) if service else None
    if service is None or port is None:
        return "TargetNotFound", f"{parent.target} is not there, or has no such port"
    ports = frozenset({port} if port else ())
    left = snapshot.routes.left(document, service, ports)
    place = f"{parent.target} at port {port}" if port else str(parent.target)
    if left is None:
        return "Conflicted", f"a GRPCRoute governs {place}, and hides every HTTPRoute of it"
    if left and not ports:
        return "Accepted", f"a GRPCRoute governs {place} at other ports than {', '.join(map(str, left))}"
    return "Accepted", ""


def unresolved(snapshot: Snapshot, document: Document) -> Iterator[tuple[str, str]]:
    """References that lead nowhere, each as a reason and in words.

    Requests that would go there are refused, and copies are not made.
    """
    for path, target, port in route.references(document):
        if not snapshot.reach.permits(document, target):
            yield (
                "RefNotPermitted",
                f"{path}: {target} is of another namespace, and no ReferenceGrant permits it",
            )
        elif not snapshot.reach.find(target, port):
            yield "BackendNotFound", f"{path}: {target} is not there, or has no port {port}"
