"""Servers of protocols that are not HTTP, on a socket that listens in a namespace."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from tests.support.listening import listening

Connect: TypeAlias = Callable[[], Awaitable[socket.socket]]
GREETING = b"220 ready\r\n"


@asynccontextmanager
async def greeting(listener: socket.socket) -> AsyncIterator[None]:
    """Speak first; then say back each thing that is said, until the other side has no more to say."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        await _say_back(reader, writer)

    async with listening(serve, listener=listener):
        yield


@asynccontextmanager
async def summing(listener: socket.socket) -> AsyncIterator[None]:
    """Say how many bytes came, once no more come."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(len(await reader.read())).encode())
        writer.close()

    async with listening(serve, listener=listener):
        yield


@asynccontextmanager
async def relaying(listener: socket.socket, connect: Connect) -> AsyncIterator[None]:
    """Carry each connection on to where `connect` leads: from one namespace into another, say."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        further, back = await asyncio.open_connection(sock=await connect())
        async with asyncio.TaskGroup() as ways:
            ways.create_task(_carry(reader, back))
            ways.create_task(_carry(further, writer))

    async with listening(serve, listener=listener):
        yield


async def loopback(port: int) -> socket.socket:
    """Return a socket that is connected outside of every pod."""
    found = socket.socket()
    found.setblocking(False)  # noqa: FBT003 (the socket's own signature)
    await asyncio.get_running_loop().sock_connect(found, ("127.0.0.1", port))
    return found


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _say_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
