"""How long a server keeps its clients."""

import asyncio
from contextlib import AsyncExitStack

import grpc.aio
from grpc_health.v1 import health_pb2

from controlplane.config import Address
from controlplane.listen import Lifetimes, listening

LOOPBACK = Address(host="127.0.0.1", port=0)
SHORT = Lifetimes(age=0.2, age_grace=0.2)
SERVING = health_pb2.HealthCheckResponse.SERVING
PATIENCE_SECONDS = 30


Watch = grpc.aio.UnaryStreamCall[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]


def watch(channel: grpc.aio.Channel) -> Watch:
    """A stream that ends only with its server."""
    method: grpc.aio.UnaryStreamMultiCallable[
        health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
    ] = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return method(health_pb2.HealthCheckRequest())


async def test_client_is_asked_to_leave_after_a_while_and_cut_after_a_grace() -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        listening("--listen", LOOPBACK, (), lifetimes=SHORT) as listener,
        grpc.aio.insecure_channel(str(listener)) as channel,
    ):
        call = watch(channel)
        assert (await anext(aiter(call))).status == SERVING
        ready = grpc.ChannelConnectivity.READY
        await channel.wait_for_state_change(ready)  # asked: the next call takes another connection
        assert not call.done()
        assert await call.code() is grpc.StatusCode.UNAVAILABLE


async def test_client_is_told_that_the_server_leaves_before_it_is_cut() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), AsyncExitStack() as block:
        lifetimes = Lifetimes(stop_grace=0.2)
        listener = await block.enter_async_context(listening("--listen", LOOPBACK, (), lifetimes=lifetimes))
        async with grpc.aio.insecure_channel(str(listener)) as channel:
            call = watch(channel)
            answers = aiter(call)
            assert (await anext(answers)).status == SERVING
            await block.aclose()
            assert (await anext(answers)).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
