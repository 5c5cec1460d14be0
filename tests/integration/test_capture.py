"""Connections that the rules lead to a sidecar: pods are namespaces, everything else is real."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.support.capture.mesh import captured, get, mesh
from tests.support.capture.net import Pod, net
from tests.support.upstream import ScriptedUpstream, slow

POLICIES = """
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart.shop]
  ports: [{name: http, port: 80}]
  endpoints: [{address: 10.77.0.11, port: 8080}, {address: "fd77::11", port: 8080}]
---
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: breakwater.dev, kind: ExternalService, name: cart}]
  timeouts: {request: 200ms}
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A captured pod that calls, and one that is called, with the application in it at either address."""

    caller: Pod
    cart: Pod
    app: ScriptedUpstream
    app_v6: ScriptedUpstream


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    scratch = tmp_path_factory.mktemp("capture")
    with net(2) as on:
        caller, cart = on.pods
        v4, v6 = (cart.namespace.listen(each, 8080) for each in (cart.address, cart.address_v6))
        async with (
            mesh(scratch, on, POLICIES) as running,
            captured(running, caller, "shop/web"),
            ScriptedUpstream(listener=v4) as app,
            ScriptedUpstream(listener=v6) as app_v6,
        ):
            yield Shop(caller, cart, app, app_v6)


@pytest.mark.asyncio(loop_scope="module")
async def test_policies_act_on_what_an_application_sends_to_an_address(shop: Shop) -> None:
    answer = await get(shop.caller.namespace, shop.cart.address, 8080)
    assert answer.status == 200
    [request] = shop.app.requests
    assert request.values(b"breakwater-via")
    shop.app.answer = lambda _: slow(5)
    late = await get(shop.caller.namespace, shop.cart.address, 8080)
    assert (late.status, b"timeout.request" in late.body) == (504, True)
