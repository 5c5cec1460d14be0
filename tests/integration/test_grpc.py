"""gRPC from client to application through both sidecars: the caller's outbound, the callee's inbound half."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from tests.support.grpc_shapes import SERVICE, TRAILER, GrpcShapes, grpc_shapes
from tests.support.mesh import controlplane, sidecar
from tests.support.ports import free_port
from tests.support.readiness import that, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPTIONS = (("grpc.default_authority", "echo.test"),)


class Client:
    """Calls the application's methods over one channel to the caller's sidecar."""

    def __init__(self, channel: grpc.aio.Channel, outbound: str) -> None:
        """Call over `channel` to the sidecar's outbound address."""
        self.channel = channel
        self.outbound = outbound

    def unary(self, name: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
        """Return a method with one request and one answer."""
        return self.channel.unary_unary(f"/{SERVICE}/{name}")

    async def failing(
        self, name: str, request: bytes, *, deadline_seconds: float | None = None
    ) -> grpc.aio.AioRpcError:
        """Return the error that a call ends with."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.unary(name)(request, timeout=deadline_seconds)
        return caught.value


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Client, GrpcShapes]]:
    """The application, a sidecar on each side, and a client whose calls go through both."""
    scratch = tmp_path_factory.mktemp("grpc")
    policies = scratch / "policies"
    policies.mkdir()
    async with (
        grpc_shapes() as app,
        controlplane(scratch, policies) as plane,
        sidecar(scratch, "test/echo", app_port=app.port, discovery=plane.discovery) as callee,
        sidecar(scratch, "test/caller", app_port=free_port(), discovery=plane.discovery) as caller,
        grpc.aio.insecure_channel(f"127.0.0.1:{caller.outbound}", options=OPTIONS) as channel,
    ):
        client = Client(channel, f"127.0.0.1:{caller.outbound}")
        await callee.ready()
        await caller.ready()
        await until(lambda: _answers(client))
        yield client, app


@pytest.fixture
def client(mesh: tuple[Client, GrpcShapes]) -> Client:
    return mesh[0]


@pytest_asyncio.fixture(loop_scope="module")
async def app(mesh: tuple[Client, GrpcShapes]) -> GrpcShapes:
    """The application, as if nobody had called it yet."""
    _, app = mesh
    await until(that(lambda: app.hanging == 0))
    app.metadata.clear()
    app.cancelled = 0
    return app


async def _answers(client: Client) -> bool:
    try:
        return await client.unary("echo")(b"ready") == b"ready"
    except grpc.aio.AioRpcError:
        return False


async def test_unary_calls_keep_message_and_metadata(client: Client, app: GrpcShapes) -> None:
    call = client.unary("echo")(b"hello", metadata=(("x-ask", "this"), ("x-bin-bin", b"\x00\xff")))
    assert await call == b"hello"
    assert ("x-initial", "sent") in tuple(await call.initial_metadata() or ())
    trailing = tuple(await call.trailing_metadata() or ())
    assert TRAILER in trailing
    assert ("x-asked", "this") in trailing
    assert app.metadata[0]["x-bin-bin"] == str(b"\x00\xff")
    assert not any(key.startswith("breakwater-via") for key, _ in trailing)


async def test_statuses_and_their_messages_pass_through(client: Client) -> None:
    for code in set(grpc.StatusCode) - {grpc.StatusCode.OK}:
        error = await client.failing("fail", str(code.value[0]).encode())
        assert error.code() is code
        assert error.details() == f"asked for {code.name}: 100 %"
        assert TRAILER in tuple(error.trailing_metadata() or ())


async def test_a_deadline_ends_the_call_on_both_sides(client: Client, app: GrpcShapes) -> None:
    async def ends_on_both_sides() -> bool:
        error = await client.failing("hang", b"", deadline_seconds=0.3)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        return app.cancelled > 0  # unless it did not come that far in time

    await until(ends_on_both_sides)


async def test_a_client_that_cancels_has_the_call_cancelled_at_the_application(
    client: Client, app: GrpcShapes
) -> None:
    call = client.unary("hang")(b"")
    await until(that(lambda: app.hanging == 1))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(that(lambda: app.cancelled == 1))


async def test_streams_from_the_server_arrive_whole_and_in_order(client: Client) -> None:
    count: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = client.channel.unary_stream(f"/{SERVICE}/count")
    numbers = [int.from_bytes(message[:4], "big") async for message in count(b"2000")]
    assert numbers == list(range(2000))


async def test_streams_from_the_client_arrive_whole(client: Client) -> None:
    total: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = client.channel.stream_unary(f"/{SERVICE}/total")
    assert await total(iter([b"x" * 100_000] * 30)) == b"3000000"


async def test_both_sides_talk_in_turn(client: Client) -> None:
    method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = client.channel.stream_stream(
        f"/{SERVICE}/chat"
    )
    chat = method()
    for number in range(50):
        await chat.write(str(number).encode())
        assert await chat.read() == str(number).encode()
    await chat.done_writing()
    assert await chat.read() is grpc.aio.EOF
    assert await chat.code() is grpc.StatusCode.OK


async def test_many_calls_at_once_all_come_back(client: Client) -> None:
    echo = client.unary("echo")
    answers = await asyncio.gather(*(echo(str(number).encode()) for number in range(500)))
    assert answers == [str(number).encode() for number in range(500)]


async def test_a_refusal_of_the_sidecar_names_its_reason(client: Client) -> None:
    options = (("grpc.default_authority", "nobody.test"),)
    async with grpc.aio.insecure_channel(client.outbound, options=options) as channel:
        error = await Client(channel, client.outbound).failing("echo", b"", deadline_seconds=30)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert error.details() == "route.none"
