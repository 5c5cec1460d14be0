"""Commands to sidecars, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc.aio
import pytest

from controlplane.command.server import PENDING_MAX, CommandServer
from controlplane.errors import FailedError, NotAttachedError, TooManyCommandsError, UnansweredError
from controlplane.metrics import Metrics
from mesh.v1 import command_pb2, sidecar_admin_pb2
from tests.support.grpc_serving import serving
from tests.support.light_commands import attached

AN_HOUR = 3600
DRAIN = command_pb2.Command(drain=sidecar_admin_pb2.DrainRequest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A command server, and a channel of sidecars to it."""

    commands: CommandServer
    channel: grpc.aio.Channel


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    commands, server = CommandServer(Metrics()), grpc.aio.server()
    commands.add_to(server)
    async with serving(server) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Served(commands=commands, channel=channel)


def drained(command: command_pb2.Command) -> command_pb2.CommandResult:
    assert command.HasField("drain")
    return command_pb2.CommandResult(drain=sidecar_admin_pb2.DrainResponse(in_flight=3))


async def test_answer_comes_back_to_whoever_asked(served: Served) -> None:
    async with attached(served.channel, "web-0", drained):
        results = await asyncio.gather(*(served.commands.call("web-0", DRAIN, AN_HOUR) for _ in range(10)))
        assert {result.drain.in_flight for result in results} == {3}
        assert len({result.id for result in results}) == 10


async def test_sidecar_without_a_stream_cannot_be_asked(served: Served) -> None:
    with pytest.raises(NotAttachedError):
        await served.commands.call("web-0", DRAIN, AN_HOUR)


async def test_failure_in_the_sidecar_is_told_in_its_words(served: Served) -> None:
    async with attached(
        served.channel, "web-0", lambda _: command_pb2.CommandResult(error="no such breaker")
    ):
        with pytest.raises(FailedError, match="no such breaker"):
            await served.commands.call("web-0", DRAIN, AN_HOUR)


async def test_silence_ends_with_the_deadline(served: Served) -> None:
    async with attached(served.channel, "web-0", lambda _: None):
        with pytest.raises(UnansweredError):
            await served.commands.call("web-0", DRAIN, 0.1)


async def test_command_ends_when_its_sidecar_goes(served: Served) -> None:
    asked = asyncio.Event()
    async with attached(served.channel, "web-0", lambda _: asked.set()):
        waiting = asyncio.create_task(served.commands.call("web-0", DRAIN, AN_HOUR))
        await asked.wait()
    with pytest.raises(UnansweredError):
        await waiting


async def test_commands_that_wait_are_bounded(served: Served) -> None:
    async with attached(served.channel, "web-0", lambda _: None):
        calls = (served.commands.call("web-0", DRAIN, AN_HOUR) for _ in range(PENDING_MAX))
        waiting = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0)  # each has begun
        with pytest.raises(TooManyCommandsError):
            await served.commands.call("web-0", DRAIN, AN_HOUR)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {UnansweredError}


async def test_newer_stream_of_a_sidecar_takes_over(served: Served) -> None:
    async with (
        attached(served.channel, "web-0", lambda _: None),
        attached(served.channel, "web-0", drained),
    ):
        result = await served.commands.call("web-0", DRAIN, AN_HOUR)
        assert result.drain.in_flight == 3
