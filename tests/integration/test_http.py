"""The HTTP side over real sockets, and those who only hold on to them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

from controlplane.admin.http import CONNECTIONS_MAX, serving_http
from controlplane.config import Address
from controlplane.counters import Counter

PATIENCE_SECONDS = 30
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def served() -> AsyncIterator[Address]:
    seen = Counter("seen_total", "What was seen.")
    async with serving_http(Address(host="127.0.0.1", port=0), seen, dict) as address:
        yield address


async def connect(address: Address) -> Connection:
    return await asyncio.open_connection(address.host, address.port)


async def ask(address: Address, target: str) -> bytes:
    """Return the first line of an answer."""
    reader, writer = await connect(address)
    with closing(writer):
        writer.write(f"GET {target} HTTP/1.1\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE_SECONDS):
            return (await reader.read()).splitlines()[0]


async def test_who_says_nothing_keeps_nobody_out() -> None:
    async with served() as address:
        idle = [await connect(address) for _ in range(CONNECTIONS_MAX)]
        assert await ask(address, "/healthz") == b"HTTP/1.1 200 OK"
        reader, _ = idle[0]
        with suppress(ConnectionError):
            assert await reader.read() == b""  # it made room
        assert not any(reader.at_eof() for reader, _ in idle[1:])
        for _, writer in idle:
            writer.close()


async def test_who_asks_for_nonsense_is_told() -> None:
    async with served() as address:
        assert await ask(address, "//[") == b"HTTP/1.1 400 Bad Request"
