"""Treating a socket in ways that a well-behaved peer would not."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Write: TypeAlias = Callable[[bytes], Awaitable[None]]

# Long enough for the reader on the same machine to take one write before the next arrives. Where that would
# add up to minutes, the writer only gives way: then some reads get a few bytes.
STEP_PAUSE_SECONDS = 0.0002
MAX_STEPS_WITH_PAUSE = 2000

_NO_LINGER = struct.pack("ii", 1, 0)


async def send_in_steps(write: Write, data: bytes, step_bytes: int | None) -> None:
    """Write `data`, `step_bytes` a write so that as little is read at once; `None` writes it whole."""
    if step_bytes is None:
        await write(data)
        return
    pause_seconds = STEP_PAUSE_SECONDS if len(data) <= MAX_STEPS_WITH_PAUSE * step_bytes else 0
    for at in range(0, len(data), step_bytes):
        await write(data[at : at + step_bytes])
        await asyncio.sleep(pause_seconds)


def reset_when_closed(connection: socket.socket) -> None:
    """Let the connection end with RST instead of FIN, as a crash ends it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
