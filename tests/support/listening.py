"""A listener whose connections all end with it, those included that nobody has looked at yet."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ACCEPTING_TURNS = 4
"""Turns of the loop after which a connection that was just accepted has its protocol."""


class _Protocol(asyncio.StreamReaderProtocol):
    """The protocol of `asyncio.start_server`, whose transport is noted."""

    def __init__(self, serve: Serve, opened: set[asyncio.BaseTransport]) -> None:
        super().__init__(asyncio.StreamReader(), serve)
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._opened.add(transport)
        super().connection_made(transport)


@asynccontextmanager
async def listening(
    serve: Serve, *, listener: socket.socket | None = None, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Serve each connection to `listener`, or to an address of our own, until the block ends; gives the port.

    A connection that is not over by then is closed, and what serves it sees that it was.
    """
    loop, opened = asyncio.get_running_loop(), set[asyncio.BaseTransport]()

    def protocol() -> asyncio.BaseProtocol:
        return _Protocol(serve, opened)

    if listener is None:
        server = await loop.create_server(protocol, address, port)
    else:
        server = await loop.create_server(protocol, sock=listener)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for each in server.sockets:
            loop.remove_reader(each)  # a connection that is being accepted needs an open server
        for _ in range(ACCEPTING_TURNS):
            await asyncio.sleep(0)
        server.close()
        for transport in opened:
            transport.close()
