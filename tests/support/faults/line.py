"""A line to a server on loopback that delivers everything late, or nothing at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.listening import listening

CHUNK_BYTES = 65536
IN_FLIGHT_MAX = 1024


class Line:
    """The port to dial instead of the server's, and how late things arrive, which may change at any time.

    `answered_bytes` is what the server has sent so far.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._ways: set[asyncio.Task[None]] = set()
        self._is_severed = False
        self.port = 0
        self.seconds = 0.0
        self.answered_bytes = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection in both directions until either side ends it."""
        try:
            there, back = await self._dial()
        except OSError:
            writer.transport.abort()
            return
        ways = {
            asyncio.create_task(self._ask(reader, back)),
            asyncio.create_task(self._answer(there, writer)),
        }
        self._ways |= ways
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        self._ways -= ways

    def mend(self) -> None:
        """Take connections again."""
        self._is_severed = False

    async def sever(self) -> None:
        """End every connection, and take no other."""
        self._is_severed = True
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._is_severed:
            raise ConnectionRefusedError
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _flying(writer) as line:
            while data := await _read(reader):
                await line.put((_now() + self.seconds, data))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _flying(writer) as line:
            while data := await _read(reader):
                self.answered_bytes += len(data)
                await line.put((_now() + self.seconds, data))


@asynccontextmanager
async def _flying(writer: asyncio.StreamWriter) -> AsyncIterator[asyncio.Queue[tuple[float, bytes]]]:
    """Write what is put in, each when it is due, until the block ends; then close."""
    line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT_MAX)
    landing = asyncio.create_task(_land(line, writer))
    try:
        yield line
    finally:
        landing.cancel()
        writer.close()


async def _land(line: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    while True:
        due, data = await line.get()
        await asyncio.sleep(due - _now())
        writer.write(data)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Return some bytes; none once the connection has ended, well or badly."""
    try:
        return await reader.read(CHUNK_BYTES)
    except ConnectionError:
        return b""


def _now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def line_to(target: int) -> AsyncIterator[Line]:
    """Listen on loopback for a server on loopback until the block ends."""
    line = Line(target)
    async with listening(line.accept) as line.port:
        try:
            yield line
        finally:
            await line.sever()
