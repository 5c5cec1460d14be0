"""Asks sidecars, one or many at once, wherever they are connected."""

from collections.abc import Iterable, Mapping

from controlplane.admin.parts import Mesh
from controlplane.model.replica import Placed, ReplicaId
from mesh.v1 import admin_pb2, command_pb2, registry_pb2, sidecar_admin_pb2


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

    async def breakers(
        self, where: Mapping[str, ReplicaId], service: registry_pb2.ServiceName | None
    ) -> list[admin_pb2.SidecarBreaker]:
        """Breakers of the sidecars that answer, sorted by service, endpoint and sidecar."""
        request = sidecar_admin_pb2.ListSidecarBreakersRequest(service=service)
        found = [
            admin_pb2.SidecarBreaker(instance=result.instance, breaker=breaker)
            for result in await self._answers(where, command_pb2.Command(list_breakers=request))
            for breaker in result.list_breakers.breakers
        ]
        return sorted(found, key=_breaker_order)

    async def limits(
        self, where: Mapping[str, ReplicaId], service: registry_pb2.ServiceName | None
    ) -> list[admin_pb2.SidecarLimit]:
        """Limits of the sidecars that answer, sorted by service, policy, limit and sidecar."""
        request = sidecar_admin_pb2.ListSidecarLimitsRequest(service=service)
        found = [
            admin_pb2.SidecarLimit(instance=result.instance, limit=limit)
            for result in await self._answers(where, command_pb2.Command(list_limits=request))
            for limit in result.list_limits.limits
        ]
        return sorted(found, key=_limit_order)

    async def endpoints(
        self, where: Mapping[str, ReplicaId], service: registry_pb2.ServiceName | None
    ) -> list[admin_pb2.CalledEndpoint]:
        """Endpoints as the sidecars see them that answer, sorted by service, endpoint and sidecar."""
        found = [
            admin_pb2.CalledEndpoint(instance=result.instance, endpoint=endpoint)
            for result in await self._called(where, service)
            for endpoint in result.list_endpoints.endpoints
        ]
        return sorted(found, key=_endpoint_order)

    async def routes(
        self, where: Mapping[str, ReplicaId], service: registry_pb2.ServiceName | None
    ) -> list[admin_pb2.AppliedRoute]:
        """Rules as they are in force in the sidecars that answer, sorted by service, route and sidecar."""
        request = sidecar_admin_pb2.ListSidecarRoutesRequest(service=service)
        found = [
            admin_pb2.AppliedRoute(instance=result.instance, route=route)
            for result in await self._answers(where, command_pb2.Command(list_routes=request))
            for route in result.list_routes.routes
        ]
        return sorted(found, key=_route_order)

    async def hosts(
        self, where: Mapping[str, ReplicaId], service: registry_pb2.ServiceName
    ) -> list[admin_pb2.SidecarHost]:
        """Host names of a service as the sidecars that answer resolved them, sorted by host and sidecar."""
        found = [
            admin_pb2.SidecarHost(instance=result.instance, host=host)
            for result in await self._called(where, service)
            for host in result.list_endpoints.hosts
        ]
        return sorted(found, key=lambda one: (one.host.host, one.instance))

    async def force(
        self, where: Mapping[str, ReplicaId], order: sidecar_admin_pb2.ForceBreakerRequest
    ) -> admin_pb2.ForceBreakersResponse:
        """The breakers after an order to many sidecars, and those that did not take it."""
        results = await self._mesh.command(where, command_pb2.Command(force_breaker=order))
        return admin_pb2.ForceBreakersResponse(
            breakers=sorted(_forced(results.values()), key=_breaker_order),
            unreachable=sorted(name for name, result in results.items() if result.error),
        )

    async def _called(
        self, where: Mapping[str, ReplicaId], service: registry_pb2.ServiceName | None
    ) -> Iterable[command_pb2.CommandResult]:
        request = sidecar_admin_pb2.ListSidecarEndpointsRequest(service=service)
        return await self._answers(where, command_pb2.Command(list_endpoints=request))

    async def _answers(
        self, where: Mapping[str, ReplicaId], command: command_pb2.Command
    ) -> Iterable[command_pb2.CommandResult]:
        return (await self._mesh.command(where, command)).values()


def _forced(results: Iterable[command_pb2.CommandResult]) -> Iterable[admin_pb2.SidecarBreaker]:
    return (
        admin_pb2.SidecarBreaker(instance=result.instance, breaker=result.force_breaker.breaker)
        for result in results
        if not result.error
    )


def _endpoint_order(one: admin_pb2.CalledEndpoint) -> tuple[str, ...]:
    endpoint = one.endpoint
    service = endpoint.service
    return service.namespace, service.name, endpoint.instance, endpoint.address, one.instance


def _route_order(one: admin_pb2.AppliedRoute) -> tuple[str, ...]:
    service, route = one.route.service, one.route.route
    return service.namespace, service.name, route.namespace, route.name, one.instance


def _breaker_order(one: admin_pb2.SidecarBreaker) -> tuple[str, ...]:
    breaker = one.breaker
    return breaker.service.namespace, breaker.service.name, breaker.endpoint, one.instance


def _limit_order(one: admin_pb2.SidecarLimit) -> tuple[str, ...]:
    service, policy = one.limit.service, one.limit.policy
    return service.namespace, service.name, policy.namespace, policy.name, one.limit.limit, one.instance
