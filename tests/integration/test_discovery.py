"""Discovery over real sockets: what sidecars are sent, how soon, and what holds up whom."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import grpc.aio
import pytest

from controlplane.model.resource import ResourceName, ResourceType, Version
from mesh.v1 import admin_pb2, resource_pb2
from tests.support.control_plane import Plane, policy, running_plane
from tests.support.desired import endpoints, host, outbound
from tests.support.light_sidecar import LightSidecar, light_sidecar
from tests.support.readiness import until
from tests.support.registrations import CART, registration

MESH = ResourceName(ResourceType.MESH, "default")
INBOUND = ResourceName(ResourceType.INBOUND, "shop/cart")
HOST, OUTBOUND, ENDPOINTS = host("cart.shop"), outbound("shop/cart"), endpoints("shop/cart")


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path) as plane:
        await plane.registry.register(registration())
        yield plane


def timeout_of(sidecar: LightSidecar) -> int:
    body = resource_pb2.Outbound.FromString(sidecar.bodies.get(OUTBOUND, b""))
    return body.variants[0].resilience.timeouts.request.seconds if body.variants else 0


def has_timeout(seconds: int) -> Callable[[LightSidecar], bool]:
    return lambda sidecar: timeout_of(sidecar) == seconds


def is_missing(name: ResourceName) -> Callable[[LightSidecar], bool]:
    return lambda sidecar: name in sidecar.missing


async def statuses(plane: Plane, instance: str = "") -> list[admin_pb2.SidecarStatus]:
    response = await plane.admin.ListSidecars(admin_pb2.ListSidecarsRequest(instance=instance))
    return list(response.sidecars)


async def until_state(
    plane: Plane, instance: str, state: str, *, resources: int = 0
) -> admin_pb2.SidecarStatus:
    """Return where a sidecar stands once it is in that state and wants at least so many resources."""
    async with asyncio.timeout(30):
        while True:
            for status in await statuses(plane, instance):
                is_there = admin_pb2.SidecarState.Name(status.state) == f"SIDECAR_STATE_{state}"
                if is_there and status.resources >= resources:
                    return status
            await asyncio.sleep(0.02)


async def test_host_brings_what_is_behind_it_in_one_response(plane: Plane) -> None:
    async with light_sidecar(plane.sidecars, "web-0", HOST) as sidecar:
        await sidecar.until(lambda one: HOST in one.held)
        first = next(one for one in sidecar.responses if one.resources)  # it may have been too early for any
        assert [one.id.name for one in first.resources] == [
            "shop/cart",
            "shop/cart",
            "cart.shop",
        ]


async def test_unknown_host_is_missing_until_it_is_registered(tmp_path: Path) -> None:
    async with (
        running_plane(tmp_path) as plane,
        light_sidecar(plane.sidecars, "web-0", HOST) as sidecar,
    ):
        await sidecar.until(lambda one: HOST in one.missing)
        await plane.registry.register(registration())
        await sidecar.until(lambda one: {HOST, OUTBOUND, ENDPOINTS} <= one.held.keys())


async def test_each_edit_of_a_file_reaches_a_stream(plane: Plane) -> None:
    async with light_sidecar(plane.sidecars, "web-0", OUTBOUND) as sidecar:
        await sidecar.until(lambda one: OUTBOUND in one.held)
        for seconds in range(1, 11):
            (plane.policies / "cart.yaml").write_text(policy(f"{seconds}s"))
            await sidecar.until(has_timeout(seconds))


async def test_bad_edit_changes_nothing_and_says_where(plane: Plane) -> None:
    file = plane.policies / "cart.yaml"
    file.write_text(policy("2s"))
    async with light_sidecar(plane.sidecars, "web-0", OUTBOUND) as sidecar:
        await sidecar.until(has_timeout(2))
        file.write_text(policy("soon"))

        async def is_refused() -> bool:
            return bool(await source_problems(plane))

        await until(is_refused)
        problems = await source_problems(plane)
        assert (problems[0].file, problems[0].line, problems[0].path) == (
            str(file),
            6,
            "spec.timeouts.request",
        )
        assert timeout_of(sidecar) == 2
        status = await until_state(plane, "web-0", "SYNCED")
        assert status.lag == 0


async def source_problems(plane: Plane) -> list[admin_pb2.Problem]:
    status = await plane.admin.GetStatus(admin_pb2.GetStatusRequest())
    return [problem for source in status.sources for problem in source.problems]


async def test_reconnecting_sidecar_is_sent_nothing_that_it_holds(plane: Plane) -> None:
    async with light_sidecar(plane.sidecars, "web-0", HOST, MESH) as sidecar:
        await sidecar.until(lambda one: {HOST, MESH} <= one.held.keys())
        held = dict(sidecar.held)
    await until_state(plane, "web-0", "OFFLINE")
    async with light_sidecar(plane.sidecars, "web-0", HOST, MESH, held=held) as sidecar:
        status = await until_state(plane, "web-0", "SYNCED", resources=4)
        assert (sidecar.responses, status.pushes, status.resources) == ([], 0, 4)


async def test_second_stream_of_an_instance_replaces_the_first(plane: Plane) -> None:
    async with light_sidecar(plane.sidecars, "web-0", MESH) as first:
        await first.until(lambda one: MESH in one.held)  # at rest: a write cut off has a status of its own
        async with light_sidecar(plane.sidecars, "web-0", HOST) as second:
            await second.until(lambda one: HOST in one.held)
            assert await first.call.code() is grpc.StatusCode.ABORTED
            assert len(await statuses(plane)) == 1


async def test_rejected_resource_is_shown_with_its_reason_and_holds_up_no_other(plane: Plane) -> None:
    async with light_sidecar(plane.sidecars, "web-0") as sidecar:
        sidecar.refuse = lambda one: (
            "expected better" if one.id.type == resource_pb2.RESOURCE_TYPE_OUTBOUND else ""
        )
        await sidecar.subscribe(HOST)
        status = await until_state(plane, "web-0", "REJECTED")
        assert [(one.id.name, one.reason) for one in status.rejections] == [("shop/cart", "expected better")]
        assert {HOST, ENDPOINTS} <= sidecar.held.keys()
        sidecar.refuse = lambda _: ""
        (plane.policies / "cart.yaml").write_text(policy("3s"))
        await until_state(plane, "web-0", "SYNCED")


async def test_slow_reader_holds_nobody_up_and_gets_only_the_newest(plane: Plane) -> None:
    edits = 12
    async with (
        light_sidecar(plane.sidecars, "slow", OUTBOUND) as slow,
        light_sidecar(plane.sidecars, "quick", OUTBOUND) as quick,
    ):
        await slow.until(lambda one: OUTBOUND in one.held)
        slow.reads.clear()
        for seconds in range(1, edits + 1):
            (plane.policies / "cart.yaml").write_text(policy(f"{seconds}s"))
            await quick.until(has_timeout(seconds))
        slow.reads.set()
        await slow.until(has_timeout(edits))
        assert len(quick.responses) == 1 + edits
        assert len(slow.responses) <= 4


async def test_endpoints_that_flap_are_pushed_at_most_ten_times_a_second(plane: Plane) -> None:
    async with light_sidecar(plane.sidecars, "web-0", ENDPOINTS) as sidecar:
        await sidecar.until(lambda one: ENDPOINTS in one.held)
        start = time.monotonic()
        for turns in range(1, 151):
            await plane.registry.register(registration("cart-1", address=f"127.0.0.{1 + turns % 2}"))
            await asyncio.sleep(0.01)
        last = f"127.0.0.{1 + turns % 2}"
        await sidecar.until(lambda one: last.encode() in one.bodies[ENDPOINTS])
        assert len(sidecar.responses) <= 2 + 10 * (time.monotonic() - start)


async def test_policy_counts_the_sidecars_that_apply_it(plane: Plane) -> None:
    (plane.policies / "cart.yaml").write_text(policy("2s"))
    async with (
        light_sidecar(plane.sidecars, "web-0", HOST) as first,
        light_sidecar(plane.sidecars, "web-1", HOST) as second,
        light_sidecar(plane.sidecars, "web-2", MESH),
    ):
        await first.until(has_timeout(2))
        await second.until(has_timeout(2))
        second.refuse = lambda _: "expected better"
        (plane.policies / "cart.yaml").write_text(policy("4s"))
        await first.until(has_timeout(4))
        await until_state(plane, "web-1", "REJECTED")
        request = admin_pb2.GetPolicyRequest(kind="ResiliencePolicy", namespace="shop", name="cart")
        status = (await plane.admin.GetPolicy(request)).policy
        assert (status.targeted, status.applied, status.rejected) == (2, 1, 1)
        message = f"1 of 2 sidecars rejected revision r{status.revision}: web-1: expected better"
        assert message in {condition.message for condition in status.conditions}


async def test_300_streams_are_served_while_a_large_change_compiles(plane: Plane) -> None:
    services = "---\n".join(EXTERNAL.format(number=number) for number in range(1_500))
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(
                    str(plane.bound.listen), options=(("grpc.use_local_subchannel_pool", 1),)
                )
            )
            for _ in range(30)
        ]
        sidecars = [
            await stack.enter_async_context(light_sidecar(channels[number % 30], f"web-{number}", HOST))
            for number in range(300)
        ]
        for sidecar in sidecars:
            await sidecar.until(lambda one: HOST in one.held)
        (plane.policies / "many.yaml").write_text(services)
        answered = 0
        async with asyncio.timeout(60):
            while (await plane.admin.GetStatus(admin_pb2.GetStatusRequest())).revision < 1:
                unknown = host(f"nobody-{answered}.shop")
                await sidecars[0].subscribe(unknown)
                await sidecars[0].until(is_missing(unknown))
                answered += 1
        (plane.policies / "cart.yaml").write_text(policy("7s"))
        for sidecar in sidecars:
            await sidecar.until(has_timeout(7))
        assert answered > 10, "the event loop stood still"
        assert not any(sidecar.call.done() for sidecar in sidecars)


EXTERNAL = """\
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {{name: outside-{number}, namespace: shop}}
spec:
  hosts: [outside-{number}.example]
  ports: [{{name: http, port: 80}}]
  endpoints: [{{address: 127.0.0.1, port: 9001}}]
"""


async def test_first_message_must_be_a_hello(plane: Plane) -> None:
    async with light_sidecar(plane.sidecars, "") as sidecar:
        assert await sidecar.call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "instance" in (await sidecar.call.details() or "")


async def test_service_of_registration_is_known_by_its_contract(plane: Plane) -> None:
    async def is_known() -> bool:
        response = await plane.admin.ListMeshServices(admin_pb2.ListMeshServicesRequest(namespace="shop"))
        return [(one.name.name, one.endpoint_count) for one in response.services] == [(CART.name, 1)]

    await until(is_known)


async def test_revision_never_goes_back_for_a_sidecar_though_the_store_did(plane: Plane) -> None:
    (plane.policies / "cart.yaml").write_text(policy("2s"))
    async with light_sidecar(plane.sidecars, "web-0", HOST, revision=40) as sidecar:
        await sidecar.until(has_timeout(2))
        assert sidecar.revision > 40
        status = await until_state(plane, "web-0", "SYNCED")
        assert (status.revision, status.lag) == (sidecar.revision, 0)


async def test_sidecar_that_comes_back_is_told_by_how_much_it_is_behind(plane: Plane) -> None:
    for seconds in (1, 2, 3):
        (plane.policies / "cart.yaml").write_text(policy(f"{seconds}s"))
        async with light_sidecar(plane.sidecars, "web-0", HOST) as sidecar:
            await sidecar.until(has_timeout(seconds))
    held = {**sidecar.held, OUTBOUND: Version("older")}
    async with light_sidecar(plane.sidecars, "web-1", held=held, revision=1) as behind:
        behind.reads.clear()
        await behind.subscribe(HOST)
        status = await until_state(plane, "web-1", "STALE")
        assert (status.revision, status.lag) == (1, 2)
