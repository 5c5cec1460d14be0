"""Connections that the rules lead to a sidecar: pods are namespaces, everything else is real."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.capture.mesh import SIDECAR_PAGES, Mesh, captured, get, mesh
from tests.support.capture.net import NODE, NODE_V6, Pod, net
from tests.support.capture.servers import GREETING, greeting, loopback, relaying, summing
from tests.support.dns import Addresses, Held, ScriptedDns
from tests.support.dns import listener as name_server
from tests.support.grpcapp import ECHO, grpc_app, grpc_health
from tests.support.pki import Authority
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition, no_longer, that, until
from tests.support.upstream import OK, Pause, ScriptedUpstream, Send, slow

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEB, LINES, SUM, SECRET, CALLS = 8080, 9000, 9001, 9002, 9003
"""Ports of pods that are called: HTTP, a server that speaks first, one that needs half-close, TLS, gRPC."""

BOX, RAW, FAR, SOON = 9004, 9005, 9006, 9100
"""And: one connection at once, HTTP that is called TCP, services behind host names."""

NAMES, AT_LEAST_SECONDS = 20, 0.1
"""Host names that are tried, and how long a connection is seen to wait; it would wait for 0.8 s."""

SPOKEN = {WEB: "HTTP", LINES: "TCP", SUM: "Detect", SECRET: "Detect", CALLS: "GRPC"}
SERVICE = """
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {{name: cart-{port}, namespace: shop}}
spec:
  hosts: [cart-{port}.shop]
  ports: [{{name: main, port: {port}, protocol: {protocol}}}]
  endpoints: [{{address: 10.77.0.11, port: {port}}}, {{address: "fd77::11", port: {port}}}]
---
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: cart-{port}, namespace: shop}}
spec:
  targetRefs: [{{group: breakwater.dev, kind: ExternalService, name: cart-{port}}}]
  timeouts: {{request: 500ms}}
  connectionPool: {{maxConnections: 3}}
---
"""
FAR_AWAY = f"""
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {{name: bank, namespace: pay}}
spec:
  hosts: [api.bank.example]
  ports: [{{name: main, port: {FAR}, protocol: HTTP}}]
  resolution: DNS
---
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: bank, namespace: pay}}
spec:
  targetRefs: [{{group: breakwater.dev, kind: ExternalService, name: bank}}]
  timeouts: {{request: 500ms}}
---
"""
LATER = """
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {{name: late-{number}, namespace: pay}}
spec:
  hosts: [late-{number}.bank.example]
  ports: [{{name: main, port: {port}, protocol: HTTP}}]
  resolution: DNS
"""
LIMIT = """
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: till, namespace: shop}
spec:
  targetRefs: [{kind: Service, name: till}]
  limits: [{name: few, requests: 3, per: 1h, burst: 3}]
---
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: box, namespace: shop}
spec:
  targetRefs: [{kind: Service, name: box}]
  limits: [{name: one, connections: {concurrent: 1}}]
"""

REFUSING = """
apiVersion: breakwater.dev/v1alpha1
kind: Mesh
metadata: {name: default}
spec: {unknownDestinations: Refuse}
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A captured pod that calls, one that is called, and a captured one that is called; apps by address."""

    mesh: Mesh
    caller: Pod
    cart: Pod
    till: Pod
    apps: dict[str, ScriptedUpstream]
    dns: ScriptedDns


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    scratch = tmp_path_factory.mktemp("capture")
    policies = "".join(SERVICE.format(port=port, protocol=protocol) for port, protocol in SPOKEN.items())
    async with AsyncExitStack() as stack:
        on = stack.enter_context(net(3))
        caller, cart, till = on.pods
        running = await stack.enter_async_context(mesh(scratch, on, policies + FAR_AWAY + LIMIT))
        hosts = {"api.bank.example": cart.address}
        dns = await stack.enter_async_context(ScriptedDns(own=caller.namespace.within(name_server)))
        served: tuple[str, ...] = (
            f"--app=127.0.0.1:{WEB}",
            "--service=shop/box",
            f"--app=127.0.0.1:{BOX}@15007",
        )
        served += ("--service=shop/raw", f"--app=127.0.0.1:{RAW}@15008", f"--app-protocol={RAW}=tcp")
        probes: tuple[str, ...] = (
            f"{WEB}/healthz?full=1",
            f"{BOX}/healthz",
            f"{BOX}/grpc.health.v1.Health/Check",
            str(BOX),
        )
        probes += (f"https:{SECRET}/live?full=1",)
        flags = (*served, *(f"--probe={probe}" for probe in probes))
        await stack.enter_async_context(
            captured(running, caller, "shop/web", hosts=hosts, prefix=dns.prefix(scratch))
        )
        await stack.enter_async_context(captured(running, till, "shop/till", flags=flags))
        apps = {}
        for pod in (cart, till):
            for address in (pod.address, pod.address_v6):
                listener = pod.namespace.listen(address, WEB)
                apps[address] = await stack.enter_async_context(ScriptedUpstream(listener=listener))
                if pod is cart:
                    await stack.enter_async_context(greeting(pod.namespace.listen(address, LINES)))
                    await stack.enter_async_context(summing(pod.namespace.listen(address, SUM)))
        yield Shop(running, caller, cart, till, apps, dns)


async def opened(shop: Shop, address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection of the caller's application."""
    return await asyncio.open_connection(sock=await shop.caller.namespace.connect(address, port))


async def test_policies_act_on_what_an_application_sends_to_an_address(shop: Shop) -> None:
    for address in (shop.cart.address, shop.cart.address_v6):
        app = shop.apps[address]
        assert (await get(shop.caller.namespace, address, WEB)).status == 200
        assert app.requests[-1].values(b"breakwater-via")
        app.answer = lambda _: slow(5)
        late = await get(shop.caller.namespace, address, WEB)
        assert (late.status, b"timeout.request" in late.body) == (504, True)
        app.answer = lambda _: OK


async def test_policies_act_on_what_is_sent_to_where_a_host_name_leads(shop: Shop) -> None:
    """Nobody asked for that service: the sidecar knows by itself what its addresses mean."""
    async with ScriptedUpstream(listener=shop.cart.namespace.listen(shop.cart.address, FAR)) as app:

        async def holds() -> bool:
            await get(shop.caller.namespace, shop.cart.address, FAR)
            return bool(app.requests[-1].values(b"breakwater-via"))

        await until(holds, timeout_seconds=30)
        app.answer = lambda _: slow(5)
        late = await get(shop.caller.namespace, shop.cart.address, FAR)
        assert (late.status, b"timeout.request" in late.body) == (504, True)


async def test_what_is_sent_before_a_host_name_is_looked_up_waits_for_that(shop: Shop) -> None:
    """It waits for less than a second, so a machine that is busy for longer is given another name."""
    policies = shop.mesh.policies / "later.yaml"
    for number in range(NAMES):
        host, port = f"late-{number}.bank.example", SOON + number
        shop.dns.answers[host] = Held.HELD
        policies.write_text(LATER.format(number=number, port=port))
        await until(that(partial(has_been_asked, shop, host)))
        if await is_held_until_looked_up(shop, host, port):
            return
    raise AssertionError(f"expected one of {NAMES} connections to wait, found none")


def has_been_asked(shop: Shop, host: str) -> bool:
    """Whether the caller's sidecar has begun to look a host up."""
    return shop.dns.asked(host) > 0


async def is_held_until_looked_up(shop: Shop, host: str, port: int) -> bool:
    """Whether what is sent to the address of a host is held until its lookup ends, and then governed."""
    address = shop.cart.address
    async with (
        ScriptedUpstream(listener=shop.cart.namespace.listen(address, port)) as app,
        RawClient(connected=await shop.caller.namespace.connect(address, port)) as client,
    ):
        await client.ask(host="app")
        answer = asyncio.create_task(client.response())
        arrived, _ = await asyncio.wait([answer], timeout=AT_LEAST_SECONDS)
        shop.dns.release(host, Addresses((address,)))
        assert (await answer).status == 200
        return not arrived and bool(app.requests[0].values(b"breakwater-via"))


async def test_policies_act_on_what_others_send_to_an_application(shop: Shop) -> None:
    v4, v6 = shop.till.address, shop.till.address_v6
    statuses = [(await get(shop.mesh.net.node, address, WEB)).status for address in (v4, v6, v4, v6, v4)]
    assert statuses == [200, 200, 200, 429, 429]
    for address, peer in ((v4, NODE), (v6, NODE_V6)):
        assert shop.apps[address].requests[0].text("x-forwarded-for") == peer


async def probed(shop: Shop, port: int, path: str) -> int:
    """Return what the called pod answers to the node."""
    return (await get(shop.mesh.net.node, shop.till.address, port, path)).status


async def test_nothing_is_enforced_on_probes(shop: Shop) -> None:
    """The limit is used up by now; what resembles the probe is held to it."""
    paths = ["/healthz?full=1", "/healthz", "/healthz?full=2", "/", "/healthz?full=1"]
    assert [await probed(shop, WEB, path) for path in paths] == [200, 429, 429, 429, 200]
    assert shop.apps[shop.till.address].requests[-1].start_line.startswith(b"GET /healthz?full=1 ")


async def test_a_probe_that_connects_is_told_of_the_application(shop: Shop) -> None:
    assert await probed(shop, SIDECAR_PAGES, f"/probe/{BOX}") == 503
    async with ScriptedUpstream(listener=shop.till.namespace.listen(shop.till.address, BOX)):
        assert await probed(shop, SIDECAR_PAGES, f"/probe/{BOX}") == 200
    assert await probed(shop, SIDECAR_PAGES, f"/probe/{WEB}") == 404


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_probe_over_tls_is_put_to_the_application_with_what_the_pod_says(
    shop: Shop, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    leaf = Authority(tmp_path).leaf("unknown to everybody")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(leaf.certificate, leaf.key)
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        status = 302 if len(asked) == 1 else 500
        writer.write(f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    page = f"/probe/{SECRET}/live?full=1"
    assert await probed(shop, SIDECAR_PAGES, page) == 503
    listener = shop.till.namespace.listen(shop.till.address, SECRET)
    async with await asyncio.start_server(serve, sock=listener, ssl=context):
        assert [await probed(shop, SIDECAR_PAGES, page) for _ in range(2)] == [200, 503]
    assert asked[0].startswith(b"GET /live?full=1 HTTP/1.1\r\nhost: app\r\n")
    assert await probed(shop, SIDECAR_PAGES, f"/probe/{SECRET}/live") == 404


async def test_probes_get_through_where_no_further_connection_does(shop: Shop) -> None:
    async with ScriptedUpstream(listener=shop.till.namespace.listen(shop.till.address, BOX)):
        client = RawClient(connected=await shop.mesh.net.node.connect(shop.till.address, BOX))
        async with client:
            await client.ask(host="box")
            assert (await client.response()).status == 200
            assert await probed(shop, BOX, "/healthz") == 200
            assert await probed(shop, BOX, "/") == 429
            await client.ask(host="box")
            assert (await client.response()).status == 200


async def test_what_is_spoken_is_what_the_pod_says(shop: Shop) -> None:
    async with ScriptedUpstream(listener=shop.till.namespace.listen(shop.till.address, RAW)) as app:
        assert await probed(shop, RAW, "/") == 200
        assert not app.requests[0].values(b"x-forwarded-for")


async def test_health_of_grpc_is_asked_where_no_further_connection_gets_through(shop: Shop) -> None:
    node, till = shop.mesh.net.node, shop.till
    async with (
        grpc_health("box") as (port, _),
        relaying(till.namespace.listen(till.address, BOX), lambda: loopback(port)),
        relaying(here := socket.create_server(("127.0.0.1", 0)), lambda: node.connect(till.address, BOX)),
    ):
        held = await node.connect(till.address, BOX)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{here.getsockname()[1]}") as channel:
            request = health_pb2.HealthCheckRequest(service="box")
            health: Any = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(request, timeout=30)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        held.close()


async def test_a_server_may_speak_first_and_a_client_may_end_first(shop: Shop) -> None:
    for address in (shop.cart.address, shop.cart.address_v6):
        reader, writer = await opened(shop, address, LINES)
        assert await reader.readline() == GREETING
        writer.write(b"HELO\r\n")
        assert await reader.readline() == b"HELO\r\n"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_first_bytes_tell_what_nobody_has_declared(shop: Shop) -> None:
    reader, writer = await opened(shop, shop.cart.address, SUM)
    writer.write(b"\x00" * 1_000_000)
    writer.write_eof()
    assert await reader.read() == b"1000000"
    writer.close()


async def test_a_server_that_speaks_first_is_heard_where_nobody_has_declared_that(shop: Shop) -> None:
    """The application behind this port is captured, and its protocol never declared."""
    async with greeting(shop.till.namespace.listen(shop.till.address, LINES)):
        reader, writer = await opened(shop, shop.till.address, LINES)
        assert await reader.readline() == GREETING
        writer.close()


async def test_a_client_that_takes_its_time_is_still_held_to_policies(shop: Shop) -> None:
    shop.apps[shop.till.address].forget()
    client = RawClient(connected=await shop.mesh.net.node.connect(shop.till.address, WEB))
    async with client:
        await asyncio.sleep(0.3)  # longer than the sidecar waits for first bytes
        await client.ask(host="till")
        assert (await client.response()).status == 429


async def test_tls_is_passed_on_as_it_is(shop: Shop, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    leaf = authority.leaf("cart", addresses=(shop.cart.address,))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(leaf.certificate, leaf.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    listener = shop.cart.namespace.listen(shop.cart.address, SECRET)
    async with await asyncio.start_server(serve, sock=listener, ssl=context):
        trusting = ssl.create_default_context(cafile=str(authority.certificate))
        connected = await shop.caller.namespace.connect(shop.cart.address, SECRET)
        reader, writer = await asyncio.open_connection(
            sock=connected, ssl=trusting, server_hostname=shop.cart.address
        )
        writer.write(b"hidden\n")
        assert await reader.readline() == b"hidden\n"
        writer.close()


async def test_grpc_is_called_at_an_address(shop: Shop) -> None:
    pod, caller = shop.cart, shop.caller.namespace
    async with (
        grpc_app() as app,
        relaying(pod.namespace.listen(pod.address, CALLS), lambda: loopback(app.port)),
        relaying(here := socket.create_server(("127.0.0.1", 0)), lambda: caller.connect(pod.address, CALLS)),
        grpc.aio.insecure_channel(f"127.0.0.1:{here.getsockname()[1]}") as channel,
    ):
        echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(ECHO)
        assert await echo(b"hello", timeout=30) == b"hello"
        assert app.seconds_left == [pytest.approx(0.5, abs=0.5)]


async def test_a_web_socket_becomes_a_tunnel(shop: Shop) -> None:
    app = shop.apps[shop.cart.address]
    switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nframe"
    app.answer = lambda _: (Send(switching), Pause(None))
    reader, writer = await opened(shop, shop.cart.address, WEB)
    writer.write(b"GET / HTTP/1.1\r\nhost: cart\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
    assert (await reader.readuntil(b"frame")).startswith(b"HTTP/1.1 101")
    writer.write(b"word")
    writer.write_eof()
    assert await reader.read() == b""
    assert app.received.endswith(b"word")
    writer.close()
    app.answer = lambda _: OK


async def test_connections_of_any_protocol_are_counted(shop: Shop) -> None:
    held = [await opened(shop, shop.cart.address, LINES) for _ in range(3)]
    for reader, _ in held:
        assert await reader.readline() == GREETING
    reader, writer = await opened(shop, shop.cart.address, LINES)
    _, first = held.pop()
    first.close()
    assert await reader.readline() == GREETING
    for other in (writer, *(writer for _, writer in held)):
        other.close()


async def test_what_is_no_service_gets_through_unless_the_mesh_refuses(shop: Shop) -> None:
    caller, node = shop.caller.namespace, shop.mesh.net.node
    nobody = ScriptedUpstream(listener=node.listen(NODE, WEB))
    async with nobody:
        assert (await get(caller, NODE, WEB)).status == 200
        assert not nobody.requests[0].values(b"breakwater-via")
        refusing = shop.mesh.policies / "mesh.yaml"
        refusing.write_text(REFUSING)
        await until(refused(shop, NODE))
        assert (await get(caller, shop.cart.address, WEB)).status == 200
        refusing.unlink()
        await until(no_longer(refused(shop, NODE)))


def refused(shop: Shop, address: str) -> Condition:
    """The condition that the caller's application reaches nobody at an address."""

    async def holds() -> bool:
        try:
            return not await get(shop.caller.namespace, address, WEB)
        except (EOFError, ConnectionError):
            return True

    return holds
