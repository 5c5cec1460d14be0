"""Open-loop load: calls begin when they are due, however slow the ones before them are.

Latency counts from the instant at which a call was due, so that a stalled server cannot hide its stall by
holding up the generator.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

import aiohttp

Call: TypeAlias = Callable[[], Awaitable[int]]

MAX_IN_FLIGHT = 2000


@dataclass(slots=True)
class LoadReport:
    """What a load saw: a latency in ns and a status for each answer; failures by the name of their error."""

    latencies_ns: list[int] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def offered(self) -> int:
        """Calls that were due, answered or not."""
        return self.statuses.total() + self.failures.total()

    @property
    def succeeded(self) -> int:
        """Answers with a status below 400."""
        return sum(count for status, count in self.statuses.items() if status < 400)

    def quantile_ms(self, share: float) -> float:
        """Return the latency that `share` (0 to 1) of the answers did not exceed.

        Raises:
            ValueError: There was no answer.
        """
        if not self.latencies_ns:
            raise ValueError("expected an answer, found none")
        ordered = sorted(self.latencies_ns)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e6


async def offer(call: Call, *, rate_per_second: float, seconds: float, seed: int = 0) -> LoadReport:
    """Return what became of calls that arrive at random, `rate_per_second` on average, for `seconds`.

    A call that is due while 2,000 are in flight is not made and counts as a failure, `overrun`.
    """
    report = LoadReport()
    await _arrive(call, arrivals_ns(rate_per_second, seconds, seed), report)
    return report


@asynccontextmanager
async def offering(call: Call, *, rate_per_second: float, seed: int = 0) -> AsyncIterator[LoadReport]:
    """Offer calls as `offer` does until the block ends; the report is whole once it has ended."""
    report, ended = LoadReport(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_arrive(call, arrivals_ns(rate_per_second, inf, seed), report, ended))
        try:
            yield report
        finally:
            ended.set()


async def _arrive(
    call: Call, offsets_ns: Iterator[int], report: LoadReport, ended: asyncio.Event | None = None
) -> None:
    began_ns, in_flight = time.monotonic_ns(), 0

    async def one(due_ns: int) -> None:
        nonlocal in_flight
        in_flight += 1
        try:
            await _record(call, due_ns, report)
        finally:
            in_flight -= 1

    async with asyncio.TaskGroup() as calls:
        for offset_ns in offsets_ns:
            await asyncio.sleep((began_ns + offset_ns - time.monotonic_ns()) / 1e9)
            if ended is not None and ended.is_set():
                break
            if in_flight < MAX_IN_FLIGHT:
                calls.create_task(one(began_ns + offset_ns))
            else:
                report.failures["overrun"] += 1


def arrivals_ns(rate_per_second: float, seconds: float, seed: int) -> Iterator[int]:
    """Yield the offsets of a Poisson process; the same seed gives the same ones."""
    draw, at = random.Random(seed), 0.0  # noqa: S311 (arrivals, no secret)
    while (at := at + draw.expovariate(rate_per_second)) < seconds:
        yield int(at * 1e9)


def getting(session: aiohttp.ClientSession, url: str, *, host: str, **headers: str) -> Call:
    """Return the call that gets `url` in the name of `host` and reads the whole answer."""

    async def call() -> int:
        async with session.get(url, headers={"Host": host, **headers}) as answer:
            await answer.read()
            return answer.status

    return call


async def _record(call: Call, due_ns: int, report: LoadReport) -> None:
    try:
        status = await call()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        report.failures[type(error).__name__] += 1
    else:
        report.latencies_ns.append(time.monotonic_ns() - due_ns)
        report.statuses[status] += 1
