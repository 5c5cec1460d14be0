"""An HTTP/1.1 client that sends exactly the bytes it is given, in pieces of any size."""

import asyncio
from types import TracebackType
from typing import Self

from tests.support.framing import Message, first_message
from tests.support.wire import reset, send_in_steps

READ_BYTES = 65536


class RawClient:
    """One connection to a loopback port, from `async with` entry to exit."""

    def __init__(self, port: int, *, timeout_seconds: float = 5) -> None:
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._unread = b""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.was_reset = False

    async def __aenter__(self) -> Self:
        self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def send(self, data: bytes, *, step_bytes: int | None = None) -> None:
        """Send bytes, `step_bytes` a write; what a peer that has closed no longer takes is dropped."""
        try:
            await send_in_steps(self._writer, data, step_bytes)
        except ConnectionError:
            self.was_reset = True

    def finish(self) -> None:
        """Say that nothing more will be sent, while still reading."""
        if not self._writer.transport.is_closing():
            self._writer.write_eof()

    def reset(self) -> None:
        """End the connection with RST, as a crash does."""
        reset(self._writer)

    async def response(self, *, method: str = "GET") -> Message:
        """Return the next whole response.

        Raises:
            EOFError: The other side closed before it was whole.
            FramingError: It is not well formed.
            TimeoutError: It did not come in time.
        """
        async with asyncio.timeout(self._timeout_seconds):
            while (message := first_message(self._unread, has_body=method != "HEAD")) is None:
                if not (data := await self._read()):
                    raise EOFError(f"expected a response, found {self._unread!r} and the end")
                self._unread += data
        self._unread = self._unread[message.length :]
        return message

    async def rest(self) -> bytes:
        """Return what is left until the other side closes.

        Raises:
            TimeoutError: It stayed open.
        """
        async with asyncio.timeout(self._timeout_seconds):
            while data := await self._read():
                self._unread += data
        rest, self._unread = self._unread, b""
        return rest

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(READ_BYTES)
        except ConnectionError:
            self.was_reset = True
            return b""

    @property
    def _reader(self) -> asyncio.StreamReader:
        return self._open()[0]

    @property
    def _writer(self) -> asyncio.StreamWriter:
        return self._open()[1]

    def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            raise RuntimeError("the client is used outside its `async with`")
        return self._streams
