"""Between sidecars and their control plane: passes every message on, after a test has had its way with it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import grpc
import grpc.aio

from tests.support.grpc_serving import serving

Messages: TypeAlias = AsyncIterator[bytes]
Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Alter: TypeAlias = Callable[[str, bytes], bytes]
"""Takes the method and a message to a sidecar, and returns what it gets instead."""


class _Relay(grpc.GenericRpcHandler):
    """Answers every method with what the control plane answers; on the wire all kinds of calls are alike."""

    def __init__(self, channel: grpc.aio.Channel, alter: Alter) -> None:
        self._channel = channel
        self._alter = alter

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        method = details.method

        async def relay(requests: Messages, context: Context) -> AsyncIterator[bytes]:
            dial: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(method)
            call = dial(requests)
            try:
                await context.send_initial_metadata(tuple(await call.initial_metadata() or ()))
                async for message in call:
                    yield self._alter(method, message)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
            finally:
                call.cancel()

        return grpc.stream_stream_rpc_method_handler(relay)


@asynccontextmanager
async def middleman(target: int, alter: Alter) -> AsyncIterator[int]:
    """Stand before a control plane on loopback until the block ends; yields the port to dial instead."""
    server = grpc.aio.server()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{target}") as channel:
        server.add_generic_rpc_handlers((_Relay(channel, alter),))
        async with serving(server) as port:
            yield port
