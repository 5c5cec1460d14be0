"""The store while members of its cluster die: nothing acknowledged is lost, and nothing is seen twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from registry.config import EtcdAccess, EtcdLocation, parse_location
from registry.errors import StoreError, StoreFullError, StoreRefusedError
from registry.mirror import Mirror, mirroring
from registry.opening import open_store
from registry.store import Batch, Store, Write
from tests.support.cutter import Cutter, cutting
from tests.support.etcd import Cluster, Member, Options, one_member, three_members
from tests.support.linearizable import PREFIX, Client, History
from tests.support.readiness import that, until

CLIENTS = 6
WRITES = 100
QUOTA_BYTES = 1 << 20
VALUE = b"x" * 100_000


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with three_members(tmp_path) as running:
        yield running


async def read(mirror: Mirror, seen: list[tuple[str, int]]) -> None:
    with mirror.watch() as updates:
        async for update in updates:
            seen += [(change.key, change.revision) for change in update.changes]


async def cut_often(cutter: Cutter, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await asyncio.sleep(0.05)
        cutter.cut()


async def fill(store: Store) -> None:
    """Writes until etcd refuses; it counts what it has written in steps of 100 ms."""
    for number in range(50 * QUOTA_BYTES // len(VALUE)):
        await store.put(f"/filler/{number}", VALUE)


async def test_leader_killed_under_writes_loses_and_doubles_nothing(cluster: Cluster) -> None:
    history, stop, seen = History(), asyncio.Event(), list[tuple[str, int]]()

    async def more_writes() -> None:
        enough = history.writes_done() + WRITES
        await until(that(lambda: history.writes_done() > enough), timeout_seconds=30)

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        location = parse_location(cluster.location)
        stores = [await stack.enter_async_context(open_store(location)) for _ in range(CLIENTS)]
        mirror = await stack.enter_async_context(mirroring(stores[0], PREFIX, check_seconds=0.3))
        reading = tasks.create_task(read(mirror, seen))
        for number, store in enumerate(stores):
            tasks.create_task(Client(number, store, history).run(stop))
        await more_writes()
        leader = await cluster.leader()
        await leader.process.kill()
        await more_writes()
        stop.set()
        entries = {entry.key: entry for entry in (await stores[0].list(PREFIX)).entries}
        await until(that(lambda: mirror.entries == entries))
        reading.cancel()

    assert await history.is_linearizable()
    assert mirror.repairs == 0
    assert len(set(seen)) == len(seen)


async def test_connections_cut_at_any_moment_leave_a_history_that_can_be_explained(etcd: Member) -> None:
    history, stop = History(), asyncio.Event()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            cutter = await stack.enter_async_context(cutting(etcd.place.client))
            location = EtcdLocation(endpoints=(f"127.0.0.1:{cutter.port}",))
            store = await stack.enter_async_context(open_store(location))
            tasks.create_task(Client(number, store, history, 0.001).run(stop))
            tasks.create_task(cut_often(cutter, stop))
        await until(that(lambda: history.writes_done() > 5 * WRITES), timeout_seconds=100)
        stop.set()
    assert "unknown" in history.outcomes()
    assert await history.is_linearizable()


async def test_full_store_refuses_writes_alone_and_takes_them_again_without_a_restart(tmp_path: Path) -> None:
    async with (
        one_member(tmp_path, Options(quota_bytes=QUOTA_BYTES)) as member,
        open_store(parse_location(member.location)) as store,
    ):
        lease = await store.grant(60)
        with pytest.raises(StoreFullError, match=r"RESOURCE_EXHAUSTED.*etcdctl defrag"):
            await fill(store)
        for call in (store.put("/a", b""), store.grant(60), store.commit([Write(key="/a", value=b"")])):
            with pytest.raises(StoreFullError):
                await call
        entries = (await store.list("/filler/")).entries
        assert [await store.delete(entry.key) for entry in entries]
        await store.keep_alive(lease.id)
        await store.revoke(lease.id)

        await member.compact()
        await member.defragment()
        await member.disarm()
        await store.put("/a", b"")


async def test_token_that_etcd_forgot_is_renewed(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    async with one_member(tmp_path / "etcd") as member:
        await member.require_login("breakwater", "secret")
        access = EtcdAccess(user="breakwater", password_file=password)
        location = EtcdLocation(endpoints=(member.endpoint,), access=access)
        async with open_store(location) as store, mirroring(store, "/breakwater/") as mirror:
            await store.put("/breakwater/a", b"")
            lease = await store.grant(60)
            await member.process.kill()  # tokens are in its memory alone
            await member.process.start()
            await member.ready()
            await store.put("/breakwater/b", b"", lease=lease.id)
            assert await store.keep_alive(lease.id) == lease
            await until(that(lambda: set(mirror.entries) == {"/breakwater/a", "/breakwater/b"}))


async def test_request_that_etcd_never_takes_is_refused(etcd: Member) -> None:
    async with open_store(parse_location(etcd.location)) as store:
        with pytest.raises(StoreRefusedError, match="too large"):
            await store.put("/a", b"x" * 2_000_000)


async def test_watch_that_catches_up_with_much_gets_whole_revisions_in_order(etcd: Member) -> None:
    async with open_store(parse_location(etcd.location)) as store:
        keys = ["/a/1", "/a/2", "/a/3"]
        start = (await store.list("")).revision
        last = [await store.commit([Write(key=key, value=VALUE) for key in keys]) for _ in range(20)][-1]
        batches: list[Batch] = []
        async with store.watch("/a/", start) as watch, asyncio.timeout(30):
            while not batches or batches[-1][-1].revision < last:
                batches.append(await anext(watch))
        changes = [change for batch in batches for change in batch]
        assert [change.key for change in changes] == keys * 20
        assert all(batch[-1].key == keys[-1] for batch in batches)


async def test_nobody_at_the_endpoints_is_told_by_their_addresses() -> None:
    async with open_store(EtcdLocation(endpoints=("127.0.0.1:1", "127.0.0.1:2"))) as store:
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:1, 127\.0\.0\.1:2.*failed to connect"):
            await store.get("/a")
