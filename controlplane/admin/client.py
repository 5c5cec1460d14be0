"""Asks sidecars, one or many at once, wherever they are connected."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from controlplane.admin.parts import Mesh
from controlplane.model.replica import Placed, ReplicaId
from mesh.v1 import admin_pb2, command_pb2, registry_pb2, sidecar_admin_pb2

T = TypeVar("T")
_Order: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """One kind of thing: the question about a service or all, the items of one answer, and their order."""

    question: Callable[[registry_pb2.ServiceName | None], command_pb2.Command]
    items: Callable[[command_pb2.CommandResult], Iterable[T]]
    order: Callable[[T], _Order]


def _breakers(service: registry_pb2.ServiceName | None) -> command_pb2.Command:
    return command_pb2.Command(list_breakers=sidecar_admin_pb2.ListSidecarBreakersRequest(service=service))


def _limits(service: registry_pb2.ServiceName | None) -> command_pb2.Command:
    return command_pb2.Command(list_limits=sidecar_admin_pb2.ListSidecarLimitsRequest(service=service))


def _routes(service: registry_pb2.ServiceName | None) -> command_pb2.Command:
    return command_pb2.Command(list_routes=sidecar_admin_pb2.ListSidecarRoutesRequest(service=service))


def _endpoints(service: registry_pb2.ServiceName | None) -> command_pb2.Command:
    return command_pb2.Command(list_endpoints=sidecar_admin_pb2.ListSidecarEndpointsRequest(service=service))


def _breaker_order(one: admin_pb2.SidecarBreaker) -> _Order:
    breaker = one.breaker
    return breaker.service.namespace, breaker.service.name, breaker.endpoint, one.instance


def _limit_order(one: admin_pb2.SidecarLimit) -> _Order:
    service, policy = one.limit.service, one.limit.policy
    return service.namespace, service.name, policy.namespace, policy.name, one.limit.limit, one.instance


def _route_order(one: admin_pb2.AppliedRoute) -> _Order:
    service, route = one.route.service, one.route.route
    return service.namespace, service.name, route.namespace, route.name, one.instance


def _endpoint_order(one: admin_pb2.CalledEndpoint) -> _Order:
    endpoint = one.endpoint
    service = endpoint.service
    return service.namespace, service.name, endpoint.instance, endpoint.address, one.instance


BREAKERS: Final[Listing[admin_pb2.SidecarBreaker]] = Listing(
    question=_breakers,
    items=lambda it: (
        admin_pb2.SidecarBreaker(instance=it.instance, breaker=one) for one in it.list_breakers.breakers
    ),
    order=_breaker_order,
)
"""Breakers, sorted by service, endpoint and sidecar."""

LIMITS: Final[Listing[admin_pb2.SidecarLimit]] = Listing(
    question=_limits,
    items=lambda it: (
        admin_pb2.SidecarLimit(instance=it.instance, limit=one) for one in it.list_limits.limits
    ),
    order=_limit_order,
)
"""Limits, sorted by service, policy, limit and sidecar."""

ROUTES: Final[Listing[admin_pb2.AppliedRoute]] = Listing(
    question=_routes,
    items=lambda it: (
        admin_pb2.AppliedRoute(instance=it.instance, route=one) for one in it.list_routes.routes
    ),
    order=_route_order,
)
"""Rules of routes as they are in force, sorted by service, route and sidecar."""

ENDPOINTS: Final[Listing[admin_pb2.CalledEndpoint]] = Listing(
    question=_endpoints,
    items=lambda it: (
        admin_pb2.CalledEndpoint(instance=it.instance, endpoint=one) for one in it.list_endpoints.endpoints
    ),
    order=_endpoint_order,
)
"""Endpoints as sidecars see them, sorted by service, endpoint and sidecar."""

HOSTS: Final[Listing[admin_pb2.SidecarHost]] = Listing(
    question=_endpoints,
    items=lambda it: (
        admin_pb2.SidecarHost(instance=it.instance, host=one) for one in it.list_endpoints.hosts
    ),
    order=lambda one: (one.host.host, one.instance),
)
"""Host names as sidecars resolved them, sorted by host and sidecar."""


class Sidecars:
    """Questions and orders to sidecars, each named by its instance and the replica where it is."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    async def explain(
        self, placed: Placed, request: sidecar_admin_pb2.ExplainRequestRequest
    ) -> tuple[admin_pb2.ExplainedHop | None, str]:
        """What one half of a sidecar would do to a request, or nothing, and then why it did not answer."""
        instance = placed.attached.status.hello.instance
        command = command_pb2.Command(explain=request)
        result = (await self._mesh.command({instance: placed.replica.id}, command))[instance]
        if result.error:
            return None, result.error
        hop = admin_pb2.ExplainedHop(instance=instance, direction=request.direction, answer=result.explain)
        return hop, ""

    async def ask(
        self, listing: Listing[T], where: Mapping[str, ReplicaId], service: registry_pb2.ServiceName | None
    ) -> list[T]:
        """What the sidecars that answer have of one kind, for a service or for all, in its order."""
        results = await self._mesh.command(where, listing.question(service))
        found = (item for result in results.values() for item in listing.items(result))
        return sorted(found, key=listing.order)

    async def force(
        self, where: Mapping[str, ReplicaId], order: sidecar_admin_pb2.ForceBreakerRequest
    ) -> admin_pb2.ForceBreakersResponse:
        """The breakers after an order to many sidecars, and those that did not take it."""
        results = await self._mesh.command(where, command_pb2.Command(force_breaker=order))
        return admin_pb2.ForceBreakersResponse(
            breakers=sorted(_forced(results.values()), key=BREAKERS.order),
            unreachable=sorted(name for name, result in results.items() if result.error),
        )


def _forced(results: Iterable[command_pb2.CommandResult]) -> Iterable[admin_pb2.SidecarBreaker]:
    return (
        admin_pb2.SidecarBreaker(instance=result.instance, breaker=result.force_breaker.breaker)
        for result in results
        if not result.error
    )
