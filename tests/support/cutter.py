"""Passes connections on to a server, and cuts them when told: what was asked is done, but unheard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.listening import listening

CHUNK_BYTES = 1 << 16


class Cutter:
    """A server on loopback that passes everything on to another; its port is `port`."""

    def __init__(self, target: int, tasks: asyncio.TaskGroup) -> None:
        self.port = 0
        self._target = target
        self._tasks = tasks
        self._callers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Cuts every connection on the side of the caller; what was sent still arrives."""
        for caller in self._callers:
            caller.transport.abort()
        self._callers.clear()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes one connection on."""
        self._callers.add(writer)
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._target)
        there = self._tasks.create_task(_pump(reader, upstream))
        back = self._tasks.create_task(_pump(upstream_reader, writer))
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((there, back), timeout=0.1)
        for task, end in ((there, upstream), (back, writer)):
            task.cancel()
            end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def cutting(target: int) -> AsyncIterator[Cutter]:
    """Pass connections on to a loopback port."""
    async with asyncio.TaskGroup() as tasks:
        cutter = Cutter(target, tasks)
        async with listening(cutter.accept) as cutter.port:
            yield cutter
