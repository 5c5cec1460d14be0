"""gRPC servers on loopback ports."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias

import grpc
import grpc.aio

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Method: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"


@asynccontextmanager
async def serving(server: grpc.aio.Server) -> AsyncIterator[int]:
    """Have a server listen, at the port that comes back; calls that are under way at the end are cut."""
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await asyncio.shield(server.stop(None))


@asynccontextmanager
async def methods_of(service: str, methods: Mapping[str, Method]) -> AsyncIterator[int]:
    """Serve methods over bytes, without generated code, at the port that comes back."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, dict(methods))])
    async with serving(server) as port:
        yield port
