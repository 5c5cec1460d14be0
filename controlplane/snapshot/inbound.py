"""What the members of a service enforce: limits, and what stands in front of their application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.model.resource import Inbound, InboundBackpressure
from controlplane.policy import backpressure, mesh, target
from controlplane.policy.defaults import fill
from controlplane.policy.merge import merge, trace
from controlplane.snapshot.outbound import by_policy, contribution, default_contribution, limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controlplane.model.document import Document
    from controlplane.model.schema import Schema
    from controlplane.policy.merge import Contribution
    from controlplane.snapshot.attachments import Attached
    from controlplane.snapshot.scopes import Scopes
    from controlplane.snapshot.services import KnownService

_EVERYBODY = 0


def build_inbound(service: KnownService, scopes: Scopes) -> Inbound:
    """The resource for members of `service`."""
    mesh_document, schema = scopes.reach.inputs.mesh, scopes.schema
    attached = list(scopes.reach.attachments.of(service.name, is_external=False))
    policies = [each for each in attached if each.document.key.kind == backpressure.KIND]
    acting = [each for each in policies if not target.is_in_shadow(each.document)]
    return Inbound(
        service=service.name,
        rate_limits=by_policy(
            limits(attached, schema, at_caller=False, callee_enforces=service.enforces),
            scopes.member_limits(service),
        ),
        backpressure=_backpressure(acting, mesh_document, schema),
        shadow_backpressure=_backpressure(policies, mesh_document, schema) if policies != acting else None,
        routes=tuple(scopes.member_routes(service)),
    )


def _backpressure(
    policies: Sequence[Attached], mesh_document: Document | None, schema: Schema
) -> InboundBackpressure | None:
    """The settings that policies say together; none when they say nothing."""
    block = schema.blocks["Backpressure"]
    merged = merge(_contributions(policies, mesh_document), block)
    if not merged.tree:
        return None
    tree = fill(merged.tree, block)
    return InboundBackpressure(settings=tree, origins=trace(tree, merged.origins))


def _contributions(policies: Sequence[Attached], mesh_document: Document | None) -> Iterator[Contribution]:
    if mesh_document is not None:
        settings = backpressure.behaviours(mesh.default_backpressure(mesh_document))
        yield default_contribution(mesh_document, settings)
    for each in policies:
        yield contribution(each, _EVERYBODY, each.document, backpressure.behaviours(each.document.spec))
