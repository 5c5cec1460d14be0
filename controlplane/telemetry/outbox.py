"""Spans that wait for a collector: bounded, and counted by what becomes of them."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from controlplane.counters import Counter

MOST_BYTES: Final = 4 << 20
"""Bytes that wait at most; what comes then is lost."""

BATCH_BYTES: Final = 1 << 20
"""Bytes from which on a batch is whole."""

REMINDER_NS: Final = 60_000_000_000
"""Time between two lines of the log about spans that are lost."""

NEXT_STEP: Final = "give control planes --otlp-endpoint http://COLLECTOR:4318"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Batch:
    """Encoded spans, and how many they are."""

    body: bytes
    spans: int


class Outbox:
    """Spans on their way from sidecars to a collector, if there is one: `has_collector`.

    `count` counts them by `result`; `now_ns` is monotonic.
    """

    def __init__(self, count: "Counter", now_ns: Callable[[], int], *, has_collector: bool) -> None:
        self._has_collector = has_collector
        self._count = count
        self._now_ns = now_ns
        self._reminded_ns: int | None = None
        self._waiting: deque[Batch] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def put(self, spans: int, encode: Callable[[], bytes]) -> None:
        """Has so many spans sent, as `encode` encodes them, or counts them as lost."""
        if not self._has_collector:
            self.lose(spans, "no collector is known", next_step=NEXT_STEP)
        elif self._bytes >= MOST_BYTES:
            self.lose(spans, "the collector takes them too slowly")
        else:
            body = encode()
            self._waiting.append(Batch(body, spans))
            self._bytes += len(body)
            self._filled.set()

    async def take(self) -> Batch:
        """The next spans to send, once there are any.

        Messages of several sidecars become one: encoded, one after the other is both together.
        """
        await self._filled.wait()
        taken, size = [self._waiting.popleft()], 0
        while self._waiting and (size := size + len(taken[-1].body)) < BATCH_BYTES:
            taken.append(self._waiting.popleft())
        if not self._waiting:
            self._filled.clear()
        body = b"".join(one.body for one in taken)
        self._bytes -= len(body)
        return Batch(body, sum(one.spans for one in taken))

    def sent(self, spans: int) -> None:
        """Counts spans that a collector took."""
        self._count.labels("exported").inc(spans)

    def lose(self, spans: int, reason: str, **fields: str) -> None:
        """Counts spans that are lost, and says so once a minute."""
        self._count.labels("lost").inc(spans)
        now_ns = self._now_ns()
        if self._reminded_ns is None or now_ns - self._reminded_ns >= REMINDER_NS:
            self._reminded_ns = now_ns
            log.warning("spans lost", reason=reason, spans=spans, **fields)
