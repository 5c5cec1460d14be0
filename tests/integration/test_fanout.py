"""The front by itself: what it carries, what it relays, and whom it cuts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import grpc.aio
import pytest

from controlplane.errors import FrontError
from controlplane.front import outlive
from sidecar.fanout import CLOSED, OPENED, RECEIVED, Fanout
from tests.support import frames
from tests.support.readiness import until

PATH = "/test.Service/Stream"
PATIENCE_SECONDS = 30
MESSAGE_BYTES_MAX = 4 << 20
OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1))

Stream = grpc.aio.StreamStreamCall[bytes, bytes]
Event = tuple[int, int, bytes]


@dataclass
class Control:
    """What a control plane would do: takes what happens, in order."""

    fanout: Fanout
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)

    def take(self) -> None:
        for event in self.fanout.take():
            self.events.put_nowait(event)

    async def next(self) -> Event:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.events.get()


@asynccontextmanager
async def front(
    *,
    takes: bool = True,
    behind: str = "breakwater-test-nobody",
    connections: int = 100,
    standstill: float = 8.0,
) -> AsyncIterator[Control]:
    """A front with nothing behind it but who listens there; without `takes` nothing is taken by itself."""
    fanout = Fanout("127.0.0.1:0", PATH, f"\0{behind}", (60.0, 1.0, standstill), connections, None)
    control = Control(fanout)
    if takes:
        asyncio.get_running_loop().add_reader(fanout.fileno(), control.take)
    try:
        yield control
    finally:
        asyncio.get_running_loop().remove_reader(fanout.fileno())
        await asyncio.to_thread(fanout.stop, 0.0)


@asynccontextmanager
async def channel(control: Control) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{control.fanout.port}", options=OPTIONS) as opened:
        yield opened


def call(opened: grpc.aio.Channel, **arguments: object) -> Stream:
    method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = opened.stream_stream(PATH)
    return method(**arguments)  # type: ignore[arg-type]  # the stubs name each of them


@asynccontextmanager
async def raw(control: Control) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client of HTTP/2 whose frames are made by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", control.fanout.port)
    with closing(writer):
        writer.write(frames.PREFACE + frames.frame(frames.SETTINGS))
        yield reader, writer


async def cut(reader: asyncio.StreamReader) -> None:
    """Returns once the connection is over."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        with suppress(EOFError, ConnectionError):
            while True:
                await frames.receive(reader)


async def test_what_happens_on_a_stream_is_told_in_its_order() -> None:
    async with front() as control, channel(control) as opened:
        stream = call(opened, metadata=(("authorization", "Bearer mine"),))
        await stream.write(b"hello")
        number, what, token = await control.next()
        assert (what, token) == (OPENED, b"Bearer mine")
        assert await control.next() == (number, RECEIVED, b"hello")
        control.fanout.accept(number)
        assert await stream.initial_metadata() is not None
        control.fanout.send([number], b"answer")
        assert await stream.read() == b"answer"
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK
        assert await control.next() == (number, CLOSED, b"")


async def test_one_message_goes_to_all_that_are_named() -> None:
    message = bytes(200_000)  # more than a window
    async with front() as control, AsyncExitStack() as stack:
        streams, numbers = [], []
        for _ in range(20):
            opened = await stack.enter_async_context(channel(control))
            streams.append(call(opened))
            await streams[-1].write(b"hello")
            numbers.append((await control.next())[0])
            await control.next()
        control.fanout.send(numbers, message)
        assert [await stream.read() for stream in streams] == [message] * len(streams)


async def test_whoever_finds_no_place_waits_until_there_is_one() -> None:
    async with front(connections=1) as control, AsyncExitStack() as late:
        async with raw(control) as (reader, writer):
            await frames.receive(reader)
            waiting, _ = await late.enter_async_context(raw(control))
            greeting = asyncio.create_task(frames.receive(waiting))
            writer.write(frames.frame(frames.PING, payload=bytes(8)))
            while (await frames.receive(reader))[0] != frames.PING:
                pass
            assert not greeting.done()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await greeting


async def test_who_is_connected_is_cut_when_the_control_plane_stands_still() -> None:
    async with front(standstill=0.08) as control, raw(control) as (reader, _):
        control.fanout.beat()
        await cut(reader)


@pytest.mark.parametrize("is_accepted", [False, True])
async def test_stream_is_ended_with_a_reason(*, is_accepted: bool) -> None:
    async with front() as control, channel(control) as opened:
        stream = call(opened)
        number, *_ = await control.next()
        if is_accepted:
            control.fanout.accept(number)
        control.fanout.end(number, grpc.StatusCode.ABORTED.value[0], "50 % of ä")
        assert await stream.code() is grpc.StatusCode.ABORTED
        assert await stream.details() == "50 % of ä"
        assert (await control.next())[1] == CLOSED


async def test_stream_whose_client_is_gone_is_closed() -> None:
    async with front() as control:
        async with channel(control) as opened:
            call(opened)
            number, *_ = await control.next()
        assert await control.next() == (number, CLOSED, b"")
        control.fanout.send([number], b"to nobody")


async def test_who_confirms_without_reading_is_dropped() -> None:
    async with front() as control, raw(control) as (_, writer):
        writer.write(frames.opening(PATH, 1))
        number, *_ = await control.next()
        for _ in range(20):  # a window takes the first, and the bound is below the others
            control.fanout.send([number], bytes(100_000))
        assert await control.next() == (number, CLOSED, b"")


async def test_who_is_not_taken_is_not_read() -> None:
    async with front(takes=False) as control, raw(control) as (_, writer):
        content = frames.message(b"") * 1_000
        writer.write(frames.opening(PATH, 1) + frames.frame(frames.DATA, stream=1, payload=content))
        batches = []

        async def is_all_taken() -> bool:
            batches.append([what for _, what, _ in control.fanout.take()])
            return sum(batch.count(RECEIVED) for batch in batches) == 1_000

        await until(is_all_taken, timeout_seconds=PATIENCE_SECONDS)
        assert max(map(len, batches)) <= 1 + 16


@pytest.mark.parametrize("flood", ["ping", "settings", "reset"])
async def test_flood_of_frames_is_cut(flood: str) -> None:
    async with front() as control, raw(control) as (reader, writer):
        with suppress(ConnectionError):
            for number in range(2_000):
                stream = 2 * number + 1
                writer.write(
                    {
                        "ping": frames.frame(frames.PING, payload=bytes(8)),
                        "settings": frames.frame(frames.SETTINGS),
                        "reset": frames.opening(PATH, stream)
                        + frames.frame(frames.RESET, stream=stream, payload=bytes(4)),
                    }[flood]
                )
                await writer.drain()
        await cut(reader)


@pytest.mark.parametrize(
    "content", [frames.message(b"", flag=1), frames.message(b"", length=MESSAGE_BYTES_MAX + 1)]
)
async def test_message_that_is_none_ends_its_stream(content: bytes) -> None:
    async with front() as control, raw(control) as (_, writer):
        writer.write(frames.opening(PATH, 1) + frames.frame(frames.DATA, stream=1, payload=content))
        assert [(await control.next())[1] for _ in range(2)] == [OPENED, CLOSED]


@pytest.mark.parametrize(
    ("compression", "size", "code"),
    [
        (grpc.Compression.Gzip, 1_000, grpc.StatusCode.UNIMPLEMENTED),
        (grpc.Compression.NoCompression, MESSAGE_BYTES_MAX + 1, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_client_is_told_why_its_message_is_not_taken(
    compression: grpc.Compression, size: int, code: grpc.StatusCode
) -> None:
    async with front() as control:
        assert await asyncio.to_thread(answer, control.fanout.port, compression, size) is code


def answer(port: int, compression: grpc.Compression, size: int) -> grpc.StatusCode:
    """Return how a call with one message ends.

    Blocking: a stream of `grpc.aio` that ends while it is written to reports its own INTERNAL instead.
    """
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as opened:
        method: grpc.StreamStreamMultiCallable[bytes, bytes] = opened.stream_stream(PATH)
        return method(iter([bytes(size)]), compression=compression).code()


async def test_call_with_nobody_behind_is_unavailable() -> None:
    async with front() as control, channel(control) as opened:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = opened.unary_unary("/test.Other/Ask")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(b"")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_refusal_of_a_relayed_call_is_heard_by_who_has_more_to_say() -> None:
    behind = f"breakwater-test-{uuid4()}"
    silence = asyncio.Event()

    async def refuse(_requests: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")

    async def requests() -> AsyncIterator[bytes]:
        await silence.wait()
        yield b""

    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(refuse)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Other", {"Call": handler})])
    server.add_insecure_port(f"unix-abstract:{behind}")
    await server.start()
    async with front(behind=behind) as control, channel(control) as opened:
        method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = opened.stream_stream("/test.Other/Call")
        codes = [await method(requests()).code() for _ in range(50)]
    await server.stop(None)
    assert set(codes) == {grpc.StatusCode.PERMISSION_DENIED}


async def test_client_of_another_protocol_is_cut() -> None:
    async with front() as control:
        reader, writer = await asyncio.open_connection("127.0.0.1", control.fanout.port)
        with closing(writer):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await cut(reader)


async def test_front_that_has_ended_is_noticed() -> None:
    async with front() as control:
        assert not control.fanout.has_ended
        watch = asyncio.create_task(outlive(control.fanout))
        await asyncio.to_thread(control.fanout.stop, 0.0)
        with pytest.raises(FrontError):
            await watch


def test_address_that_is_taken_is_refused() -> None:
    first = Fanout("127.0.0.1:0", PATH, "\0breakwater-test-nobody", (60.0, 1.0, 1.0), 100, None)
    with pytest.raises(OSError, match="cannot listen"):
        Fanout(f"127.0.0.1:{first.port}", PATH, "\0breakwater-test-nobody", (60.0, 1.0, 1.0), 100, None)
    first.stop(0.0)


def test_certificate_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="certificate"):
        Fanout("127.0.0.1:0", PATH, "\0breakwater-test-nobody", (60.0, 1.0, 1.0), 100, (b"none", b"none"))
