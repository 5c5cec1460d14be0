"""The store on a cluster that loses members, for as long as it takes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from registry.config import parse_location
from registry.errors import StoreUnavailableError
from registry.mirror import mirroring
from registry.opening import open_store
from tests.support.etcd import Cluster, three_members
from tests.support.faults.lengths import Lengths
from tests.support.linearizable import PREFIX, Client, History
from tests.support.readiness import no_longer, that, until

REFUSED_SECONDS = 5  # what the project promises
CLIENTS = 6
PAUSE_SECONDS = 0.2


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with three_members(tmp_path) as running:
        yield running


@pytest.mark.timeout(400)
async def test_leader_killed_again_and_again_leaves_a_history_that_can_be_explained(
    cluster: Cluster, lengths: Lengths
) -> None:
    history, stop = History(), asyncio.Event()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        location = parse_location(cluster.location)
        stores = [await stack.enter_async_context(open_store(location)) for _ in range(CLIENTS)]
        mirror = await stack.enter_async_context(mirroring(stores[0], PREFIX, check_seconds=1))
        for number, store in enumerate(stores):
            tasks.create_task(Client(number, store, history, PAUSE_SECONDS).run(stop))
        for _ in range(lengths.leader_kills):
            await asyncio.sleep(lengths.leader_rest)
            leader = await cluster.leader()
            await leader.process.kill()
            await cluster.leader()
            await leader.process.start()
            await cluster.ready()
        stop.set()
        entries = {entry.key: entry for entry in (await stores[0].list(PREFIX)).entries}
        await until(that(lambda: mirror.entries == entries))
    assert await history.is_linearizable()
    assert mirror.repairs == 0


async def test_lost_majority_is_told_soon_and_forgotten_when_it_returns(cluster: Cluster) -> None:
    async with (
        open_store(parse_location(cluster.location)) as store,
        mirroring(store, "/a/") as mirror,
    ):
        await store.put("/a/1", b"")
        await until(that(lambda: "/a/1" in mirror.entries))
        lost = cluster.members[:2]
        for member in lost:
            await member.process.kill()
        began = time.monotonic()
        for call in (store.put("/a/2", b""), store.get("/a/1"), store.grant(60)):
            with pytest.raises(StoreUnavailableError):
                await call
            assert time.monotonic() - began < REFUSED_SECONDS
            began = time.monotonic()
        await until(that(lambda: not mirror.is_connected))
        assert list(mirror.entries) == ["/a/1"]

        for member in lost:
            await member.process.start()
        await cluster.ready()
        await store.put("/a/3", b"")
        await until(that(lambda: "/a/3" in mirror.entries))
        assert mirror.is_connected


async def test_compaction_past_a_watch_that_lost_its_member_costs_nothing(cluster: Cluster) -> None:
    leader, (follower, *_) = await cluster.leader(), await cluster.followers()
    async with (
        open_store(parse_location(leader.location)) as store,
        open_store(parse_location(follower.location)) as through_follower,
        mirroring(through_follower, "/a/", check_seconds=0.3) as mirror,
    ):
        await store.put("/a/kept", b"")
        await store.put("/a/gone", b"")
        await until(that(lambda: set(mirror.entries) == {"/a/gone", "/a/kept"}))
        await follower.process.kill()
        await store.delete("/a/gone")
        await store.put("/a/new", b"")
        await store.put("/b", b"")
        await leader.compact()
        await follower.process.start()
        await until(that(lambda: set(mirror.entries) == {"/a/kept", "/a/new"}), timeout_seconds=20)
        assert mirror.repairs == 0


async def test_lease_outlives_the_leader_while_it_is_kept_alive(cluster: Cluster) -> None:
    async with open_store(parse_location(cluster.location)) as store:
        lease = await store.grant(5)
        await store.put("/a", b"", lease=lease.id)
        leader = await cluster.leader()
        await leader.process.kill()
        for _ in range(10):
            await store.keep_alive(lease.id)
            await asyncio.sleep(0.1)
        assert (await store.get("/a")).lease == lease.id


async def test_frozen_member_is_left_for_another(cluster: Cluster) -> None:
    async with open_store(parse_location(cluster.location)) as store:
        await store.put("/a", b"")
        (follower, *_) = await cluster.followers()
        leader = await cluster.leader()
        for member in (follower, leader):
            member.process.pause()
            await until(no_longer(member.is_ready))
            await store.get("/a")
            member.process.resume()
            await cluster.ready()
