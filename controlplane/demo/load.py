"""Open-loop load on the storefront, as shoppers see it.

Requests leave on schedule whether or not earlier ones have been answered, and latency counts from the
scheduled instant, so that a stalled service cannot hide behind a waiting client.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

_MAX_IN_FLIGHT = 1_000
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A steady stream of one kind of request."""

    name: str
    path: str
    per_second: float
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one request ended; status 0 when there was no answer."""

    flow: str
    at: float
    status: int
    seconds: float
    reason: str
    retry_after: str

    @property
    def ok(self) -> bool:
        """Return whether it was answered with 200."""
        return self.status == _OK


@dataclass(slots=True)
class Load:
    """Runs flows against one address and keeps every outcome."""

    base: str
    host: str
    outcomes: list[Outcome] = field(default_factory=list)
    _session: ClientSession | None = None
    _flows: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _in_flight: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            timeout=ClientTimeout(total=5),
            connector=TCPConnector(limit=_MAX_IN_FLIGHT),
            raise_for_status=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = [*self._flows.values(), *self._in_flight]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def begin(self, flow: Flow) -> None:
        """Begin a flow."""
        self._flows[flow.name] = asyncio.create_task(self._run(flow))

    async def end(self, name: str) -> None:
        """End a flow; what is in flight finishes."""
        task = self._flows.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def since(self, instant: float, *flows: str) -> list[Outcome]:
        """Return outcomes of requests scheduled since an instant, of some flows or of all."""
        return [one for one in self.outcomes if one.at >= instant and (not flows or one.flow in flows)]

    async def _run(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time()
        while True:
            if len(self._in_flight) < _MAX_IN_FLIGHT:
                task = asyncio.create_task(self._request(flow, at))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
            at += 1 / flow.per_second
            await asyncio.sleep(max(0.0, at - loop.time()))

    async def _request(self, flow: Flow, at: float) -> None:
        status, reason, retry_after = 0, "", ""
        headers = {"Host": self.host, "x-user": random.choice(flow.users)}
        try:
            if self._session is None:
                return
            async with self._session.get(self.base + flow.path, headers=headers) as answer:
                await answer.read()
                status = answer.status
                reason = answer.headers.get("Proxy-Status", "")
                retry_after = answer.headers.get("Retry-After", "")
        except (ClientError, TimeoutError) as error:
            reason = type(error).__name__
        taken = asyncio.get_running_loop().time() - at
        self.outcomes.append(
            Outcome(
                flow=flow.name, at=at, status=status, seconds=taken, reason=reason, retry_after=retry_after
            )
        )


def failures(outcomes: Iterable[Outcome]) -> int:
    """Return how many outcomes were no 200."""
    return sum(not one.ok for one in outcomes)


def quantile(values: Iterable[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
