"""A sidecar that answers commands as the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc.aio
from google.protobuf import json_format

from mesh.v1 import admin_pb2, command_pb2, registry_pb2, sidecar_admin_pb2, telemetry_pb2
from mesh.v1.command_pb2_grpc import CommandServiceStub

CART = registry_pb2.ServiceName(namespace="shop", name="cart")
FROM_WEB_TO_CART = json_format.ParseDict(  # `from` is a keyword of Python
    {"from": {"namespace": "shop", "name": "web"}, "to": {"namespace": "shop", "name": "cart"}},
    admin_pb2.ExplainRequest(),
)

Answer = Callable[[command_pb2.Command], command_pb2.CommandResult | None]


@asynccontextmanager
async def attached(channel: grpc.aio.Channel, instance: str, answer: Answer) -> AsyncIterator[None]:
    """A command stream of `instance` until the block ends; `None` leaves a command unanswered."""
    call = CommandServiceStub(channel).Attach()
    await call.write(command_pb2.CommandResult(instance=instance))
    await call.initial_metadata()

    async def run() -> None:
        while isinstance(command := await call.read(), command_pb2.Command):
            if result := answer(command):
                result.id = command.id
                await call.write(result)

    running = asyncio.create_task(run())
    try:
        yield
    finally:
        running.cancel()
        call.cancel()
        await asyncio.gather(running, return_exceptions=True)


def explained(command: command_pb2.Command) -> command_pb2.CommandResult:
    """Lets a request out of the caller, and refuses it at the callee."""
    inbound = command.explain.direction == sidecar_admin_pb2.DIRECTION_INBOUND
    answer = sidecar_admin_pb2.ExplainRequestResponse(
        forwarded=not inbound, reason="ratelimit.token" if inbound else ""
    )
    return command_pb2.CommandResult(explain=answer)


def breakers(command: command_pb2.Command) -> command_pb2.CommandResult:
    """One breaker of `shop/cart`, which takes every order."""
    status = telemetry_pb2.BreakerStatus(service=CART, state=telemetry_pb2.BREAKER_STATE_CLOSED)
    if command.WhichOneof("command") == "force_breaker":
        status.state = command.force_breaker.state
        forced = sidecar_admin_pb2.ForceBreakerResponse(breaker=status)
        return command_pb2.CommandResult(force_breaker=forced)
    listed = sidecar_admin_pb2.ListSidecarBreakersResponse(breakers=[status])
    return command_pb2.CommandResult(list_breakers=listed)
