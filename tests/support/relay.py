"""An application that asks the next service, as most applications do: carelessly.

It forwards nothing but `traceparent`, and turns whatever fails into a 500 of its own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

FAILED_FROM = 500


@dataclass(slots=True)
class Relay:
    """Its own port, the name of the next service, and the port of its sidecar that leads there."""

    next: str
    port: int = 0
    outbound: int = 0
    calls: int = 0


@asynccontextmanager
async def relay(next_service: str) -> AsyncIterator[Relay]:
    """Serve a relay on a loopback port; it answers once `outbound` is set."""
    running = Relay(next_service)
    async with aiohttp.ClientSession() as session:

        async def answer(request: web.BaseRequest) -> web.Response:
            running.calls += 1
            return web.Response(status=await _ask(running, session, request))

        runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        running.port = runner.addresses[0][1]
        try:
            yield running
        finally:
            await runner.cleanup()


async def _ask(running: Relay, session: aiohttp.ClientSession, request: web.BaseRequest) -> int:
    trace = request.headers.get("traceparent")
    headers = {"Host": running.next, **({"traceparent": trace} if trace else {})}
    try:
        async with session.get(f"http://127.0.0.1:{running.outbound}/", headers=headers) as answer:
            await answer.read()
            return 500 if answer.status >= FAILED_FROM else answer.status
    except aiohttp.ClientError:
        return 500
