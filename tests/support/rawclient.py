"""An HTTP/1.1 client that sends exactly the bytes it is given, in pieces of any size."""

import asyncio
import contextlib
import socket
from types import TracebackType
from typing import Self

from tests.support.framing import Message, first_message
from tests.support.wire import reset_when_closed, send_in_steps

READ_BYTES = 65536


class RawClient:
    """One connection to a loopback port, or a `connected` socket, from `async with` entry to exit.

    It reads all the time, so that an answer that comes before a reset is never lost.
    """

    def __init__(
        self, port: int = 0, *, connected: socket.socket | None = None, timeout_seconds: float = 30
    ) -> None:
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._is_connected = connected is not None
        self._socket = connected or socket.socket()
        self._unread = b""
        self._news = asyncio.Event()
        self._has_ended = False
        self._reading: asyncio.Task[None] | None = None
        self.was_reset = False

    async def __aenter__(self) -> Self:
        self._socket.setblocking(False)  # noqa: FBT003 (the socket's own signature)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        try:
            if not self._is_connected:
                await loop.sock_connect(self._socket, ("127.0.0.1", self._port))
        except OSError:
            self._socket.close()
            raise
        self._reading = loop.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        self._socket.close()

    async def send(self, data: bytes, *, step_bytes: int | None = None) -> None:
        """Send bytes, `step_bytes` a write; what a peer that has closed no longer takes is dropped."""
        with contextlib.suppress(ConnectionError):
            await send_in_steps(self._write, data, step_bytes)

    def finish(self) -> None:
        """Say that nothing more will be sent, while still reading."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Let the connection end with RST on exit, as a crash ends it."""
        reset_when_closed(self._socket)

    async def response(self, *, method: str = "GET") -> Message:
        """Return the next whole response.

        Raises:
            EOFError: The other side closed before it was whole.
            FramingError: It is not well formed.
            TimeoutError: It did not come in time.
        """
        async with asyncio.timeout(self._timeout_seconds):
            while (message := first_message(self._unread, has_body=method != "HEAD")) is None:
                if self._has_ended:
                    raise EOFError(f"expected a response, found {self._unread!r} and the end")
                await self._next_news()
        self._unread = self._unread[message.length :]
        return message

    async def rest(self) -> bytes:
        """Return what is left until the other side closes.

        Raises:
            TimeoutError: It stayed open.
        """
        async with asyncio.timeout(self._timeout_seconds):
            while not self._has_ended:
                await self._next_news()
        rest, self._unread = self._unread, b""
        return rest

    async def ask(
        self, path: str = "/", *, host: str, method: str = "GET", body: str = "", **headers: str
    ) -> None:
        """Send one request; `_` in the name of a header stands for `-`."""
        fields = {"host": host, **headers, **({"content-length": str(len(body))} if body else {})}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        await self.send("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", body]).encode())

    async def _write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(self._socket, READ_BYTES):
                self._unread += data
                self._news.set()
        except ConnectionError:
            self.was_reset = True
        self._has_ended = True
        self._news.set()


async def fetch(
    port: int, path: str = "/", *, host: str, method: str = "GET", body: str = "", **headers: str
) -> Message:
    """Return the response to one request on a connection of its own; raises as `RawClient.response` does."""
    async with RawClient(port) as client:
        await client.ask(path, host=host, method=method, body=body, **headers)
        return await client.response(method=method)
