"""The demo's applications: `python -m controlplane.demo.apps NAME PORT OUTBOUND`.

`storefront` calls `cart` and `payments` over HTTP and `inventory` over gRPC, each by name through its
sidecar's outbound address. They forward nothing but `traceparent`. Each listens on loopback alone. `payments`
takes orders at `/_demo/behave?delay_ms=N&failing=0|1`, so that the story can make it fail.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import grpc.aio
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from controlplane.demo.topology import HOST, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECK_STOCK = "/demo.Inventory/CheckStock"
_PATIENCE = ClientTimeout(total=10)


class Storefront:
    """Answers shoppers by asking the other services."""

    def __init__(self, outbound: str) -> None:
        """Call through the sidecar's outbound address (host:port)."""
        self._outbound = outbound
        self._session = ClientSession(timeout=_PATIENCE)
        options = (("grpc.default_authority", f"inventory.{NAMESPACE}"),)
        self._channel = grpc.aio.insecure_channel(outbound, options=options)
        self._check_stock: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(
            CHECK_STOCK
        )

    async def browse(self, request: web.Request) -> web.Response:
        """Answer from cart and inventory, both or nothing."""
        trace = _trace(request.headers)
        cart, stock = await asyncio.gather(self._get("cart", "/cart", trace), self._stock(trace))
        return _page({"cart": cart, "inventory": stock})

    async def checkout(self, request: web.Request) -> web.Response:
        """Answer from payments."""
        return _page({"payments": await self._get("payments", "/charge", _trace(request.headers))})

    async def _get(self, service: str, path: str, trace: Mapping[str, str]) -> int:
        headers = {"Host": f"{service}.{NAMESPACE}", **trace}
        try:
            async with self._session.get(f"http://{self._outbound}{path}", headers=headers) as answer:
                await answer.read()
                return answer.status
        except (ClientError, TimeoutError):
            return 0

    async def _stock(self, trace: Mapping[str, str]) -> int:
        try:
            await self._check_stock(b"", metadata=tuple(trace.items()), timeout=10)
        except grpc.aio.AioRpcError:
            return 503
        return 200

    async def close(self, _: web.Application) -> None:
        """Close what was opened."""
        await self._session.close()
        await self._channel.close()


@dataclass(slots=True)
class Behaviour:
    """How `payments` behaves now."""

    delay_seconds: float = 0.002
    failing: bool = False

    async def charge(self, _: web.Request) -> web.Response:
        """Answer as told."""
        await asyncio.sleep(self.delay_seconds)
        return web.json_response({"charged": not self.failing}, status=503 if self.failing else 200)

    async def behave(self, request: web.Request) -> web.Response:
        """Take new orders."""
        self.delay_seconds = int(request.query["delay_ms"]) / 1000
        self.failing = request.query["failing"] == "1"
        return web.Response()


def _trace(headers: Mapping[str, str]) -> dict[str, str]:
    return {"traceparent": headers["traceparent"]} if "traceparent" in headers else {}


def _page(parts: Mapping[str, int]) -> web.Response:
    whole = all(status == web.HTTPOk.status_code for status in parts.values())
    return web.Response(text=json.dumps(parts), content_type="application/json", status=200 if whole else 502)


async def _cart(_: web.Request) -> web.Response:
    return web.json_response({"items": ["anchor", "rope", "lamp"]})


async def _stock_left(_: bytes, __: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return b"\x08\x2a"  # field 1: 42 left


async def _serve_grpc(port: int) -> None:
    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_stock_left)
    service, method = CHECK_STOCK.removeprefix("/").split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    await server.wait_for_termination()


async def _http_app(name: str, outbound: str) -> web.Application:
    app = web.Application()
    if name == "storefront":
        storefront = Storefront(outbound)
        app.add_routes([web.get("/browse", storefront.browse), web.get("/checkout", storefront.checkout)])
        app.on_cleanup.append(storefront.close)
    elif name == "payments":
        behaviour = Behaviour()
        app.add_routes([web.get("/charge", behaviour.charge), web.get("/_demo/behave", behaviour.behave)])
    else:
        app.add_routes([web.get("/cart", _cart)])
    return app


async def serve(name: str, port: int, outbound: str) -> None:
    """Serve one application until cancelled."""
    if name == "inventory":
        await _serve_grpc(port)
        return
    runner = web.AppRunner(await _http_app(name, outbound), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
