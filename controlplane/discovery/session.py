"""One stream as the fan-out carries it: before its sidecar is known, and while that is served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from controlplane.errors import ProtocolError

if TYPE_CHECKING:
    from controlplane.discovery.stream import Stream
    from controlplane.errors import ControlPlaneError
    from controlplane.model.identity import Identity

_HELLO_SECONDS: Final = 10
_MOST_EARLY: Final = 16
"""Messages that a sidecar may send before it is told that it is connected."""


class Line(Protocol):
    """What carries a session's bytes."""

    def wake(self, session: Session) -> None:
        """There may be something to send."""
        ...

    def end(self, session: Session, error: ControlPlaneError) -> None:
        """The stream ends, with an error that says why."""
        ...


class Session:
    """One sidecar; it has a `stream` once it was greeted, an `identity` if one is vouched for."""

    __slots__ = ("_line", "early", "greeting", "identity", "is_awake", "number", "stream")

    def __init__(self, number: int, line: Line) -> None:
        self.number = number
        self.stream: Stream | None = None
        self.identity: Identity | None = None
        self.is_awake = False
        self.early: asyncio.Queue[bytes] | None = asyncio.Queue(_MOST_EARLY)
        self.greeting: asyncio.Task[None] | None = None
        self._line = line

    def wake(self) -> None:
        """There may be something to send."""
        if not self.is_awake:
            self.is_awake = True
            self._line.wake(self)

    def end(self, error: ControlPlaneError) -> None:
        """The stream ends, with an error that says why."""
        self._line.end(self, error)

    def keep(self, message: bytes) -> bool:
        """Keeps what comes before it is known who it is from; `False` when that is known.

        Raises:
            ProtocolError: it is too much.
        """
        if self.early is None:
            return False
        try:
            self.early.put_nowait(message)
        except asyncio.QueueFull:
            raise ProtocolError(f"expected at most {_MOST_EARLY} messages before an answer") from None
        return True

    async def first(self) -> bytes:
        """The first message, which has to come at once.

        Raises:
            ProtocolError: it did not.
        """
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                return await self.early.get() if self.early else b""
        except TimeoutError as error:
            raise ProtocolError(f"expected hello within {_HELLO_SECONDS} s, found nothing") from error
