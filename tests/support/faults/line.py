"""A line to a server on loopback that delivers everything late, or nothing at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK_BYTES = 65536
IN_FLIGHT_MAX = 1024


class Line:
    """The port to dial instead of the server's, and how late things arrive, which may change at any time.

    `carried_bytes` is what has been carried so far, both ways together.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._lines: set[asyncio.Task[None]] = set()
        self.port = 0
        self.seconds = 0.0
        self.carried_bytes = 0
        self._is_severed = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection in both directions until either side ends it."""
        if self._is_severed:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        ways = [asyncio.create_task(self._carry(*ends)) for ends in ((reader, back), (there, writer))]
        self._lines.update(ways)
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        self._lines.difference_update(ways)

    def mend(self) -> None:
        """Take connections again."""
        self._is_severed = False

    async def sever(self) -> None:
        """End every connection, and take no other."""
        self._is_severed = True
        for way in self._lines:
            way.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop()
        flying: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT_MAX)
        landing = asyncio.create_task(_land(flying, writer))
        try:
            while data := await reader.read(CHUNK_BYTES):
                self.carried_bytes += len(data)
                await flying.put((clock.time() + self.seconds, data))
        except ConnectionError:
            pass  # as if it had ended
        finally:
            landing.cancel()
            writer.close()


async def _land(flying: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    clock = asyncio.get_running_loop()
    while True:
        due, data = await flying.get()
        await asyncio.sleep(due - clock.time())
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def line_to(target: int) -> AsyncIterator[Line]:
    """Listen on loopback for a server on loopback until the block ends."""
    line = Line(target)
    server = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        await line.sever()
