"""RegistryService over a socket."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from registry.client import Mark
from registry.config import GRACE_SECONDS, LEASE_SECONDS
from registry.errors import LeaseNotFoundError
from registry.model import Conflict, Contract, Health, InstanceId, LeaseId, Revision, ServiceName
from tests.support.registrations import CART, registration
from tests.support.registry import DEADLINE_SECONDS, batch, served, told, until_listed

BANK = ServiceName(namespace="bank", name="ledger")
DESK = ServiceName(namespace="desk", name="front")


async def test_registered_instance_is_listed_as_it_registered() -> None:
    contract = Contract(owner="team-cart", version="1", idempotent_methods=("DELETE",))
    async with served() as registry:
        lease = await registry.client.register(registration("a", contract=contract))
        await until_listed(registry.client, CART, "a")
        (service,) = await registry.client.list_services()
        (endpoint,) = await registry.client.list_endpoints(CART)

        assert lease.ttl_seconds == LEASE_SECONDS
        assert (service.name, service.contract, service.endpoint_count) == (CART, contract, 1)
        assert service.endpoints == ()
        assert endpoint == registration("a").endpoint


async def test_services_are_listed_by_namespace() -> None:
    async with served() as registry:
        await registry.client.register(registration("a"))
        await registry.client.register(registration("b", service=BANK))
        await until_listed(registry.client, BANK, "b")

        assert [service.name for service in await registry.client.list_services()] == [BANK, CART]
        assert [service.name for service in await registry.client.list_services("shop")] == [CART]


async def test_unknown_service_has_no_endpoints() -> None:
    async with served() as registry:
        assert await registry.client.list_endpoints(CART) == ()


async def test_deregistered_instance_is_gone() -> None:
    async with served() as registry:
        lease = await registry.client.register(registration("a"))
        await registry.client.register(registration("b"))
        await registry.client.deregister(lease.id)
        await until_listed(registry.client, CART, "b")


async def test_kept_lease_stays_and_the_other_ends() -> None:
    async with served() as registry:
        kept = await registry.client.register(registration("kept"), ttl_seconds=5)
        await registry.client.register(registration("lost"), ttl_seconds=5)
        await registry.clock.advance(4)
        assert await registry.client.keep_alive(kept.id) == kept
        await registry.clock.advance(4)
        await until_listed(registry.client, CART, "kept")


async def test_keeping_an_unknown_lease_alive_asks_to_register_again() -> None:
    async with served() as registry:
        with pytest.raises(LeaseNotFoundError):
            await registry.client.keep_alive(LeaseId(4711))


async def test_a_verdict_changes_without_a_new_registration() -> None:
    async with served() as registry, asyncio.timeout(DEADLINE_SECONDS):
        what = registration("a")
        lease = await registry.client.register(what)
        watch = registry.client.watch()
        first = await told(watch)
        for health in (Health.UNHEALTHY, Health.UNHEALTHY, Health.HEALTHY):
            await registry.client.report_health(CART, what.endpoint.instance, lease.id, health)
        second, third = await told(watch), await told(watch)
        services = await registry.client.list_services()
        await registry.client.deregister(lease.id)
        last = await told(watch)

    assert [one.service.healthy_count for one in (first, second, third, last)] == [1, 0, 1, 0]
    assert [service.healthy_count for service in services] == [1]
    assert last.is_removed
    assert third.revision == first.revision + 2, "a verdict that is no news is not written"


async def test_a_verdict_needs_the_lease_of_the_registration() -> None:
    async with served() as registry:
        what = registration("a")
        replaced = await registry.client.register(what)
        lease = await registry.client.register(what)
        for instance, lease_id in (("a", replaced.id), ("b", lease.id)):
            with pytest.raises(LeaseNotFoundError):
                await registry.client.report_health(CART, InstanceId(instance), lease_id, Health.UNHEALTHY)


async def test_instances_that_disagree_are_told_with_what_they_disagree_about() -> None:
    async with served() as registry:
        await registry.client.register(registration("a", contract=Contract(version="1")))
        await registry.client.register(registration("b", contract=Contract(version="2")))
        await until_listed(registry.client, CART, "a", "b")
        (service,) = await registry.client.list_services()

    assert service.contract.version == "2"
    winner, losers = InstanceId("b"), (InstanceId("a"),)
    assert service.conflicts == (Conflict(field="contract", winner=winner, losers=losers),)


async def test_bad_registration_is_refused_with_every_problem() -> None:
    good = registration()
    bad = replace(good, ports=(), endpoint=replace(good.endpoint, address="cart.local"))
    async with served() as registry:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await registry.client.register(bad)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    info, bad_request = details(caught.value)
    assert (info.reason, info.domain) == ("INVALID_REGISTRATION", "breakwater.dev")
    assert [violation.field for violation in bad_request.field_violations] == [
        "ports",
        "endpoint.address",
        "endpoint.ports[http]",
    ]


def details(
    error: grpc.aio.AioRpcError,
) -> tuple[error_details_pb2.ErrorInfo, error_details_pb2.BadRequest]:
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad_request)
    return info, bad_request


@pytest.mark.parametrize("ttl_seconds", [0, 4, 61])
async def test_time_to_live_out_of_range_is_refused(ttl_seconds: int) -> None:
    async with served() as registry:
        with pytest.raises(grpc.aio.AioRpcError, match="ttl: expected 5s to 60s"):
            await registry.client.register(registration(), ttl_seconds)


async def test_watch_begins_with_all_there_are_and_sends_each_change_whole() -> None:
    async with served() as registry, asyncio.timeout(DEADLINE_SECONDS):
        lease = await registry.client.register(registration("a"))
        await registry.client.register(registration("b", service=BANK))
        await until_listed(registry.client, BANK, "b")
        watch = registry.client.watch()
        first, second = await told(watch), await told(watch)
        await registry.client.register(registration("c"))
        third = await told(watch)
        await registry.client.deregister(lease.id)
        fourth = await told(watch)

    assert [change.service.name for change in (first, second, third, fourth)] == [BANK, CART, CART, CART]
    assert [endpoint.instance for endpoint in third.service.endpoints] == ["a", "c"]
    assert [endpoint.instance for endpoint in fourth.service.endpoints] == ["c"]
    assert fourth.revision > third.revision


async def test_watch_of_a_namespace_sees_no_other() -> None:
    async with served() as registry, asyncio.timeout(DEADLINE_SECONDS):
        await registry.client.register(registration("b", service=BANK))
        watch = registry.client.watch("shop")
        await registry.client.register(registration("a"))

        assert (await told(watch)).service.name == CART


async def test_watch_tells_when_the_last_instance_leaves() -> None:
    async with served() as registry, asyncio.timeout(DEADLINE_SECONDS):
        lease = await registry.client.register(registration("a"))
        watch = registry.client.watch()
        assert not (await told(watch)).is_removed
        await registry.client.deregister(lease.id)
        change = await told(watch)

    assert change.is_removed
    assert change.service.name == CART
    assert change.service.endpoints == ()


async def test_first_mark_says_that_this_is_all(tmp_path: Path) -> None:
    async with served(tmp_path / "registry.db") as registry:
        await registry.client.register(registration("a"))
        await until_listed(registry.client, CART, "a")
    async with served(tmp_path / "registry.db") as registry, asyncio.timeout(DEADLINE_SECONDS):
        [change], mark = await batch(registry.client.watch())
        assert (change.service.name, mark) == (CART, Mark(is_all=True, revision=change.revision))


async def test_watch_that_resumes_is_told_what_it_missed_and_nothing_else() -> None:
    async with served() as registry, asyncio.timeout(DEADLINE_SECONDS):
        bank = await registry.client.register(registration("b", service=BANK))
        await registry.client.register(registration("a"))
        await until_listed(registry.client, CART, "a")
        async with aclosing(registry.client.watch()) as watch:
            _, mark = await batch(watch)
        await registry.client.deregister(bank.id)
        await registry.client.register(registration("d", service=DESK))
        await until_listed(registry.client, DESK, "d")
        changes, again = await batch(registry.client.watch(after=mark.revision))
        assert [(one.service.name, one.is_removed) for one in changes] == [(BANK, True), (DESK, False)]
        assert not again.is_all
        assert again.revision > mark.revision
        assert (await batch(registry.client.watch("shop", after=mark.revision)))[0] == []


@pytest.mark.parametrize("after", [1, 1 << 40])
async def test_watch_that_resumes_where_nobody_remembers_is_told_everything(
    tmp_path: Path, after: int
) -> None:
    async with served(tmp_path / "registry.db") as registry:
        for instance in ("a", "b"):
            await registry.client.register(registration(instance))
        await until_listed(registry.client, CART, "a", "b")
    async with served(tmp_path / "registry.db") as registry, asyncio.timeout(DEADLINE_SECONDS):
        [change], mark = await batch(registry.client.watch(after=Revision(after)))
        assert (change.service.name, mark.is_all) == (CART, True)


async def test_nobody_is_said_to_be_gone_before_owners_had_time_to_return() -> None:
    async with served() as registry, asyncio.timeout(DEADLINE_SECONDS):
        await registry.client.register(registration("a"), ttl_seconds=60)
        await until_listed(registry.client, CART, "a")
        watch = registry.client.watch()
        [change], mark = await batch(watch)
        assert (change.service.name, mark.is_all) == (CART, False)
        await registry.clock.advance(GRACE_SECONDS)
        [change], mark = await batch(watch)
        assert (change.service.name, mark.is_all) == (CART, True)
