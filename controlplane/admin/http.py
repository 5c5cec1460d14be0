"""The HTTP side: measurements for Prometheus, and whether the control plane lives and is ready."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from controlplane.config import Address
from controlplane.errors import ListenError

Checks = Callable[[], Mapping[str, bool]]
"""What must hold for the control plane to be ready, by name."""

_GRACE_SECONDS = 1.0
_OK, _UNAVAILABLE = 200, 503


@asynccontextmanager
async def serving_http(
    address: Address, registry: CollectorRegistry, checks: Checks
) -> AsyncIterator[Address]:
    """Serves until the block ends; yields the address that was bound.

    Raises:
        ListenError: the address cannot be listened on.
    """
    runner = web.AppRunner(_application(registry, checks), access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            raise ListenError("--http", str(address), error.strerror or str(error)) from error
        yield Address(host=address.host, port=runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _application(registry: CollectorRegistry, checks: Checks) -> web.Application:
    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        found = checks()
        is_ready = all(found.values())
        text = "ready\n" if is_ready else "not ready\n"
        if "verbose" in request.query:
            text = "".join(f"{'ok' if holds else 'no'}: {name}\n" for name, holds in found.items()) + text
        return web.Response(status=_OK if is_ready else _UNAVAILABLE, text=text)

    application = web.Application()
    routes = {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz}
    application.add_routes([web.get(path, handler) for path, handler in routes.items()])
    return application
