"""What the members of a service enforce: limits, and what stands in front of their application."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from controlplane.model.resource import Inbound, InboundBackpressure, RouteBackpressure
from controlplane.policy import backpressure, mesh, target
from controlplane.policy.merge import merge, trace
from controlplane.snapshot.outbound import by_policy, limits
from controlplane.snapshot.variants import contribution, default_contribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from controlplane.model.resource import RouteScope
    from controlplane.policy.merge import Contribution
    from controlplane.snapshot.attachments import Attached
    from controlplane.snapshot.scopes import Scopes
    from controlplane.snapshot.services import KnownService

_EVERYBODY = 0


class _Fronts(NamedTuple):
    """What stands in front of an application, and what would if policies in shadow, if any, acted too."""

    acting: InboundBackpressure | None
    shadow: InboundBackpressure | None


def build_inbound(service: KnownService, scopes: Scopes) -> Inbound:
    """The resource for members of `service`."""
    attached = list(scopes.reach.attachments.of(service.name, is_external=False))
    policies = _of_backpressure(attached)
    whole = _fronts(policies, scopes)
    routes = tuple(scopes.member_routes(service))
    return Inbound(
        service=service.name,
        rate_limits=by_policy(
            limits(attached, scopes.schema, at_caller=False, callee_enforces=service.enforces),
            scopes.member_limits(service),
        ),
        backpressure=whole.acting,
        shadow_backpressure=whole.shadow,
        routes=routes,
        route_backpressure=tuple(_of_routes(service, scopes, policies, whole)),
        twins=scopes.reach.twins(rule.route.key for each in routes for rule in each.rules),
    )


def _of_backpressure(attached: Iterable[Attached]) -> list[Attached]:
    return [each for each in attached if each.document.key.kind == backpressure.KIND]


def _of_routes(
    member: KnownService, scopes: Scopes, others: Sequence[Attached], whole: _Fronts
) -> Iterator[RouteBackpressure]:
    """What stands there for the requests of routes and rules, where something else does for more of them.

    `others` are the policies of the whole service.
    """
    found: dict[RouteScope, _Fronts] = {}
    for scope in scopes.fronts(member):
        own = _of_backpressure(scopes.at(scope))
        taken = {each.document.key for each in own}
        fronts = _fronts([*own, *(each for each in others if each.document.key not in taken)], scopes)
        found[scope] = fronts
        broader = found.get(scope._replace(rule=""), whole) if scope.rule else whole
        acting, shadow = (None if own == other else own for own, other in zip(fronts, broader, strict=True))
        if acting or shadow:
            yield RouteBackpressure(scope=scope, backpressure=acting, shadow_backpressure=shadow)


def _fronts(policies: Sequence[Attached], scopes: Scopes) -> _Fronts:
    """What policies say together, with and without those in shadow."""
    acting = [each for each in policies if not target.is_in_shadow(each.document)]
    return _Fronts(
        acting=_merged(acting, scopes),
        shadow=_merged(policies, scopes) if len(policies) != len(acting) else None,
    )


def _merged(policies: Iterable[Attached], scopes: Scopes) -> InboundBackpressure | None:
    """The settings that policies say together; none when they say nothing."""
    block = scopes.schema.blocks["Backpressure"]
    merged = merge(_contributions(policies, scopes), block)
    if not merged.tree:
        return None
    tree = backpressure.complete(merged.tree, block)
    return InboundBackpressure(settings=tree, origins=trace(tree, merged.origins))


def _contributions(policies: Iterable[Attached], scopes: Scopes) -> Iterator[Contribution]:
    mesh_document = scopes.reach.inputs.mesh
    if mesh_document is not None:
        settings = backpressure.behaviours(mesh.default_backpressure(mesh_document))
        yield default_contribution(mesh_document, settings)
    for each in policies:
        yield contribution(each, _EVERYBODY, each.document, backpressure.behaviours(each.document.spec))
