"""A small gRPC application, and a client that says all it learnt of a refusal."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.support.grpc_serving import Context, Method, methods_of, serving

SERVICE = "test.Probe"
ECHO, FAIL, HOLD = (f"/{SERVICE}/{method}" for method in ("Echo", "Fail", "Hold"))


@dataclass(slots=True)
class GrpcApp:
    """What it was asked. `Hold` answers once `release` is set, and `Fail` sends `trailers` along."""

    port: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    requests: Counter[bytes] = field(default_factory=Counter)
    seconds_left: list[float | None] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    trailers: tuple[tuple[str, str], ...] = ()

    async def echo(self, request: bytes, context: Context) -> bytes:
        self._count("Echo", request, context)
        return request

    async def fail(self, request: bytes, context: Context) -> bytes:
        self._count("Fail", request, context)
        return await context.abort(grpc.StatusCode.UNAVAILABLE, "as told", self.trailers)

    async def hold(self, request: bytes, context: Context) -> bytes:
        self._count("Hold", request, context)
        await self.release.wait()
        return request

    def _count(self, method: str, request: bytes, context: Context) -> None:
        self.calls[method] += 1
        self.requests[request] += 1
        self.seconds_left.append(context.time_remaining())


@asynccontextmanager
async def grpc_app() -> AsyncIterator[GrpcApp]:
    """Serve an application on a loopback port."""
    app = GrpcApp()
    methods = {"Echo": app.echo, "Fail": app.fail, "Hold": app.hold}
    handlers: dict[str, Method] = {
        name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()
    }
    async with methods_of(SERVICE, handlers) as app.port:
        try:
            yield app
        finally:
            app.release.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a call ended, with the metadata that came last and the details of its status."""

    code: grpc.StatusCode
    metadata: dict[str, str | bytes]
    error: error_details_pb2.ErrorInfo | None = None
    retry: error_details_pb2.RetryInfo | None = None


async def call(port: int, method: str, *, host: str, timeout_seconds: float | None = 10) -> Answer:
    """Return how one call through a loopback port ended; it is made once, on a connection of its own."""
    options = (("grpc.default_authority", host), ("grpc.enable_retries", 0))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        return await ask(channel, method, timeout_seconds=timeout_seconds)


async def ask(
    channel: grpc.aio.Channel,
    method: str,
    request: bytes = b"hello",
    *,
    timeout_seconds: float | None = 10,
    **metadata: str,
) -> Answer:
    """Return how one call over a channel ended; `_` in the name of metadata stands for `-`."""
    calling: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    fields = [(name.replace("_", "-"), value) for name, value in metadata.items()]
    running = calling(request, timeout=timeout_seconds, metadata=fields)
    try:
        await running
    except grpc.aio.AioRpcError as error:
        return _answer(error.code(), dict(error.trailing_metadata() or ()))
    return _answer(grpc.StatusCode.OK, dict(await running.trailing_metadata() or ()))


def _answer(code: grpc.StatusCode, metadata: dict[str, str | bytes]) -> Answer:
    details = status_pb2.Status.FromString(bytes(metadata.get("grpc-status-details-bin", b"")))  # type: ignore[arg-type]
    error, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    return Answer(
        code=code,
        metadata=metadata,
        error=error if any(one.Unpack(error) for one in details.details) else None,
        retry=retry if any(one.Unpack(retry) for one in details.details) else None,
    )


@asynccontextmanager
async def grpc_health(service: str) -> AsyncIterator[tuple[int, health.aio.HealthServicer]]:
    """Serve gRPC health on a loopback port, where `service` serves."""
    servicer = health.aio.HealthServicer()
    await servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    async with serving(server) as port:
        yield port, servicer
