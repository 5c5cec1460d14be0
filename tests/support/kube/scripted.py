"""A proxy in front of a real API server, for the faults that a real one does not have on demand."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.support.kube.apiserver import ApiServer
from tests.support.kube.credentials import ADMIN_TOKEN, write_kubeconfig
from tests.support.kube.forwarding import forwarded

HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding", "host"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The request is answered with a status, and goes no further."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The connection is cut this long after the answer began."""

    after_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """The answer begins, and nothing of what it says arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The answer comes late."""

    seconds: float


Fault = Refuse | Drop | Silence | Delay


@dataclass(slots=True)
class ScriptedApi:
    """What is done with the next requests, in order; each that has no fault goes through.

    What is `endless` goes on: for a sort of requests, `list`, `watch` or `write`, the fault of each, or none.
    Ports of pods are forwarded to those on this machine that `pod_ports` has for them.
    """

    url: str
    kubeconfig: Path
    pod_ports: dict[int, int] = field(default_factory=dict)
    lists: deque[Fault] = field(default_factory=deque)
    watches: deque[Fault] = field(default_factory=deque)
    endless: dict[str, Iterator[Fault | None]] = field(default_factory=dict)
    requests: list[tuple[str, float]] = field(default_factory=list)
    live: set[asyncio.BaseTransport] = field(default_factory=set)

    def cut(self) -> None:
        """End every connection."""
        for transport in tuple(self.live):
            transport.close()

    def asked(self, what: str) -> list[float]:
        """When there was a request of a sort, `list` or `watch`."""
        return [at for sort, at in self.requests if sort == what]

    def take(self, request: web.BaseRequest) -> Fault | None:
        """The fault of a request, if one is due."""
        is_watch = request.query.get("watch") == "true"
        script = self.watches if is_watch else self.lists
        self.requests.append(("watch" if is_watch else "list", asyncio.get_running_loop().time()))
        if script:
            return script.popleft()
        sort = "write" if request.method != "GET" else "watch" if is_watch else "list"
        return next(self.endless.get(sort, repeat(None)))


@asynccontextmanager
async def scripted(server: ApiServer, folder: Path) -> AsyncIterator[ScriptedApi]:
    """Run the proxy; whoever uses its kubeconfig goes through it."""
    context = ssl.create_default_context(cafile=str(server.credentials.ca))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=0)) as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            if request.path.endswith("/portforward"):
                return await forwarded(request, api.pod_ports)
            with _noted(request, api.live):
                return await _relay(request, api.take(request), session, server.url)

        runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        path = folder / "scripted.kubeconfig"
        kubeconfig = write_kubeconfig(path, url=url, ca=server.credentials.ca, token=ADMIN_TOKEN)
        api = ScriptedApi(url, kubeconfig)
        try:
            yield api
        finally:
            await runner.cleanup()


@contextmanager
def _noted(request: web.BaseRequest, live: set[asyncio.BaseTransport]) -> Iterator[None]:
    """Keeps the connection of a request among those that are live, while the request is."""
    transport = request.transport
    if transport is None:
        yield
        return
    live.add(transport)
    try:
        yield
    finally:
        live.discard(transport)


async def _relay(
    request: web.BaseRequest, fault: Fault | None, session: aiohttp.ClientSession, url: str
) -> web.StreamResponse:
    if isinstance(fault, Refuse):
        return web.Response(status=fault.status, headers=fault.headers)
    if isinstance(fault, Delay):
        await asyncio.sleep(fault.seconds)
    headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP_BY_HOP}
    body = await request.read()
    async with session.request(
        request.method, url + request.path_qs, headers=headers, data=body or None
    ) as answer:
        response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
        await response.prepare(request)
        try:
            async with asyncio.timeout(fault.after_seconds if isinstance(fault, Drop) else None):
                async for chunk in answer.content.iter_any():
                    if not isinstance(fault, Silence):
                        await response.write(chunk)
        except TimeoutError:
            if request.transport:
                request.transport.abort()
        return response


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() not in HOP_BY_HOP}
