"""The HTTP side: measurements for Prometheus, and whether the control plane lives and is ready.

Little enough to be answered by hand: no request has a body that matters, a connection ends with its answer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from controlplane.config import Address
from controlplane.sockets import listener
from registry.families import CONTENT_TYPE, Collector, encode

Checks = Callable[[], Mapping[str, bool]]
"""What must hold for the control plane to be ready, by name."""

_HEAD_BYTES = 16 << 10
CONNECTIONS_MAX = 256
"""Connections at once: the oldest makes room, so that nobody who says nothing keeps others out."""

_PAGES_MAX = 16
"""Pages of measurements, which may be large, that are written at a time; who asks for one then waits."""

_SECONDS = 10
"""Time to send a request, and again to take its answer."""

_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The head of a request; nothing depends on its fields."""

    method: str
    path: str
    query: str = ""

    @property
    def is_for_page(self) -> bool:
        """Whether it asks for the measurements."""
        return self.path == "/metrics"


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


@dataclass(slots=True)
class _Connections:
    """Those that are open, the oldest first."""

    open: dict[asyncio.StreamWriter, None] = field(default_factory=dict)

    @contextmanager
    def entered(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        """Has a connection among them until the block ends, and then closes it."""
        if len(self.open) >= CONNECTIONS_MAX:
            oldest = next(iter(self.open))
            del self.open[oldest]
            oldest.transport.abort()
        self.open[writer] = None
        try:
            yield
        finally:
            self.open.pop(writer, None)
            writer.close()


@asynccontextmanager
async def serving_http(address: Address, measured: Collector, checks: Checks) -> AsyncIterator[Address]:
    """Serves until the block ends; yields the address that was bound.

    Raises:
        ListenError: the address cannot be listened on.
    """
    connections, turns = _Connections(), asyncio.Semaphore(_PAGES_MAX)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with connections.entered(writer), suppress(OSError, TimeoutError):  # whoever leaves needs no answer
            request = await _read(reader)
            async with turns if request and request.is_for_page else nullcontext():
                await _write(writer, request, measured, checks)

    place = listener("--http", address)
    async with await asyncio.start_server(serve, sock=place, limit=_HEAD_BYTES) as server:
        yield Address(host=address.host, port=server.sockets[0].getsockname()[1])


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """The request on a connection; `None` if there is none that can be understood."""
    async with asyncio.timeout(_SECONDS):
        try:
            return parse(await reader.readuntil(b"\r\n\r\n"))
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, ValueError):
            return None


async def _write(
    writer: asyncio.StreamWriter, request: Request | None, measured: Collector, checks: Checks
) -> None:
    unread = Answer(status=HTTPStatus.BAD_REQUEST, body=b"")
    found = answer(request, measured, checks) if request else unread
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
    place = urlsplit(target)
    return Request(method=method, path=place.path, query=place.query)


def answer(request: Request, measured: Collector, checks: Checks) -> Answer:
    """What a request asks for."""
    if request.method not in ("GET", "HEAD"):
        return Answer(status=HTTPStatus.METHOD_NOT_ALLOWED, body=b"expected GET or HEAD\n")
    if request.is_for_page:
        return Answer(content_type=CONTENT_TYPE, body=encode(measured.collect()))
    match request.path:
        case "/healthz":
            return Answer(body=b"ok\n")
        case "/readyz":
            is_verbose = "verbose" in parse_qs(request.query, keep_blank_values=True)
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
