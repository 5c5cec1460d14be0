"""A small HTTP application: counts what it is asked and answers as told."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How the application answers from now on."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0


class App:
    """An application on a loopback port, from `async with` entry to exit; `reply` may change at any time."""

    def __init__(self, reply: Reply | None = None, *, port: int = 0) -> None:
        self.reply = reply or Reply()
        self.port = port
        self.calls: Counter[str] = Counter()
        self.headers: dict[str, str] = {}
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        reply = self.reply
        self.calls[request.path] += 1
        self.headers = dict(request.headers)
        await request.read()
        await asyncio.sleep(reply.delay_seconds)
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)
