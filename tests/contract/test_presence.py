"""Records of replicas in every store: they come, go with their lease, and return."""

from controlplane.model.replica import Replica
from controlplane.peers.presence import PRESENCE_SECONDS, encode, forget, living, present
from registry.keys import LEADER, REPLICAS
from registry.store import Store
from tests.support.flaky_store import FlakyStore
from tests.support.readiness import until
from tests.support.sidecars import replica
from tests.support.stores import EMBEDDED, Opener, Time, only


async def present_in(store: Store) -> tuple[Replica, ...]:
    return living((await store.list(REPLICAS)).entries)


async def until_present(store: Store, *replicas: Replica) -> None:
    async def is_there() -> bool:
        return await present_in(store) == replicas

    await until(is_there)


async def test_replica_is_there_until_it_leaves(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        async with present(store, replica("one"), clock), present(store, replica("two"), clock):
            await until_present(store, replica("one"), replica("two"))
            await clock.advance(PRESENCE_SECONDS + 1)
            assert await present_in(store) == (replica("one"), replica("two"))

        assert await present_in(store) == ()


@only(EMBEDDED)
async def test_replica_that_cannot_renew_is_gone_in_time_and_returns(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        flaky = FlakyStore(store)
        async with present(flaky, replica("one"), clock):
            await until_present(store, replica("one"))
            flaky.lose()
            await clock.advance(PRESENCE_SECONDS + 1)
            assert await present_in(store) == ()
            flaky.regain()
            while await present_in(store) == ():
                await clock.advance(1)


async def test_replica_that_was_started_again_is_one(open_store: Opener, clock: Time) -> None:
    killed = replica("killed", address="here:15010", started_seconds=1)
    started = replica("started", address="here:15010", started_seconds=2)
    async with open_store(clock) as store:
        for one in (started, killed):
            await store.put(f"{REPLICAS}{one.id}", encode(one))

        assert await present_in(store) == (started,)


async def test_record_that_nobody_can_read_is_nobody(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        await store.put(f"{REPLICAS}later", b'{"place": "elsewhere"}')

        assert await present_in(store) == ()


async def test_store_of_one_process_forgets_the_run_before(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        lease = await store.grant(15)
        await store.put(f"{REPLICAS}killed", encode(replica("killed")), lease=lease.id)
        await store.put(LEADER, b"killed", lease=lease.id)
        await forget(store)

        assert (await store.list("/")).entries == ()
