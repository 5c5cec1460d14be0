"""A sidecar that answers commands as the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc.aio

from mesh.v1 import command_pb2
from mesh.v1.command_pb2_grpc import CommandServiceStub

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
