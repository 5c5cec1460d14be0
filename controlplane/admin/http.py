"""The HTTP side: measurements for Prometheus, and whether the control plane lives and is ready.

Little enough to be answered by hand: no request has a body that matters, a connection ends with its answer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from controlplane.config import Address
from controlplane.sockets import listener
from registry.families import CONTENT_TYPE, Collector, encode

Checks = Callable[[], Mapping[str, bool]]
"""What must hold for the control plane to be ready, by name."""

_HEAD_BYTES = 16 << 10
_AT_ONCE = 64
"""Requests that are read or answered at a time; whoever comes then waits."""

_SECONDS = 10
"""Time to send a request, and again to take its answer."""

_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The head of a request; nothing depends on its fields."""

    method: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and a body."""

    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _TEXT
    body: bytes

    def encode(self, *, has_body: bool) -> bytes:
        """The bytes to send, as the last on the connection."""
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\nContent-Type: {self.content_type}\r\n"
            f"Content-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + (self.body if has_body else b"")


@asynccontextmanager
async def serving_http(address: Address, measured: Collector, checks: Checks) -> AsyncIterator[Address]:
    """Serves until the block ends; yields the address that was bound.

    Raises:
        ListenError: the address cannot be listened on.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):  # whoever leaves needs no answer
            async with turns:
                await _exchange(reader, writer, lambda request: answer(request, measured, checks))
        writer.close()

    place = listener("--http", address)
    async with await asyncio.start_server(serve, sock=place, limit=_HEAD_BYTES) as server:
        yield Address(host=address.host, port=server.sockets[0].getsockname()[1])


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Callable[[Request], Answer]
) -> None:
    async with asyncio.timeout(_SECONDS):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request = parse(head)
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, ValueError):
            request = None
    found = respond(request) if request else Answer(status=HTTPStatus.BAD_REQUEST, body=b"")
    writer.write(found.encode(has_body=request is None or request.method != "HEAD"))
    async with asyncio.timeout(_SECONDS):
        await writer.drain()


def parse(head: bytes) -> Request:
    """The head of a request.

    Raises:
        ValueError: it is none.
    """
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"expected HTTP/1.1, found {version!r}")
    if not all(":" in line for line in lines):
        raise ValueError("expected fields with a colon")
    return Request(method=method, target=target)


def answer(request: Request, measured: Collector, checks: Checks) -> Answer:
    """What a request asks for."""
    if request.method not in ("GET", "HEAD"):
        return Answer(status=HTTPStatus.METHOD_NOT_ALLOWED, body=b"expected GET or HEAD\n")
    target = urlsplit(request.target)
    match target.path:
        case "/metrics":
            return Answer(content_type=CONTENT_TYPE, body=encode(measured.collect()))
        case "/healthz":
            return Answer(body=b"ok\n")
        case "/readyz":
            is_verbose = "verbose" in parse_qs(target.query, keep_blank_values=True)
            return _readiness(checks(), is_verbose=is_verbose)
        case _:
            return Answer(status=HTTPStatus.NOT_FOUND, body=b"expected /metrics, /healthz or /readyz\n")


def _readiness(found: Mapping[str, bool], *, is_verbose: bool) -> Answer:
    is_ready = all(found.values())
    text = "ready\n" if is_ready else "not ready\n"
    if is_verbose:
        text = "".join(f"{'ok' if holds else 'no'}: {name}\n" for name, holds in found.items()) + text
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(status=status, body=text.encode())
