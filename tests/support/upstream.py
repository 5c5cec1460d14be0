"""An upstream that logs every byte it gets, per connection, and answers as its script says, well or badly."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias

from tests.support.framing import FramingError, Message, first_message
from tests.support.listening import listening
from tests.support.wire import Write, reset_when_closed, send_in_steps

READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Send:
    """Write bytes; with `step` that many at a time, each a write of its own."""

    data: bytes
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for a while; `None` waits until the other side closes."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """Do nothing until the test lets it go on."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection with RST, as a crash does."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection with FIN."""


Step: TypeAlias = Send | Pause | Until | Reset | Close
Script: TypeAlias = tuple[Step, ...]
Answer: TypeAlias = Callable[[Message], Script]


def response(status: int = 200, body: bytes = b"ok", *, fields: bytes = b"") -> bytes:
    """Return a well-formed response; `fields` are whole lines with their ends."""
    length = f"Content-Length: {len(body)}\r\n".encode()
    return f"HTTP/1.1 {status} Scripted\r\n".encode() + fields + length + b"\r\n" + body


OK: Script = (Send(response()),)
GARBAGE: Script = (Send(b"\x15\x03\x01\x00\x02\x02\x50 this is not HTTP\r\n\r\n"), Close())
RESET_IN_BODY: Script = (Send(response(body=b"x" * 1000)[:-500]), Pause(0.05), Reset())
NO_ANSWER: Script = (Pause(),)


def slow(seconds: float) -> Script:
    """Return the script that answers well, but late."""
    return (Pause(seconds), Send(response()))


@dataclass(slots=True)
class ConnectionLog:
    """What one connection brought: every byte, the whole requests among them, and what was no request."""

    received: bytearray = field(default_factory=bytearray)
    requests: list[Message] = field(default_factory=list)
    malformed: FramingError | None = None
    is_open: bool = True


class ScriptedUpstream:
    """A listener on loopback, from `async with` entry to exit; each whole request is answered by `answer`.

    A connection that brings something that is no request is closed, with the cause in its log.
    """

    def __init__(
        self,
        answer: Answer = lambda _: OK,
        *,
        port: int = 0,
        address: str = "127.0.0.1",
        listener: socket.socket | None = None,
    ) -> None:
        self.answer = answer
        self.listener = listener
        self.port = port
        self.address = address
        self.connections: list[ConnectionLog] = []
        self._listening = AsyncExitStack()
        self._served: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        here = listening(self._accept, listener=self.listener, address=self.address, port=self.port)
        self.port = await self._listening.enter_async_context(here)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def end(self) -> None:
        """Close the listener and every connection, as a process does that ends."""
        await self._listening.aclose()
        for task in self._served:
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    @property
    def received(self) -> bytes:
        """Every byte of every connection, in order of connections."""
        return b"".join(bytes(log.received) for log in self.connections)

    @property
    def requests(self) -> tuple[Message, ...]:
        """Every whole request, in order of connections."""
        return tuple(request for log in self.connections for request in log.requests)

    def forget(self) -> None:
        """Empty the logs, and drop those of connections that have ended."""
        self.connections = [log for log in self.connections if log.is_open]
        for log in self.connections:
            log.received.clear()
            log.requests.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._served.add(task)
            task.add_done_callback(self._served.discard)
        log = ConnectionLog()
        self.connections.append(log)
        try:
            await self._serve(reader, writer, log)
        except FramingError as error:
            log.malformed = error
        except ConnectionError:
            pass  # the other side left; its log says how far it came
        finally:
            log.is_open = False
            writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: ConnectionLog
    ) -> None:
        unanswered = b""
        while data := await reader.read(READ_BYTES):
            log.received += data
            unanswered += data
            while (request := first_message(unanswered)) is not None:
                unanswered = unanswered[request.length :]
                log.requests.append(request)
                for step in self.answer(request):
                    await _play(step, reader, writer, log)


def _writing(writer: asyncio.StreamWriter) -> Write:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def write(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    return write


async def _play(
    step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: ConnectionLog
) -> None:
    match step:
        case Send(data, step_bytes):
            await send_in_steps(_writing(writer), data, step_bytes)
        case Pause(None):
            while data := await reader.read(READ_BYTES):
                log.received += data
        case Pause(float() | int() as seconds):
            await asyncio.sleep(seconds)
        case Until(event):
            await event.wait()
        case Reset():
            reset_when_closed(writer.get_extra_info("socket"))
            writer.transport.abort()
            raise ConnectionResetError
        case Close():
            writer.close()
            raise ConnectionAbortedError
