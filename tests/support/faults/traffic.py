"""Open-loop traffic on both routes from both clients, and what became of it."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.support.load import LoadReport, getting, offering
from tests.support.mesh import Sidecar
from tests.support.readiness import that, until

ROUTES = ("steady", "shaken")
"""The route that no fault aims at, and the one that feels it."""
PER_SECOND = 200
TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Traffic:
    """The reports of each route, one for each client."""

    reports: Mapping[str, tuple[LoadReport, ...]]

    def offered(self, *routes: str) -> int:
        """Return how many calls have ended on these routes, or on both."""
        return sum(report.offered for report in self._of(routes))

    def succeeded(self, *routes: str) -> int:
        """Return how many of them were answered with 200."""
        return sum(report.statuses[200] for report in self._of(routes))

    def failed(self, *routes: str) -> int:
        """Return how many of them were not."""
        return self.offered(*routes) - self.succeeded(*routes)

    def failures(self, *routes: str) -> str:
        """Return the count of what ended otherwise, by status or error: `none of 600` if nothing did."""
        found: Counter[int | str] = Counter()
        for report in self._of(routes):
            found.update({status: count for status, count in report.statuses.items() if status != 200})
            found.update(report.failures)
        told = ", ".join(f"{count} x {what}" for what, count in found.most_common()) or "none"
        return f"{told} of {self.offered(*routes)}"

    def mark(self) -> list[int]:
        """Return where the answers of now begin in each report."""
        return [len(report.latencies_ns) for report in self._of(ROUTES)]

    def latencies_ns(self, *, since: list[int]) -> list[int]:
        """Return the latencies of what was answered since a mark."""
        reports = zip(self._of(ROUTES), since, strict=True)
        return [latency for report, start in reports for latency in report.latencies_ns[start:]]

    async def more(self, seconds: float) -> None:
        """Return once that much more traffic has ended."""
        wanted = self.offered() + seconds * PER_SECOND * len(ROUTES)
        await until(that(lambda: self.offered() >= wanted), timeout_seconds=3 * seconds + 30)

    def _of(self, routes: Sequence[str]) -> list[LoadReport]:
        return [report for route in routes or ROUTES for report in self.reports[route]]


@asynccontextmanager
async def traffic(clients: Sequence[Sidecar]) -> AsyncIterator[Traffic]:
    """Call both services through each client's sidecar until the block ends."""
    async with AsyncExitStack() as stack:
        reports: dict[str, tuple[LoadReport, ...]] = {}
        for route in ROUTES:
            flows = [await _flow(stack, client, route, seed) for seed, client in enumerate(clients)]
            reports[route] = tuple(flow for flow in flows)
        yield Traffic(reports)


async def _flow(stack: AsyncExitStack, client: Sidecar, route: str, seed: int) -> LoadReport:
    connector = aiohttp.TCPConnector(limit=0)
    session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT, connector=connector))
    call = getting(session, f"http://127.0.0.1:{client.outbound}/", host=route)
    return await stack.enter_async_context(offering(call, rate_per_second=PER_SECOND / 2, seed=seed))
