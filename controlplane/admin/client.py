"""Asks sidecars, one or many at once."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Protocol

from controlplane.errors import CommandError
from mesh.v1 import admin_pb2, command_pb2, registry_pb2, sidecar_admin_pb2

_TIMEOUT_SECONDS = 2.0
_AT_ONCE = 64


class Commands(Protocol):
    """Carries commands to sidecars."""

    async def call(
        self, instance: str, command: command_pb2.Command, timeout_seconds: float
    ) -> command_pb2.CommandResult:
        """What a sidecar answers.

        Raises:
            CommandError: it did not, or could not.
        """
        ...


class Sidecars:
    """Questions and orders to sidecars by their instances."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def explain(
        self, instance: str, request: sidecar_admin_pb2.ExplainRequestRequest
    ) -> admin_pb2.ExplainedHop:
        """What one half of a sidecar would do to a request.

        Raises:
            CommandError: it did not answer, or could not.
        """
        result = await self._call(instance, command_pb2.Command(explain=request))
        return admin_pb2.ExplainedHop(instance=instance, direction=request.direction, answer=result.explain)

    async def breakers(
        self, instances: Iterable[str], service: registry_pb2.ServiceName | None
    ) -> list[admin_pb2.SidecarBreaker]:
        """Breakers of the sidecars that answer, sorted by service, endpoint and sidecar."""
        request = sidecar_admin_pb2.ListSidecarBreakersRequest(service=service)
        answers = await self._call_all(instances, command_pb2.Command(list_breakers=request))
        found = [
            admin_pb2.SidecarBreaker(instance=instance, breaker=breaker)
            for instance, result in _answered(answers)
            for breaker in result.list_breakers.breakers
        ]
        return sorted(found, key=_breaker_order)

    async def limits(
        self, instances: Iterable[str], service: registry_pb2.ServiceName | None
    ) -> list[admin_pb2.SidecarLimit]:
        """Limits of the sidecars that answer, sorted by service, policy, limit and sidecar."""
        request = sidecar_admin_pb2.ListSidecarLimitsRequest(service=service)
        answers = await self._call_all(instances, command_pb2.Command(list_limits=request))
        found = [
            admin_pb2.SidecarLimit(instance=instance, limit=limit)
            for instance, result in _answered(answers)
            for limit in result.list_limits.limits
        ]
        return sorted(found, key=_limit_order)

    async def hosts(
        self, instances: Iterable[str], service: registry_pb2.ServiceName
    ) -> list[admin_pb2.SidecarHost]:
        """Host names of a service as the sidecars that answer resolved them, sorted by host and sidecar."""
        request = sidecar_admin_pb2.ListSidecarEndpointsRequest(service=service)
        answers = await self._call_all(instances, command_pb2.Command(list_endpoints=request))
        found = [
            admin_pb2.SidecarHost(instance=instance, host=host)
            for instance, result in _answered(answers)
            for host in result.list_endpoints.hosts
        ]
        return sorted(found, key=lambda one: (one.host.host, one.instance))

    async def force(
        self, instances: Iterable[str], order: sidecar_admin_pb2.ForceBreakerRequest
    ) -> admin_pb2.ForceBreakersResponse:
        """The breakers after an order to many sidecars, and those that did not take it."""
        answers = await self._call_all(instances, command_pb2.Command(force_breaker=order))
        breakers = [
            admin_pb2.SidecarBreaker(instance=instance, breaker=result.force_breaker.breaker)
            for instance, result in _answered(answers)
        ]
        unreachable = sorted(instance for instance, result in answers.items() if result is None)
        return admin_pb2.ForceBreakersResponse(
            breakers=sorted(breakers, key=_breaker_order), unreachable=unreachable
        )

    async def _call_all(
        self, instances: Iterable[str], command: command_pb2.Command
    ) -> dict[str, command_pb2.CommandResult | None]:
        """Every sidecar's answer, or `None` where there is none."""

        async def ask(instance: str) -> command_pb2.CommandResult | None:
            try:
                return await self._call(instance, command)
            except CommandError:
                return None

        async with asyncio.TaskGroup() as tasks:
            asked = {instance: tasks.create_task(ask(instance)) for instance in instances}
        return {instance: task.result() for instance, task in asked.items()}

    async def _call(self, instance: str, command: command_pb2.Command) -> command_pb2.CommandResult:
        async with self._turns:
            return await self._commands.call(instance, command, _TIMEOUT_SECONDS)


def _answered(
    answers: dict[str, command_pb2.CommandResult | None],
) -> Iterator[tuple[str, command_pb2.CommandResult]]:
    return ((instance, result) for instance, result in answers.items() if result is not None)


def _breaker_order(one: admin_pb2.SidecarBreaker) -> tuple[str, ...]:
    breaker = one.breaker
    return breaker.service.namespace, breaker.service.name, breaker.endpoint, one.instance


def _limit_order(one: admin_pb2.SidecarLimit) -> tuple[str, ...]:
    service, policy = one.limit.service, one.limit.policy
    return service.namespace, service.name, policy.namespace, policy.name, one.limit.limit, one.instance
