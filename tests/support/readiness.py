"""Waiting for a condition to hold, and the conditions that tests wait for most."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Condition: TypeAlias = Callable[[], Awaitable[bool]]

POLL_SECONDS = 0.02


async def until(condition: Condition, *, timeout_seconds: float = 30) -> None:
    """Return once `condition` holds; it is asked every 20 ms.

    Raises:
        TimeoutError: It did not hold within `timeout_seconds`.
    """
    async with asyncio.timeout(timeout_seconds):
        while not await condition():  # noqa: ASYNC110 (what is awaited lives in another process)
            await asyncio.sleep(POLL_SECONDS)


def that(fact: Callable[[], bool]) -> Condition:
    """Return the condition that a plain fact is true."""

    async def holds() -> bool:
        return fact()

    return holds


def no_longer(condition: Condition) -> Condition:
    """Return the condition that another one does not hold."""

    async def holds() -> bool:
        return not await condition()

    return holds


def listening(port: int) -> Condition:
    """Return the condition that somebody accepts connections on a loopback port."""

    async def holds() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    return holds


def answering(port: int, *, host: str = "localhost", path: str = "/") -> Condition:
    """Return the condition that a GET of `path` on a loopback port ends in status 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()

    async def holds() -> bool:
        try:
            return (await _status_line(port, request)).startswith(b"HTTP/1.1 200")
        except (OSError, TimeoutError):
            return False

    return holds


async def _status_line(port: int, request: bytes) -> bytes:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            return await reader.readline()
        finally:
            writer.close()
