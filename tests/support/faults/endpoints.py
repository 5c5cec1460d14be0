"""Watches that no caller ever loses all endpoints of a service."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.support.faults.stand import Stand
from tests.support.mesh import Sidecar

PERIOD_SECONDS = 0.5
ENDPOINTS = re.compile(r'^breakwater_endpoints\{service="test/(\w+)",state="\w+"\} (\d+)$', re.MULTILINE)


@dataclass(slots=True)
class Fewest:
    """The fewest endpoints that each service ever had, as any client's sidecar saw it."""

    counts: dict[str, int] = field(default_factory=dict)

    def see(self, page: str) -> None:
        """Take note of what a metrics page says."""
        now: dict[str, int] = {}
        for service, count in ENDPOINTS.findall(page):
            now[service] = now.get(service, 0) + int(count)
        for service, count in now.items():
            self.counts[service] = min(count, self.counts.get(service, count))

    def __str__(self) -> str:
        return ", ".join(f"{service} {count}" for service, count in sorted(self.counts.items()))


@asynccontextmanager
async def fewest_endpoints(stand: Stand) -> AsyncIterator[Fewest]:
    """Look at the clients' sidecars twice a second until the block ends."""
    seen = Fewest()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(_watch(session, client, seen)) for client in stand.clients]
        try:
            yield seen
        finally:
            for task in watching:
                task.cancel()


async def _watch(session: aiohttp.ClientSession, client: Sidecar, seen: Fewest) -> None:
    while True:
        try:
            async with session.get(f"http://127.0.0.1:{client.http}/metrics") as answer:
                seen.see(await answer.text())
        except aiohttp.ClientError:
            pass  # it is down, as the test wants it
        await asyncio.sleep(PERIOD_SECONDS)
