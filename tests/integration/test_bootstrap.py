"""Sidecars that never had a configuration: they wait for one, or let everything pass until it is there."""

import socket
from pathlib import Path

from mesh.v1 import sidecar_admin_pb2
from mesh.v1.sidecar_admin_pb2_grpc import SidecarAdminServiceStub
from tests.support.admin_socket import admin_socket
from tests.support.app import App
from tests.support.capture.mesh import Mesh, captured, get, mesh
from tests.support.capture.net import NODE, net
from tests.support.capture.programs import NFTABLES, place
from tests.support.capture.servers import loopback, relaying
from tests.support.mesh import Sidecar, controlplane, sidecar
from tests.support.metrics import measured, scrape
from tests.support.ports import free_port
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition, answering, until
from tests.support.upstream import ScriptedUpstream

SOON = "--pass-through-after=0.1"
WEB, FAR = 8080, 9006
LIMIT = """
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{kind: Service, name: cart}]
  limits: [{name: few, requests: 3, per: 1h, burst: 3}]
---
apiVersion: breakwater.dev/v1alpha1
kind: Mesh
metadata: {name: default}
spec: {unknownDestinations: Refuse}
"""
UNENFORCED = "breakwater_config_unenforced"


def limited(client: RawClient) -> Condition:
    """The condition that a limit acts on a connection."""

    async def holds() -> bool:
        await client.ask(host="cart")
        return (await client.response()).status == 429

    return holds


async def test_a_sidecar_without_a_configuration_waits_or_lets_everything_pass(tmp_path: Path) -> None:
    nobody = free_port()
    (policies := tmp_path / "policies").mkdir()
    (policies / "policies.yaml").write_text(LIMIT)
    async with (
        App() as app,
        sidecar(tmp_path, "shop/till", app_port=app.port, discovery=nobody) as patient,
        sidecar(tmp_path, "shop/cart", app_port=app.port, discovery=nobody, flags=(SOON,)) as cart,
    ):
        await until(answering(patient.http, path="/live"))
        await cart.ready()
        assert not await answering(patient.http, path="/ready")()
        assert (await scrape(patient.http)).total(UNENFORCED) == 0
        async with RawClient(cart.inbound) as client:
            for _ in range(5):
                assert not await limited(client)()
            await _is_said(cart)
            async with (
                controlplane(tmp_path, policies) as plane,
                relaying(socket.create_server(("127.0.0.1", nobody)), lambda: loopback(plane.discovery)),
            ):
                await until(limited(client))
                await until(measured(cart.http, UNENFORCED, 0))
                await patient.ready()
    assert "a first configuration: traffic is enforced from now on" in cart.process.output()


async def _is_said(passing: Sidecar) -> None:
    """Whoever looks is told that nothing is enforced."""
    assert (await scrape(passing.http)).total(UNENFORCED) == 1
    assert "no configuration yet: traffic passes, nothing is enforced" in passing.process.output()
    async with admin_socket(passing.state) as channel:
        asked = SidecarAdminServiceStub(channel).GetConfiguration(sidecar_admin_pb2.GetConfigurationRequest())
        assert (await asked).unenforced


async def test_captured_connections_get_through_until_there_is_a_configuration(tmp_path: Path) -> None:
    (programs := tmp_path / "programs").mkdir()
    (late := tmp_path / "late").mkdir()
    with net(2) as on:
        web, cart = on.pods
        bare = Mesh(on, tmp_path, tmp_path, place(programs, NFTABLES))

        async def status(of: str) -> int:
            try:
                if of == "cart":
                    return (await get(on.node, cart.address, WEB)).status
                return (await get(web.namespace, NODE, FAR)).status
            except (OSError, EOFError):
                return 0

        def comes(of: str, expected: int) -> Condition:
            async def holds() -> bool:
                return await status(of) == expected

            return holds

        async with (
            ScriptedUpstream(listener=cart.namespace.listen(cart.address, WEB)),
            ScriptedUpstream(listener=on.node.listen(NODE, FAR)),
            captured(bare, web, "shop/web", flags=(SOON,)),
            captured(bare, cart, "shop/cart", flags=(SOON, f"--app=127.0.0.1:{WEB}")),
        ):
            assert [await status("cart") for _ in range(5)] == [200] * 5
            assert await status("far") == 200
            async with mesh(late, on, LIMIT):
                await until(comes("cart", 429))
                await until(comes("far", 0))
