"""The catalogue follows its store, and takes nothing away because something restarted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from registry.catalog import Changes
from registry.config import GRACE_SECONDS, SqliteLocation, StoreOptions
from registry.errors import StoreUnavailableError
from registry.keys import PREFIX, registration_key
from registry.live import LiveCatalog, follow
from registry.model import InstanceId, ServiceName
from registry.registrar import Registrar
from registry.sqlite import SqliteStore, open_sqlite
from tests.support.clock import FakeClock
from tests.support.flaky_store import FlakyStore
from tests.support.registrations import CART, registration

DEADLINE_SECONDS = 30
PAYMENTS = ServiceName(namespace="shop", name="payments")
MEMORY = SqliteLocation(path=None)


@asynccontextmanager
async def opened(clock: FakeClock) -> AsyncIterator[SqliteStore]:
    options = StoreOptions(history_revisions=20)
    async with open_sqlite(MEMORY, clock=clock, options=options) as store:
        yield store


async def until_instances(live: LiveCatalog, *instances: str) -> None:
    """Waits until exactly `instances` of the cart are in view."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        with live.watch() as watch:
            while instances_of_cart(live) != list(instances):
                await anext(watch)


def instances_of_cart(live: LiveCatalog) -> list[str]:
    service = live.catalog.services.get(CART)
    return [endpoint.instance for endpoint in service.endpoints] if service else []


def is_settled(live: LiveCatalog) -> bool:
    return live.is_settled


def is_connected(live: LiveCatalog) -> bool:
    return live.is_connected


async def test_view_begins_with_what_is_registered() -> None:
    clock = FakeClock()
    async with opened(clock) as store:
        await Registrar(store).register(registration("a"), 15)
        async with follow(store, clock=clock) as live:
            assert instances_of_cart(live) == ["a"]


async def test_view_follows_registrations_and_removals() -> None:
    clock = FakeClock()
    async with opened(clock) as store, follow(store, clock=clock) as live:
        registrar = Registrar(store)
        first = await registrar.register(registration("a"), 15)
        await registrar.register(registration("b"), 15)
        await until_instances(live, "a", "b")
        await registrar.deregister(first.id)
        await until_instances(live, "b")


async def test_instance_whose_owner_is_gone_disappears_within_its_lease() -> None:
    clock = FakeClock()
    async with opened(clock) as store, follow(store, clock=clock) as live:
        registrar = Registrar(store)
        await registrar.register(registration("dead"), 15)
        alive = await registrar.register(registration("alive"), 15)
        await until_instances(live, "alive", "dead")
        for _ in range(3):
            await clock.advance(5)
            await registrar.keep_alive(alive.id)
        await until_instances(live, "alive")


async def test_instance_that_registers_again_is_replaced_in_place() -> None:
    clock = FakeClock()
    async with opened(clock) as store, follow(store, clock=clock) as live:
        registrar = Registrar(store)
        await registrar.register(registration("a"), 15)
        await until_instances(live, "a")
        with live.watch() as watch:
            await registrar.register(registration("a", address="10.0.0.9"), 15)
            async with asyncio.timeout(DEADLINE_SECONDS):
                assert await anext(watch) == Changes(endpoints=frozenset({CART}))
            assert instances_of_cart(live) == ["a"]


async def test_predecessor_that_leaves_late_does_not_take_its_successor_along() -> None:
    clock = FakeClock()
    async with opened(clock) as store, follow(store, clock=clock) as live:
        registrar = Registrar(store)
        predecessor = await registrar.register(registration("a"), 15)
        await registrar.register(registration("a"), 15)
        await registrar.deregister(predecessor.id)
        await registrar.register(registration("z"), 15)
        await until_instances(live, "a", "z")


async def test_registration_that_lands_late_does_not_take_its_successor_along() -> None:
    clock = FakeClock()
    async with opened(clock) as real:
        store = FlakyStore(real)
        store.delay()
        with pytest.raises(StoreUnavailableError):
            await Registrar(store).register(registration("a"), 15)
        lease = await Registrar(store).register(registration("a"), 60)
        await store.land()
        await clock.advance(16)

        assert [entry.lease for entry in (await real.list(PREFIX)).entries] == [lease.id]


async def test_deregistering_twice_is_quiet() -> None:
    clock = FakeClock()
    async with opened(clock) as store:
        lease = await Registrar(store).register(registration("a"), 15)
        await Registrar(store).deregister(lease.id)
        await Registrar(store).deregister(lease.id)

        assert (await store.list(PREFIX)).entries == ()


async def test_slow_reader_gets_what_it_missed_as_one() -> None:
    clock = FakeClock()
    async with opened(clock) as store, follow(store, clock=clock) as live:
        with live.watch() as watch:
            registrar = Registrar(store)
            await registrar.register(registration("a"), 15)
            await registrar.register(registration("p", service=PAYMENTS), 15)
            await registrar.register(registration("b"), 15)
            await until_instances(live, "a", "b")

            both = frozenset({CART, PAYMENTS})
            assert await anext(watch) == Changes(services=both, endpoints=both)


async def test_registration_nobody_can_read_hides_no_other() -> None:
    clock = FakeClock()
    async with opened(clock) as store:
        await store.put(registration_key(CART, InstanceId("bad")), b"\xff")
        await Registrar(store).register(registration("a"), 15)
        async with follow(store, clock=clock) as live:
            await store.put(registration_key(CART, InstanceId("worse")), b"\xff")
            await Registrar(store).register(registration("b"), 15)
            await until_instances(live, "a", "b")


async def test_view_of_an_empty_store_settles_after_the_grace() -> None:
    clock = FakeClock()
    async with opened(clock) as store, follow(store, clock=clock) as live:
        await Registrar(store).register(registration("a"), 60)
        await until_instances(live, "a")
        with live.watch() as watch:
            await clock.advance(GRACE_SECONDS - 0.1)
            assert not is_settled(live)
            await clock.advance(0.2)
            assert is_settled(live)
            assert await anext(watch) == Changes(endpoints=frozenset({CART}))


async def test_view_of_a_store_that_kept_its_entries_is_settled_at_once() -> None:
    clock = FakeClock()
    async with opened(clock) as store:
        await Registrar(store).register(registration("a"), 15)
        async with follow(store, clock=clock) as live:
            assert is_settled(live)


async def test_who_is_missing_when_the_store_returns_stays_for_the_grace() -> None:
    clock = FakeClock()
    async with opened(clock) as real:
        store = FlakyStore(real)
        leases = {name: await Registrar(real).register(registration(name), 60) for name in ("a", "b")}
        async with follow(store, clock=clock) as live:
            store.lose()
            await clock.advance(1)
            assert not is_connected(live)
            await Registrar(real).deregister(leases["a"].id)
            store.regain()
            await clock.advance(5)
            assert is_connected(live)
            await clock.advance(GRACE_SECONDS - 6)
            assert instances_of_cart(live) == ["a", "b"]
            await clock.advance(6)
            assert instances_of_cart(live) == ["b"]


async def test_who_could_not_renew_while_we_stood_still_stays_for_the_grace() -> None:
    clock = FakeClock()
    async with opened(clock) as store, follow(store, clock=clock) as live:
        leases = {name: await Registrar(store).register(registration(name), 60) for name in ("a", "b")}
        await until_instances(live, "a", "b")
        clock.jump(30)
        for lease in leases.values():
            await Registrar(store).deregister(lease.id)
        await clock.advance(GRACE_SECONDS - 5)
        await Registrar(store).register(registration("a"), 60)
        assert instances_of_cart(live) == ["a", "b"]
        await clock.advance(6)
        assert instances_of_cart(live) == ["a"]


async def test_who_registers_again_within_the_grace_never_left() -> None:
    clock = FakeClock()
    async with opened(clock) as real:
        store = FlakyStore(real)
        lease = await Registrar(real).register(registration("a"), 60)
        async with follow(store, clock=clock) as live:
            store.lose()
            await clock.advance(1)
            await Registrar(real).deregister(lease.id)
            store.regain()
            await clock.advance(5)
            with live.watch() as watch:
                await Registrar(real).register(registration("a"), 60)
                await clock.advance(20)
                assert instances_of_cart(live) == ["a"]
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0):
                        await anext(watch)


async def test_view_that_fell_behind_lists_anew_and_keeps_nobody_who_left() -> None:
    clock = FakeClock()
    async with opened(clock) as real:
        store = FlakyStore(real)
        lease = await Registrar(real).register(registration("a"), 60)
        async with follow(store, clock=clock) as live:
            store.compact()
            await asyncio.sleep(0.01)  # the view waits before it lists, so it misses what follows
            await Registrar(real).deregister(lease.id)
            await Registrar(real).register(registration("b"), 60)
            await clock.advance(1)
            assert instances_of_cart(live) == ["b"]


async def test_restart_takes_an_instance_away_only_if_its_owner_stays_away(tmp_path: Path) -> None:
    clock = FakeClock()
    location = SqliteLocation(path=tmp_path / "registry.db")
    async with open_sqlite(location, clock=clock) as store:
        alive = await Registrar(store).register(registration("alive"), 15)
        await Registrar(store).register(registration("dead"), 15)
    clock.jump(600)

    async with open_sqlite(location, clock=clock) as store, follow(store, clock=clock) as live:
        assert instances_of_cart(live) == ["alive", "dead"]
        await clock.advance(18)
        assert instances_of_cart(live) == ["alive", "dead"]
        await Registrar(store).keep_alive(alive.id)
        await clock.advance(2)
        await until_instances(live, "alive")


async def test_start_on_leases_that_ran_on_takes_nobody_away_within_the_grace() -> None:
    clock = FakeClock()
    async with opened(clock) as real:
        leases = {name: await Registrar(real).register(registration(name), 60) for name in ("alive", "dead")}
        async with follow(FlakyStore(real, restores_leases=False), clock=clock) as live:
            assert not is_settled(live)
            for lease in leases.values():
                await Registrar(real).deregister(lease.id)
            await clock.advance(4)
            await Registrar(real).register(registration("alive"), 60)
            await clock.advance(GRACE_SECONDS - 5)
            assert instances_of_cart(live) == ["alive", "dead"]
            await clock.advance(2)
            assert instances_of_cart(live) == ["alive"]
            assert is_settled(live)


async def test_who_registers_after_the_start_may_leave_at_once() -> None:
    clock = FakeClock()
    async with opened(clock) as real:
        await Registrar(real).register(registration("old"), 60)
        async with follow(FlakyStore(real, restores_leases=False), clock=clock) as live:
            lease = await Registrar(real).register(registration("new"), 60)
            await until_instances(live, "new", "old")
            await Registrar(real).deregister(lease.id)
            await until_instances(live, "old")


async def test_start_beside_a_settled_replica_is_settled_as_soon_as_it_is_known() -> None:
    clock = FakeClock()
    answers = [True, False, False]

    async def is_complete() -> bool:
        return answers.pop()

    async with opened(clock) as real:
        await Registrar(real).register(registration("a"), 60)
        store = FlakyStore(real, restores_leases=False)
        async with follow(store, clock=clock, is_complete=is_complete) as live:
            assert not is_settled(live)
            await clock.advance(1)
            assert is_settled(live)


async def test_what_others_write_among_registrations_is_passed_over_when_it_comes_and_when_it_goes() -> None:
    clock = FakeClock()
    async with opened(clock) as store, follow(store, clock=clock) as live:
        await store.put(PREFIX + "note", b"not ours")
        await Registrar(store).register(registration("a"), 15)
        await until_instances(live, "a")
        await store.delete(PREFIX + "note")
        await Registrar(store).register(registration("b"), 15)
        await until_instances(live, "a", "b")


async def test_store_that_is_away_at_the_start_is_reported() -> None:
    clock = FakeClock()
    async with opened(clock) as real:
        store = FlakyStore(real)
        store.lose()
        with pytest.raises(StoreUnavailableError):
            async with follow(store, clock=clock):
                pass


async def test_store_that_went_back_takes_nobody_away_who_returns() -> None:
    clock = FakeClock()
    async with opened(clock) as real, opened(clock) as backup:
        store = FlakyStore(real)
        for _ in range(3):  # so that the backup's revisions are older
            await Registrar(real).register(registration("a"), 60)
        await Registrar(backup).register(registration("a"), 60)
        async with follow(store, clock=clock) as live:
            for instance in ("b", "c"):
                await Registrar(real).register(registration(instance), 60)
            await until_instances(live, "a", "b", "c")
            newest = live.catalog.revision
            store.become(backup)
            store.lose()
            store.regain()
            await clock.advance(1)
            await Registrar(backup).register(registration("b"), 60)
            assert instances_of_cart(live) == ["a", "b", "c"]
            await clock.advance(GRACE_SECONDS)
            await until_instances(live, "a", "b")
            assert live.catalog.revision < newest
            assert live.changed_after(newest) is None
