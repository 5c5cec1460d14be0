"""A gRPC application with methods of every shape, which do what a test asks for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc

from tests.support.grpc_serving import methods_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.support.grpc_serving import Context, Method

SERVICE = "test.Echo"
TRAILER = ("x-trailer", "kept")


@dataclass(slots=True)
class GrpcShapes:
    """An application that listens on `port`, and what it saw."""

    port: int = 0
    metadata: list[dict[str, str]] = field(default_factory=list)
    hanging: int = 0
    cancelled: int = 0

    async def echo(self, request: bytes, context: Context) -> bytes:
        """Return the request; metadata that came go back as trailers under another name."""
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        self.metadata.append(metadata)
        await context.send_initial_metadata((("x-initial", "sent"),))
        context.set_trailing_metadata((TRAILER, ("x-asked", metadata.get("x-ask", ""))))
        return request

    async def fail(self, request: bytes, context: Context) -> bytes:
        """End with the status whose number is the request."""
        code = next(code for code in grpc.StatusCode if code.value[0] == int(request))
        await context.abort(code, f"asked for {code.name}: 100 %", trailing_metadata=(TRAILER,))

    async def hang(self, request: bytes, _: Context) -> bytes:
        """Never answer."""
        self.hanging += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.hanging -= 1
        return request

    async def count(self, request: bytes, _: Context) -> AsyncIterator[bytes]:
        """Send so many messages of 1 KiB."""
        for number in range(int(request)):
            yield number.to_bytes(4, "big").ljust(1024, b"\0")

    async def chat(self, requests: AsyncIterator[bytes], _: Context) -> AsyncIterator[bytes]:
        """Return every message as it comes."""
        async for request in requests:
            yield request

    async def total(self, requests: AsyncIterator[bytes], _: Context) -> bytes:
        """Return how many bytes came."""
        total = 0
        async for request in requests:
            total += len(request)
        return str(total).encode()

    def handlers(self) -> Iterator[tuple[str, Method]]:
        """Return every method by name."""
        unary: tuple[Callable[..., object], ...] = (self.echo, self.fail, self.hang)
        for method in unary:
            yield method.__name__, grpc.unary_unary_rpc_method_handler(method)
        yield "count", grpc.unary_stream_rpc_method_handler(self.count)
        yield "chat", grpc.stream_stream_rpc_method_handler(self.chat)
        yield "total", grpc.stream_unary_rpc_method_handler(self.total)


@asynccontextmanager
async def grpc_shapes() -> AsyncIterator[GrpcShapes]:
    """Run the application on a free loopback port."""
    app = GrpcShapes()
    async with methods_of(SERVICE, dict(app.handlers())) as app.port:
        yield app
