"""Replicas on one store: whichever is asked, the answer is the whole mesh's."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from controlplane.peers.presence import encode
from mesh.v1 import admin_pb2, peer_pb2, registry_pb2, sidecar_admin_pb2, telemetry_pb2
from mesh.v1.peer_pb2_grpc import PeerServiceStub
from registry.codec import encode_registration
from registry.config import SqliteLocation
from registry.keys import REPLICAS, registration_key
from registry.sqlite import open_sqlite
from tests.support.commandline import breakwater
from tests.support.control_plane import Plane, Replicas, policy, running_replicas
from tests.support.desired import host, outbound
from tests.support.flaky_store import FlakyStore
from tests.support.grpc_serving import methods_of
from tests.support.light_commands import CART, FROM_WEB_TO_CART, attached, breakers, explained
from tests.support.light_reporter import reported, reporting
from tests.support.light_sidecar import light_sidecar
from tests.support.ports import free_port
from tests.support.readiness import Condition, until
from tests.support.registrations import registration
from tests.support.sidecars import replica

T = TypeVar("T")

OUTBOUND = outbound("shop/cart")
ALL_SIDECARS = admin_pb2.ListSidecarsRequest()
STATUS = admin_pb2.GetStatusRequest()
MINUTE = Duration(seconds=60)


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[Replicas]:
    async with (
        open_sqlite(SqliteLocation(path=None)) as store,
        running_replicas(tmp_path, (store,) * 2) as replicas,
    ):
        await replicas.planes[0].registry.register(registration())
        yield replicas


async def from_all(replicas: Replicas, ask: Callable[[Plane], Awaitable[T]]) -> T:
    """The answer of every replica, once they give the same."""
    answers: list[T] = []

    async def agree() -> bool:
        answers[:] = [await ask(plane) for plane in replicas.planes]
        return all(answer == answers[0] for answer in answers)

    await until(agree)
    return answers[0]


async def connect(plane: Plane, names: range, block: AsyncExitStack) -> None:
    """Sidecars that want `shop/cart`, once they have it."""
    for number in names:
        sidecar = light_sidecar(plane.sidecars, f"web-{number}", OUTBOUND, services=["shop/web"])
        joined = await block.enter_async_context(sidecar)
        await joined.until(lambda one: OUTBOUND in one.held)


async def states(plane: Plane) -> list[tuple[str, str, str]]:
    """Every sidecar with where it stands, and the control plane it is connected to."""
    response = await plane.admin.ListSidecars(ALL_SIDECARS)
    assert not response.unanswered
    return [
        (
            one.instance,
            admin_pb2.SidecarState.Name(one.state).removeprefix("SIDECAR_STATE_"),
            one.control_plane,
        )
        for one in response.sidecars
    ]


async def names(replicas: Replicas) -> list[str]:
    """The names of the replicas, in the order in which they were started."""
    status = await replicas.planes[0].admin.GetStatus(STATUS)
    by_address = {one.address: one.name for one in status.replicas}
    return [by_address[str(plane.bound.listen)] for plane in replicas.planes]


async def test_sidecars_of_all_replicas_count_for_policies_and_status(replicas: Replicas) -> None:
    one, two = replicas.planes
    async with AsyncExitStack() as block:
        await connect(one, range(20), block)
        await connect(two, range(20, 41), block)
        request = admin_pb2.ApplyPoliciesRequest(
            manifests=[admin_pb2.Manifest(file="cart.yaml", text=policy("2s"))]
        )
        await one.admin.ApplyPolicies(request)
        wanted = admin_pb2.GetPolicyRequest(kind="ResiliencePolicy", namespace="shop", name="cart")

        async def is_applied() -> bool:
            policies = [(await plane.admin.GetPolicy(wanted)).policy for plane in replicas.planes]
            return [(one.targeted, one.applied, one.rejected) for one in policies] == [(41, 41, 0)] * 2

        await until(is_applied)
        for plane in replicas.planes:
            [listed] = (await plane.admin.ListPolicies(admin_pb2.ListPoliciesRequest())).policies
            assert (listed.targeted, listed.applied) == (41, 41)
            status = await plane.admin.GetStatus(STATUS)
            assert (status.connected_sidecars, status.converged_sidecars) == (41, 41)
            assert [one.connected_sidecars for one in status.replicas if one.answers] in ([20, 21], [21, 20])


async def test_every_sidecar_is_shown_with_its_control_plane_whoever_is_asked(replicas: Replicas) -> None:
    async with AsyncExitStack() as block:
        await connect(replicas.planes[0], range(1), block)
        await connect(replicas.planes[1], range(1, 2), block)
        first, second = await names(replicas)

        assert await from_all(replicas, states) == [("web-0", "SYNCED", first), ("web-1", "SYNCED", second)]


async def test_one_sidecar_is_shown_with_its_resources_whoever_is_asked(replicas: Replicas) -> None:
    async with AsyncExitStack() as block:
        await connect(replicas.planes[0], range(1), block)
        for plane in replicas.planes:
            response = await plane.admin.ListSidecars(admin_pb2.ListSidecarsRequest(instance="web-0"))
            [sidecar] = response.sidecars
            assert [one.id.name for one in sidecar.convergence] == ["shop/cart"]


async def test_sidecar_that_moved_is_shown_once_and_connected(replicas: Replicas) -> None:
    one, two = replicas.planes
    async with AsyncExitStack() as block:
        async with AsyncExitStack() as earlier:
            await connect(one, range(1), earlier)
        await connect(two, range(1), block)
        _, second = await names(replicas)

        assert await from_all(replicas, states) == [("web-0", "SYNCED", second)]
    assert [state for _, state, _ in await from_all(replicas, states)] == ["OFFLINE"]


async def test_stream_that_broke_unseen_ends_when_its_sidecar_connects_elsewhere(replicas: Replicas) -> None:
    one, two = replicas.planes
    async with AsyncExitStack() as block:
        await connect(one, range(1), block)
        await asyncio.sleep(1.1)  # what is nearer may be one move seen twice
        await connect(two, range(1), block)

        async def is_counted_once() -> bool:
            return [
                (await plane.admin.GetStatus(STATUS)).connected_sidecars for plane in replicas.planes
            ] == [1, 1]

        await until(is_counted_once)
        _, second = await names(replicas)
        assert await from_all(replicas, states) == [("web-0", "SYNCED", second)]


async def test_explanation_asks_sidecars_wherever_they_are(replicas: Replicas) -> None:
    one, two = replicas.planes
    async with (
        light_sidecar(one.sidecars, "web-0", services=["shop/web"]),
        light_sidecar(two.sidecars, "cart-0", services=["shop/cart"]),
        attached(one.sidecars, "web-0", explained),
        attached(two.sidecars, "cart-0", explained),
    ):
        for plane in replicas.planes:
            response = await plane.admin.Explain(FROM_WEB_TO_CART)
            assert [hop.instance for hop in response.hops] == ["web-0", "cart-0"]
            assert response.reason == "ratelimit.token"


async def test_breakers_are_listed_and_forced_wherever_they_are(replicas: Replicas) -> None:
    one, two = replicas.planes
    order = sidecar_admin_pb2.ForceBreakerRequest(
        service=CART, state=telemetry_pb2.BREAKER_STATE_FORCED_OPEN, ttl=MINUTE
    )
    async with AsyncExitStack() as block:
        await connect(one, range(2), block)
        await connect(two, range(2, 4), block)
        for plane, instance in ((one, "web-0"), (two, "web-2")):
            await block.enter_async_context(attached(plane.sidecars, instance, breakers))
        for plane in replicas.planes:
            listed = await plane.admin.ListBreakers(admin_pb2.ListBreakersRequest(service=CART))
            assert [breaker.instance for breaker in listed.breakers] == ["web-0", "web-2"]
            forced = await plane.admin.ForceBreakers(admin_pb2.ForceBreakersRequest(order=order))
            assert [breaker.instance for breaker in forced.breakers] == ["web-0", "web-2"]
            assert list(forced.unreachable) == ["web-1", "web-3"]


async def test_traffic_of_all_replicas_is_added_up(replicas: Replicas) -> None:
    one, two = replicas.planes
    epoch = time.time() - 40
    async with reporting(one.sidecars) as cart_0, reporting(two.sidecars) as cart_1:
        await cart_0(reported("cart-0", 400, epoch_seconds=epoch))
        await cart_1(reported("cart-1", 800, epoch_seconds=epoch))
        for plane in replicas.planes:
            [traffic] = (await plane.admin.ListTraffic(admin_pb2.ListTrafficRequest())).traffic
            assert (traffic.service, traffic.sidecars) == (CART, 2)
            assert traffic.requests_per_second == pytest.approx(30, rel=0.05)


async def test_live_callers_are_counted_over_all_replicas(replicas: Replicas) -> None:
    one, two = replicas.planes
    epoch = time.time()
    async with reporting(one.sidecars) as web_0, reporting(two.sidecars) as web_1:

        async def both_know() -> bool:
            answers = [
                await web_0(reported("web-0", 1, epoch_seconds=epoch)),
                await web_1(reported("web-1", 1, epoch_seconds=epoch)),
            ]
            return [one.live_callers for answer in answers for one in answer.callers] == [2, 2]

        await until(both_know)


async def test_health_is_shared_over_all_replicas(replicas: Replicas) -> None:
    one, two = replicas.planes
    async with reporting(one.sidecars) as web_0, reporting(two.sidecars) as web_1:

        async def both_know() -> bool:
            [told_0] = (await web_0(checked("web-0", 1, healthy=True))).health
            [told_1] = (await web_1(checked("web-1", 2, healthy=False))).health
            checkers = [list(told_0.checkers), list(told_1.checkers)]
            votes = [(each.healthy, each.unhealthy) for told in (told_0, told_1) for each in told.votes]
            return checkers == [[1, 2], [1, 2]] and votes == [(0, 1), (1, 0)]

        await until(both_know)


def checked(instance: str, checker: int, *, healthy: bool) -> telemetry_pb2.ReportRequest:
    """Report on one endpoint of a service."""
    name = registry_pb2.ServiceName(namespace="shop", name="cart")
    verdict = telemetry_pb2.EndpointVerdict(endpoint="cart-0", port=80, healthy=healthy)
    service = telemetry_pb2.CheckedService(service=name, verdicts=[verdict])
    return telemetry_pb2.ReportRequest(instance=instance, checker=checker, checked=[service])


async def test_events_of_all_replicas_are_shown_in_order(replicas: Replicas) -> None:
    for number, plane in ((0, replicas.planes[1]), (1, replicas.planes[0])):
        request = telemetry_pb2.ReportRequest(instance=f"web-{number}")
        request.events.append(telemetry_pb2.Event(kind="breaker", service=CART))
        request.events[0].at.FromSeconds(1_000 + number)
        async with reporting(plane.sidecars) as report:
            await report(request)
    for plane in replicas.planes:
        events = (await plane.admin.ListEvents(admin_pb2.ListEventsRequest(service=CART))).events
        assert [event.instance for event in events] == ["web-0", "web-1"]


async def test_all_replicas_agree_on_who_leads(replicas: Replicas) -> None:
    async def leader(plane: Plane) -> tuple[str, bool]:
        status = await plane.admin.GetStatus(STATUS)
        return status.leader.name, status.leader.renewed_age.ToNanoseconds() < 10e9

    name, is_fresh = await from_all(replicas, leader)
    assert name in await names(replicas)
    assert is_fresh


async def test_replica_that_left_is_gone_at_once_and_its_lead_taken_over(replicas: Replicas) -> None:
    _, second = await names(replicas)
    await replicas.blocks[0].aclose()
    plane = replicas.planes[1]

    async def leads_alone() -> bool:
        status = await plane.admin.GetStatus(STATUS)
        return ([one.name for one in status.replicas], status.leader.name) == ([second], second)

    await until(leads_alone)
    assert not (await plane.admin.ListSidecars(ALL_SIDECARS)).unanswered


@pytest.fixture
async def silent(replicas: Replicas) -> str:
    """The name of a replica that is in the store, and answers nobody."""
    lost = replica("lost", address=f"127.0.0.1:{free_port()}")
    await replicas.stores[0].put(f"{REPLICAS}{lost.id}", encode(lost))
    for plane in replicas.planes:
        await until(_is_named(plane, lost.name))
    return lost.name


def _is_named(plane: Plane, name: str) -> Condition:
    async def holds() -> bool:
        return list((await plane.admin.GetStatus(STATUS)).unanswered) == [name]

    return holds


async def test_replica_that_does_not_answer_is_named_in_every_answer(replicas: Replicas, silent: str) -> None:
    admin = replicas.planes[0].admin
    answers = (
        await admin.ListSidecars(ALL_SIDECARS),
        await admin.ListPolicies(admin_pb2.ListPoliciesRequest()),
        await admin.ListTraffic(admin_pb2.ListTrafficRequest()),
        await admin.ListEvents(admin_pb2.ListEventsRequest()),
        await admin.ListBreakers(admin_pb2.ListBreakersRequest()),
        await admin.ListLimits(admin_pb2.ListLimitsRequest()),
        await admin.GetEffectivePolicy(admin_pb2.GetEffectivePolicyRequest(service=CART)),
    )
    assert [list(answer.unanswered) for answer in answers] == [[silent]] * len(answers)


async def test_question_in_flight_ends_well_when_a_replica_is_given_up(replicas: Replicas) -> None:
    asked = asyncio.Event()

    async def think(request: bytes, context: Any) -> bytes:
        del request, context
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    thinks: dict[str, Any] = {"ListShareSidecars": grpc.unary_unary_rpc_method_handler(think)}
    async with methods_of("mesh.v1.PeerService", thinks) as port:
        lost = replica("lost", address=f"127.0.0.1:{port}")
        await replicas.stores[0].put(f"{REPLICAS}{lost.id}", encode(lost))
        for plane in replicas.planes:
            await until(_is_named(plane, lost.name))
        answer = replicas.planes[0].admin.ListSidecars(ALL_SIDECARS)
        await asked.wait()
        await replicas.stores[0].delete(f"{REPLICAS}{lost.id}")
        assert list((await answer).unanswered) == [lost.name]
        assert not (await replicas.planes[0].admin.ListSidecars(ALL_SIDECARS)).unanswered


async def test_people_are_warned_of_a_replica_that_does_not_answer(replicas: Replicas, silent: str) -> None:
    port = replicas.planes[0].bound.admin.port
    shown = await breakwater("proxy-status", admin=port)
    assert f"warning: control plane {silent} does not answer" in shown.talk
    assert shown.code == 0
    checked = await breakwater("check", admin=port)
    assert "2/3 replicas ready" in checked.out
    assert silent in checked.out
    assert checked.code == 1


async def test_check_shows_replicas_and_leader(replicas: Replicas) -> None:
    async def leads() -> bool:
        return bool((await replicas.planes[0].admin.GetStatus(STATUS)).leader.name)

    await until(leads)
    checked = await breakwater("check", admin=replicas.planes[0].bound.admin.port)
    assert "√ 2/2 replicas ready, leader " in checked.out
    assert "(lease renewed " in checked.out


async def test_replica_that_starts_beside_a_complete_one_waits_for_nobody(tmp_path: Path) -> None:
    nobody = host("nobody.shop")
    async with open_sqlite(SqliteLocation(path=None)) as store:
        key = registration_key(registration().service, registration().endpoint.instance)
        await store.put(key, encode_registration(registration()))
        forgetful = FlakyStore(store, restores_leases=False)
        async with (
            running_replicas(tmp_path, (store, forgetful)) as replicas,
            light_sidecar(replicas.planes[1].sidecars, "web-0", nobody) as sidecar,
        ):
            await sidecar.until(lambda one: nobody in one.missing)


async def test_only_peers_are_answered(replicas: Replicas) -> None:
    stub = PeerServiceStub(replicas.planes[0].sidecars)
    for metadata in ((), (("breakwater-peer", "guess"),)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetShare(peer_pb2.GetShareRequest(), metadata=metadata)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
