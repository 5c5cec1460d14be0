"""HTTP/2 by hand, frame by frame: for clients that do what no library would."""

import asyncio
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING = 0x0, 0x1, 0x3, 0x4, 0x6
END_HEADERS: Final = 0x4
_HEAD_BYTES: Final = 9


def frame(kind: int, *, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def opening(path: str, stream: int) -> bytes:
    """The head of a call of gRPC; every field is a literal, so that no state is shared."""
    indexed = bytes([0x83, 0x86])  # POST, http
    literals = _literal(4, path) + _literal(1, "localhost") + _literal(31, "application/grpc")
    return frame(HEADERS, flags=END_HEADERS, stream=stream, payload=indexed + literals)


def message(content: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    """A message of gRPC; its head says that it is compressed, or another length, if told so."""
    size = len(content) if length is None else length
    return bytes([flag]) + size.to_bytes(4) + content


async def receive(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """The next frame: its kind, its stream, its payload.

    Raises:
        EOFError: there is none.
    """
    head = await reader.readexactly(_HEAD_BYTES)
    payload = await reader.readexactly(int.from_bytes(head[:3]))
    return head[3], int.from_bytes(head[5:9]), payload


def _literal(index: int, value: str) -> bytes:
    """A field whose name is in the static table, never indexed."""
    prefix = bytes([index]) if index < 15 else bytes([15, index - 15])
    return prefix + bytes([len(value)]) + value.encode()
