"""Between a fan-out and what serves its streams: in batches, what happens there and what is due."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

import grpc
import structlog

from controlplane.discovery.session import Session
from controlplane.errors import (
    ControlPlaneError,
    DismissedError,
    ImpersonationError,
    ProtocolError,
    ReplacedError,
    ReviewError,
    TokenError,
    TooManyResourcesError,
)
from sidecar.fanout import CLOSED, OPENED, RECEIVED

SLICE: Final = 256
"""Events, and streams that are looked at, before others get their turn on the loop."""

_CODES: Final = {
    ProtocolError: grpc.StatusCode.INVALID_ARGUMENT,
    TooManyResourcesError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ReplacedError: grpc.StatusCode.ABORTED,
    DismissedError: grpc.StatusCode.UNAVAILABLE,
    ImpersonationError: grpc.StatusCode.PERMISSION_DENIED,
    ReviewError: grpc.StatusCode.UNAVAILABLE,
    TokenError: grpc.StatusCode.UNAUTHENTICATED,
}

log = structlog.get_logger()


class Fanout(Protocol):
    """What carries the streams: each has a number, is opened, says something, and is closed."""

    def fileno(self) -> int:
        """What is readable when there is something to take."""
        ...

    def take(self) -> list[tuple[int, int, bytes]]:
        """What happened since: on which stream, what, and the bytes of that."""
        ...

    def accept(self, stream: int, /) -> None:
        """Tells a sidecar that it is connected."""
        ...

    def send(self, streams: list[int], message: bytes, /) -> None:
        """Sends a message to any number of them."""
        ...

    def end(self, stream: int, code: int, reason: str, /) -> None:
        """Ends a stream with a status."""
        ...


class Server(Protocol):
    """What serves the streams."""

    async def greet(self, session: Session, token: str) -> None:
        """Begins with a stream; raises a `ControlPlaneError` to refuse it."""
        ...

    def take(self, session: Session, message: bytes) -> None:
        """Takes a message after the greeting; raises a `ControlPlaneError` to end the stream."""
        ...

    def find_next(self, session: Session) -> bytes | None:
        """The message to send now, if there is one: the same object for all that are sent the same."""
        ...

    def leave(self, session: Session) -> None:
        """A stream is over, greeted or not."""
        ...


class Carrier:
    """Carries the streams of one fan-out, on the running loop."""

    def __init__(self, fanout: Fanout, server: Server, greetings: asyncio.TaskGroup) -> None:
        self._fanout = fanout
        self._server = server
        self._greetings = greetings
        self._loop = asyncio.get_running_loop()
        self._sessions: dict[int, Session] = {}
        self._events: deque[tuple[int, int, bytes]] = deque()
        self._awake: deque[Session] = deque()
        self._loop.add_reader(fanout.fileno(), self._take)

    def close(self) -> None:
        """Carries nothing any more: every stream is over."""
        self._loop.remove_reader(self._fanout.fileno())
        self._events.clear()
        for session in tuple(self._sessions.values()):
            self._close(session)

    def accept(self, session: Session) -> None:
        """Tells a sidecar that it is connected, though nothing may be new; takes what it said meanwhile."""
        self._fanout.accept(session.number)
        early, session.early, session.greeting = session.early, None, None
        while early and not early.empty():
            self._pass(session, early.get_nowait())

    def wake(self, session: Session) -> None:
        """There may be something to send to a sidecar; it is looked for once the loop is here again."""
        if not self._awake:
            self._loop.call_soon(self._send)
        self._awake.append(session)

    def end(self, session: Session, error: Exception) -> None:
        """Ends a stream."""
        code = _CODES.get(type(error), grpc.StatusCode.INTERNAL)
        self._fanout.end(session.number, code.value[0], str(error))
        self._loop.call_soon(self._close, session)  # whoever ends many goes through all of them

    def _take(self) -> None:
        """Takes all there is; when that is much, nothing is taken again until it is done."""
        self._events.extend(self._fanout.take())
        if self._has_more():
            self._loop.remove_reader(self._fanout.fileno())
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._has_more():
            self._loop.call_soon(self._go_on)
        else:
            self._loop.add_reader(self._fanout.fileno(), self._take)

    def _has_more(self) -> bool:
        """Whether anything is left after one slice."""
        for _ in range(min(SLICE, len(self._events))):
            self._happened(*self._events.popleft())
        return bool(self._events)

    def _happened(self, number: int, what: int, content: bytes) -> None:
        if what == OPENED:
            self._open(number, content.decode(errors="replace").removeprefix("Bearer "))
        elif session := self._sessions.get(number):
            if what == RECEIVED:
                self._pass(session, content)
            elif what == CLOSED:
                self._close(session)

    def _open(self, number: int, token: str) -> None:
        session = self._sessions[number] = Session(number, self)

        async def greet() -> None:
            try:
                await self._server.greet(session, token)
            except Exception as error:  # noqa: BLE001 (one stream's, and never the end of the others)
                self._refuse(session, error)

        session.greeting = self._greetings.create_task(greet())

    def _pass(self, session: Session, message: bytes) -> None:
        try:
            if not session.keep(message):
                self._server.take(session, message)
        except Exception as error:  # noqa: BLE001 (as above)
            self._refuse(session, error)

    def _refuse(self, session: Session, error: Exception) -> None:
        if isinstance(error, ControlPlaneError):
            log.warning("stream refused", reason=str(error))
        else:
            log.error("stream failed", exc_info=error)
        self.end(session, error)

    def _close(self, session: Session) -> None:
        if self._sessions.pop(session.number, None) is None:
            return
        if session.greeting:
            session.greeting.cancel()
        self._server.leave(session)

    def _send(self) -> None:
        """Sends what is due, the same to all that are due the same."""
        readers: dict[bytes, list[int]] = {}
        for _ in range(min(SLICE, len(self._awake))):
            session = self._awake.popleft()
            session.is_awake = False
            if message := self._find_next(session):
                readers.setdefault(message, []).append(session.number)
        for message, numbers in readers.items():
            self._fanout.send(numbers, message)
        if self._awake:
            self._loop.call_soon(self._send)

    def _find_next(self, session: Session) -> bytes | None:
        try:
            return self._server.find_next(session)
        except Exception as error:  # noqa: BLE001 (as above)
            self._refuse(session, error)
            return None
