"""A mirror shows what its store holds, and notices when it does not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from registry.config import SqliteLocation
from registry.mirror import CHECK_SECONDS, Mirror, mirroring
from registry.model import Revision
from registry.sqlite import SqliteStore, open_sqlite
from tests.support.clock import FakeClock
from tests.support.flaky_store import FlakyStore

MEMORY = SqliteLocation(path=None)
DEADLINE_SECONDS = 30


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def real(clock: FakeClock) -> AsyncIterator[SqliteStore]:
    async with open_sqlite(MEMORY, clock=clock) as store:
        yield store


def values(mirror: Mirror) -> dict[str, bytes]:
    return {key: entry.value for key, entry in mirror.entries.items()}


async def until(mirror: Mirror, revision: Revision) -> None:
    with mirror.watch() as updates:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while mirror.revision < revision:
                await anext(updates)


async def test_mirror_follows_its_prefix_alone(real: SqliteStore) -> None:
    await real.put("/a/1", b"old")
    async with mirroring(real, "/a/") as mirror:
        assert values(mirror) == {"/a/1": b"old"}
        await real.put("/b/1", b"")
        await until(mirror, await real.put("/a/2", b"new"))
        assert values(mirror) == {"/a/1": b"old", "/a/2": b"new"}


async def test_slow_reader_gets_the_last_change_of_each_key_in_order(real: SqliteStore) -> None:
    async with mirroring(real, "/a/") as mirror:
        with mirror.watch() as updates:
            for key in ("/a/1", "/a/2", "/a/1"):
                last = await real.put(key, b"")
            await until(mirror, last)
            update = await anext(updates)
        assert [change.key for change in update.changes] == ["/a/2", "/a/1"]
        assert update.revision == last


async def test_change_that_the_watch_lost_is_repaired_and_counted(
    real: SqliteStore, clock: FakeClock
) -> None:
    store = FlakyStore(real)
    await real.put("/a/gone", b"")
    async with mirroring(store, "/a/", clock=clock) as mirror:
        for key in ("/a/gone", "/a/new"):
            store.hide(key)
        await real.delete("/a/gone")
        await real.put("/a/new", b"")
        await until(mirror, await real.put("/a/seen", b""))
        assert set(mirror.entries) == {"/a/gone", "/a/seen"}
        with mirror.watch() as updates:
            await clock.advance(CHECK_SECONDS * 1.3)
            assert {change.key for change in (await anext(updates)).changes} == {"/a/gone", "/a/new"}
        assert set(mirror.entries) == {"/a/new", "/a/seen"}
        assert mirror.repairs == 2


async def test_mirror_that_is_right_repairs_nothing(real: SqliteStore, clock: FakeClock) -> None:
    async with mirroring(real, "/a/", clock=clock) as mirror:
        for number in range(5):
            await real.put(f"/a/{number}", b"")
            await clock.advance(CHECK_SECONDS)
        assert mirror.repairs == 0


async def test_store_that_went_back_is_listed_anew(real: SqliteStore, clock: FakeClock) -> None:
    store = FlakyStore(real)
    async with mirroring(store, "/a/", clock=clock) as mirror, open_sqlite(MEMORY, clock=clock) as backup:
        for number in range(5):
            last = await real.put(f"/a/{number}", b"")
        await until(mirror, last)
        await backup.put("/a/old", b"")
        store.become(backup)
        await clock.advance(CHECK_SECONDS * 1.3 + 1)
        assert set(mirror.entries) == {"/a/old"}
        assert mirror.repairs == 0
        await backup.put("/a/later", b"")
        await clock.advance(1)
        assert set(mirror.entries) == {"/a/later", "/a/old"}
