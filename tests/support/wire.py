"""Writing to a socket in ways that a well-behaved peer would not."""

import asyncio
import socket
import struct

# Long enough for the reader on the same machine to take one write before the next arrives. Where that would
# add up to minutes, the writer only gives way: then some reads get a few bytes.
STEP_PAUSE_SECONDS = 0.0002
MAX_STEPS_WITH_PAUSE = 2000

_LINGER_NOT = struct.pack("ii", 1, 0)


async def send_in_steps(writer: asyncio.StreamWriter, data: bytes, step_bytes: int | None) -> None:
    """Write `data`, `step_bytes` a write so that as little is read at once; `None` writes it whole."""
    if step_bytes is None:
        writer.write(data)
        await writer.drain()
        return
    send_at_once(writer)
    pause_seconds = STEP_PAUSE_SECONDS if len(data) <= MAX_STEPS_WITH_PAUSE * step_bytes else 0
    for at in range(0, len(data), step_bytes):
        writer.write(data[at : at + step_bytes])
        await writer.drain()
        await asyncio.sleep(pause_seconds)


def send_at_once(writer: asyncio.StreamWriter) -> None:
    """Turn off Nagle's algorithm, so that each write is a segment."""
    _socket(writer).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST instead of FIN."""
    _socket(writer).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    writer.transport.abort()


def _socket(writer: asyncio.StreamWriter) -> socket.socket:
    found: socket.socket = writer.get_extra_info("socket")
    return found
